"""Averages over the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]


def ewma(values: Array, decay: float) -> Array:
    """Return the exponentially weighted average; the weights of the days so far sum to one."""
    import pandas as pd

    average: Array = pd.Series(values).ewm(alpha=1 - decay, adjust=True).mean().to_numpy()
    return average


def rolling_mean(values: Array, window: int) -> Array:
    """Return the mean of the last ``window`` values (of all so far, while there are fewer)."""
    import pandas as pd

    mean: Array = pd.Series(values).rolling(window, min_periods=1).mean().to_numpy()
    return mean
