"""The days to forecast from, their folds, and what came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.errors import ForecastError
from nearcast.schema import SESSIONS_AHEAD

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.backtest.model import Array

    Days = npt.NDArray[np.datetime64]
    Years = npt.NDArray[np.int64]

MINIMUM_HISTORY = 300
"""Bars that a symbol must have before the first forecast."""


@dataclass(frozen=True)
class ForecastDays:
    """The n days to forecast from, by symbol and date.

    Parameters
    ----------
    symbol, as_of
        (n,) whose they are, and the day whose close is the last known.
    session
        (n,) the next session, which is forecast first; NaT when the bars end with the as-of day.
    fold
        (n,) the year of its fold.
    last_close, next_close
        (n,) closes of the as-of days and of the next sessions (NaN where not known) in US dollars.
    outcome
        (n, 10) log(close[t + h] / close[t]) for the horizons 1 … 10; NaN beyond the end of the bars.
    """

    symbol: npt.NDArray[Any]
    as_of: Days
    session: Days
    fold: Years
    last_close: Array
    next_close: Array
    outcome: Array

    def __len__(self) -> int:
        return len(self.as_of)


def fold_years(bars: pd.DataFrame, first: np.datetime64) -> Years:
    """Return for each bar the year of the session after it, 0 when that session is before ``first``.

    A symbol's newest bar, the session after which is not known, belongs to its own year.
    """
    dates = bars["date"].to_numpy().astype("datetime64[D]")
    session = _next_dates(bars)
    known = ~np.isnat(session)
    day = np.where(known, session, dates)
    years: Years = day.astype("datetime64[Y]").astype(np.int64) + 1970
    return np.where(day >= first, years, 0)


def fold_start(year: int, first: np.datetime64) -> np.datetime64:
    """Return the day before which a fold's training bars lie."""
    return max(np.datetime64(f"{year}-01-01", "D"), first)


def forecast_days(bars: pd.DataFrame, first: np.datetime64) -> ForecastDays:
    """Return the days whose next session is ``first`` or later, with the returns that came.

    Parameters
    ----------
    bars
        Daily bars by symbol and date, up to the last day of the backtest.

    Raises
    ------
    ForecastError
        When there is no such day with an outcome, or no symbol has 300 bars before ``first``.
    """
    fold = fold_years(bars, first)
    wanted = fold > 0
    close = bars["close_price"]
    ahead = close.groupby(bars["stock_symbol"]).shift
    later = np.stack([ahead(-h).to_numpy(float) for h in range(1, SESSIONS_AHEAD + 1)], axis=1)
    outcome = np.log(later / close.to_numpy(float)[:, None])[wanted]
    if not np.isfinite(outcome[:, 0]).any():
        raise ForecastError(
            f"No session from {first} on is among the bars, which end on {bars['date'].max():%Y-%m-%d}.",
            todo="Choose an earlier --from, or a later --to.",
        )
    _check_history(bars, first)
    return ForecastDays(
        symbol=bars["stock_symbol"].to_numpy(str)[wanted],
        as_of=bars["date"].to_numpy().astype("datetime64[D]")[wanted],
        session=_next_dates(bars)[wanted],
        fold=fold[wanted],
        last_close=close.to_numpy(float)[wanted],
        next_close=later[wanted, 0],
        outcome=outcome,
    )


def _next_dates(bars: pd.DataFrame) -> Days:
    shifted = bars["date"].groupby(bars["stock_symbol"]).shift(-1)
    dates: Days = shifted.to_numpy().astype("datetime64[D]")
    return dates


def _check_history(bars: pd.DataFrame, first: np.datetime64) -> None:
    before = bars.loc[bars["date"] < first, "stock_symbol"].value_counts()
    most = int(before.max()) if len(before) else 0
    if most < MINIMUM_HISTORY:
        raise ForecastError(
            f"There are at most {most} bars of a symbol before {first}; the first fit needs {MINIMUM_HISTORY}.",
            todo="Choose a later --from, or load more history.",
        )
