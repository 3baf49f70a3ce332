"""RiskMetrics: exponentially weighted volatility, and the returns that it has standardised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearcast.forecast.baselines.baseline import PerSymbol, horizon_return
from nearcast.forecast.baselines.last_close import rolling_quantiles
from nearcast.forecast.features import VARIANCE_FLOOR
from nearcast.forecast.smoothing import ewma

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

DECAY = 0.94
WARM_UP = 20
"""First days whose volatility rests on too few returns to standardise what follows."""


class Ewma(PerSymbol):
    """EWMA volatility times the quantiles of the last 500 standardised returns; √h for horizon h.

    Source: J.P. Morgan and Reuters, RiskMetrics Technical Document, 4th ed. (1996), with empirical
    quantiles in the place of normal ones.
    """

    name = "ewma"
    summary = "RiskMetrics volatility (0.94) times quantiles of the last 500 standardised returns"

    def of_symbol(self, log_close: Array, days: Indices) -> Array:
        """Return the quantiles of each horizon's standardised returns, in units of the volatility of t."""
        squares = np.r_[0.0, np.diff(log_close) ** 2]
        volatility = np.sqrt(np.maximum(ewma(squares, DECAY), VARIANCE_FLOOR))
        answers = []
        for horizon in range(1, self.horizons + 1):
            scale = np.sqrt(horizon) * volatility
            then = np.r_[np.full(horizon, np.nan), scale[:-horizon]]  # as it was `horizon` sessions ago
            standardised = horizon_return(log_close, horizon) / then
            standardised[: WARM_UP + horizon] = np.nan
            answers.append(scale[days, None] * rolling_quantiles(standardised, days))
        return np.stack(answers, axis=1)
