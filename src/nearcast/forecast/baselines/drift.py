"""The random walk with drift: the mean return of the past goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearcast.forecast.baselines.baseline import PerSymbol, horizon_return
from nearcast.forecast.baselines.last_close import rolling_quantiles

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]


class Drift(PerSymbol):
    """The last close plus the mean of all past log returns, with quantiles of its last 500 errors."""

    name = "drift"
    summary = "the last close plus the mean of all past returns, with quantiles of its last 500 errors"

    def of_symbol(self, log_close: Array, days: Indices) -> Array:
        """Return, for each horizon, the drift shifted by the quantiles of its own past errors."""
        mean = (log_close - log_close[0]) / np.maximum(np.arange(len(log_close)), 1)
        mean[0] = np.nan  # the first bar has no return
        answers = []
        for horizon in range(1, self.horizons + 1):
            then = np.r_[
                np.full(horizon, np.nan), mean[:-horizon]
            ]  # what was forecast `horizon` sessions ago
            errors = horizon_return(log_close, horizon) - horizon * then
            answers.append(horizon * mean[days, None] + rolling_quantiles(errors, days))
        return np.stack(answers, axis=1)
