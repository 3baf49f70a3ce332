"""The population stability index: how far a distribution has moved from the one that was there before.

Sources: Siddiqi, Credit Risk Scorecards (2006), for the index and its limit; Yurdakul and Naranjo, J. Risk Model
Validation 14 (2020) 4, for its distribution by chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Counts = npt.NDArray[np.int64]

LIMIT = 0.2
"""Index above which a distribution counts as another one."""

SIGNIFICANCE = 0.01
"""How often chance alone may exceed the limit of a small sample."""

EMPTY = 0.5
"""Values that a bin without any counts as, so that one more or less does not decide."""


def stability_index(expected: Array, counts: Counts) -> float:
    """Return the index of counted values against the shares that were expected.

    Parameters
    ----------
    expected
        (k,) shares that sum to 1, none of them 0.
    counts
        (k,) values in each bin, at least one in all.
    """
    filled = np.maximum(counts, EMPTY)
    shares = filled / filled.sum()
    return float(((shares - expected) * np.log(shares / expected)).sum())


def limit_by_chance(values: int, bins: int) -> float:
    """Return the limit, or what independent values that did not move exceed once in a hundred times, if larger.

    Times the number of values the index is chi-squared with one degree of freedom less than there are bins.
    """
    from scipy.stats import chi2

    return max(LIMIT, float(chi2.ppf(1 - SIGNIFICANCE, bins - 1)) / values)
