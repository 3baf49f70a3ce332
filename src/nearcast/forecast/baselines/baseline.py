"""What the baselines have in common: a name, a summary, and a way to answer symbol by symbol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from nearcast.schema import QUANTILE_LEVELS, SESSIONS_AHEAD

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

MINIMUM_RETURNS = 60
"""Past returns below which a baseline gives no answer."""

REFIT_SESSIONS = 63
"""Sessions for which estimated parameters are kept: a quarter."""


class Baseline(ABC):
    """A model of a backtest (`nearcast.forecast.backtest.model.Model`) with a line that describes it."""

    name: str
    summary: str
    horizons: int = SESSIONS_AHEAD

    @abstractmethod
    def fit(self, bars: pd.DataFrame) -> None:
        """Learn from bars whose every row is known."""

    @abstractmethod
    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Return (wanted rows, horizons, 7) quantiles of log(close[t + h] / close[t]); NaN: no answer."""


class PerSymbol(Baseline):
    """A baseline that forecasts each symbol from its own past closes alone.

    What it estimates, it estimates from the days before each forecast, so that its answers do not depend
    on where a fold begins.
    """

    def fit(self, bars: pd.DataFrame) -> None:
        """Do nothing: `quantiles` estimates from the past of each day."""

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Answer symbol by symbol; NaN for days with fewer than 60 past returns."""
        answers = np.full((len(bars), self.horizons, len(QUANTILE_LEVELS)), np.nan)
        log_close = np.log(bars["close_price"].to_numpy(float))
        for rows in rows_by_symbol(bars):
            days = np.flatnonzero(wanted[rows])
            days = days[days >= MINIMUM_RETURNS]  # row t has t returns behind it
            if len(days):
                answers[rows[days]] = self.of_symbol(log_close[rows], days)
        return answers[wanted]

    @abstractmethod
    def of_symbol(self, log_close: Array, days: Indices) -> Array:
        """Return (days, horizons, 7) quantiles of one symbol.

        Parameters
        ----------
        log_close
            (n,) logarithms of all its closes, the future ones of a day included.
        days
            Rows to forecast from, ascending, each with 60 returns or more behind it.
        """


def rows_by_symbol(bars: pd.DataFrame) -> list[Indices]:
    """Return the row numbers of each symbol."""
    groups = bars.groupby("stock_symbol", sort=False).indices.values()
    return [np.asarray(rows, dtype=np.int64) for rows in groups]


def horizon_return(log_close: Array, horizon: int) -> Array:
    """Return the (n,) log returns of the last ``horizon`` sessions; NaN on the first ``horizon`` rows."""
    first = np.full(min(horizon, len(log_close)), np.nan)
    returns: Array = np.r_[first, log_close[horizon:] - log_close[:-horizon]]
    return returns


def estimation_days(days: Indices) -> Indices:
    """Return, for each day, the day up to whose close its parameters are estimated.

    That is every 63rd row of the symbol, so it depends on the day alone; the first is the 60th return's.
    """
    return np.maximum(days // REFIT_SESSIONS * REFIT_SESSIONS, MINIMUM_RETURNS)
