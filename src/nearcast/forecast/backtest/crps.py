"""The continuous ranked probability score (CRPS) of a distribution that is known by some quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nearcast.forecast.backtest.model import Array


def crps(actual: Array, quantiles: Array, levels: Array) -> Array:
    """Return each forecast's CRPS, approximated from its quantiles.

    The CRPS is twice the integral of the pinball loss over all levels in (0, 1) (Laio and Tamea, Hydrol. Earth
    Syst. Sci. 11 (2007) 1267, eq. 10). The integral is taken by the trapezoidal rule over the levels that are
    known; beyond the outermost ones the loss falls linearly to 0 at the levels 0 and 1. With the 7 levels
    of `nearcast.schema` it is 3.5 % too small for normal outcomes and distributions, and still smallest for the
    true one; it tends to the CRPS as levels are added.

    Parameters
    ----------
    actual
        (n,) outcomes.
    quantiles
        (n, k) ascending quantiles in the same unit.
    levels
        (k,) ascending levels in (0, 1).

    Returns
    -------
    numpy.ndarray
        (n,) scores in the unit of the outcome.
    """
    edges = np.r_[0.0, levels, 1.0]
    weights = (edges[2:] - edges[:-2]) / 2
    error = actual[:, None] - quantiles
    score: Array = 2 * (np.maximum(levels * error, (levels - 1) * error) * weights).sum(axis=1)
    return score
