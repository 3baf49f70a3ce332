"""The pinball loss, for PyTorch tensors and NumPy arrays alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]


def pinball_loss(actual: Array, quantiles: Array, levels: Array) -> Array:
    """Return each forecast's mean pinball loss over the levels.

    Source: Koenker and Bassett, Econometrica 46 (1978) 33.

    Parameters
    ----------
    actual
        (n,) outcomes.
    quantiles
        (n, k) forecasts in the same unit.
    levels
        (k,) levels in (0, 1).

    Returns
    -------
    numpy.ndarray
        (n,) losses in the unit of the outcome.
    """
    error = actual[:, None] - quantiles
    loss: Array = np.maximum(levels * error, (levels - 1) * error).mean(axis=1)
    return loss


def coverage(actual: Array, low: Array, high: Array) -> float:
    """Return the share of outcomes within [low, high]."""
    return float(((actual >= low) & (actual <= high)).mean())
