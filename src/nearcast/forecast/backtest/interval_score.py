"""The interval score of a central prediction interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nearcast.forecast.backtest.model import Array


def winkler_score(actual: Array, low: Array, high: Array, share: float) -> Array:
    """Return each interval's width, plus 2 / (1 − share) times by how much the outcome lies outside of it.

    Source: Winkler, J. Am. Stat. Assoc. 67 (1972) 187; Gneiting and Raftery, ibid. 102 (2007) 359, eq. 43.

    Parameters
    ----------
    actual
        (n,) outcomes.
    low, high
        (n,) ends of intervals that are to hold the outcome with probability ``share``.
    """
    outside = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    score: Array = high - low + 2 / (1 - share) * outside
    return score
