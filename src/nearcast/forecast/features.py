"""Causal features of one symbol's daily bars: the row of day t uses data up to the close of t, no more.

They describe how far the next close may lie from this one: volatility from the range of each day,
averaged over days to a year, leverage, trend, volume and the weekday of the next session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.sessions import next_sessions
from nearcast.schema import PRICE_COLUMNS

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]

MINIMUM_HISTORY = 60
"""Rows that a symbol needs before its features mean something."""

VARIANCE_FLOOR = 1e-8
"""Added to a daily variance before its logarithm: a standard deviation of 0.01 %."""

WINSOR_MULTIPLE = 9.0
"""A day's variance counts at most this many times the slow average up to the day before."""

VARIANCE_WINDOWS = (1, 5, 22, 66, 250)
MOVING_AVERAGES = (10, 20, 50, 100)
MOMENTUM_WINDOWS = (5, 22)

RETURN = "log_return"
SCALE = "volatility_scale"
SCALED_RETURN = "scaled_return"
NOT_FEATURES = (RETURN, SCALE, SCALED_RETURN)
"""Columns of the table that windows and targets are made of; the others are the skip features."""


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


def daily_variance(bars: pd.DataFrame) -> Array:
    """Return the variance of each day: gap² + ½ (Garman–Klass + Rogers–Satchell).

    Sources: Garman and Klass, J. Business 53 (1980) 67; Rogers and Satchell, Ann. Appl. Probab. 1 (1991) 504.
    The squared overnight gap is added because both look at the trading hours only.

    Parameters
    ----------
    bars
        Daily bars of one symbol, by date (n rows).

    Returns
    -------
    numpy.ndarray
        (n,) squared log returns.
    """
    opens, high, low, close = (bars[name].to_numpy(float) for name in PRICE_COLUMNS)
    gap = np.r_[0.0, np.log(opens[1:] / close[:-1])]
    high_low, open_close = np.log(high / low), np.log(close / opens)
    garman_klass = np.maximum(0.5 * high_low**2 - (2 * np.log(2) - 1) * open_close**2, 0)
    rogers_satchell = np.log(high / close) * np.log(high / opens) + np.log(low / close) * np.log(low / opens)
    variance: Array = gap**2 + 0.5 * (garman_klass + np.maximum(rogers_satchell, 0))
    return variance


def winsorise(variance: Array) -> Array:
    """Cap each day's variance by the slow average up to the day before, so that a jump does not persist."""
    capped = variance
    for _ in range(2):  # the second pass takes its average from values that are capped already
        slow = ewma(capped, 0.97)
        capped = np.minimum(variance, np.r_[variance[:1], WINSOR_MULTIPLE * slow[:-1] + VARIANCE_FLOOR])
    return capped


def features(bars: pd.DataFrame) -> pd.DataFrame:
    """Return the features of one symbol's bars.

    Parameters
    ----------
    bars
        Daily bars of one symbol, sorted by date (n rows; US dollars, shares).

    Returns
    -------
    pandas.DataFrame
        n rows: the skip features, and `NOT_FEATURES` (log return, volatility scale of the next return,
        return over its own slow volatility). Row t does not change when later rows are added.

    Raises
    ------
    ForecastError
        When a price is not a positive number.
    """
    import pandas as pd

    prices = bars[list(PRICE_COLUMNS)].to_numpy(float)
    if not (np.isfinite(prices) & (prices > 0)).all():
        raise ForecastError(
            "A bar has a price that is not a positive number.",
            todo="Find it with `nearcast lake query`, correct it at the source and publish it again.",
        )
    close = bars["close_price"].to_numpy(float)
    log_return = np.r_[0.0, np.diff(np.log(close))]
    raw = daily_variance(bars)
    capped = winsorise(raw)
    slow_volatility = np.sqrt(rolling_mean(capped, 22) + VARIANCE_FLOOR)
    columns = _volatility(raw, capped, log_return, bars)
    columns |= _leverage_and_trend(close, log_return, slow_volatility)
    columns |= _volume(bars["volume"].to_numpy(float))
    columns |= _calendar(bars["date"].to_numpy())
    columns[RETURN] = log_return
    columns[SCALE] = np.sqrt(ewma(capped, 0.85) + VARIANCE_FLOOR)
    columns[SCALED_RETURN] = np.clip(log_return / slow_volatility, -6, 6)
    return pd.DataFrame(columns)


def _log_volatility(variance: Array) -> Array:
    volatility: Array = 0.5 * np.log(variance + VARIANCE_FLOOR)
    return volatility


def _volatility(raw: Array, capped: Array, log_return: Array, bars: pd.DataFrame) -> dict[str, Array]:
    """Log volatilities: range based over 1 to 250 days, EWMAs, gaps, squared returns, and their spread."""
    import pandas as pd

    opens, close = bars["open_price"].to_numpy(float), bars["close_price"].to_numpy(float)
    gap = np.r_[0.0, np.log(opens[1:] / close[:-1])]
    columns = {f"log_volatility_{k}": _log_volatility(rolling_mean(raw, k)) for k in VARIANCE_WINDOWS}
    for k in VARIANCE_WINDOWS[1:]:
        columns[f"log_winsorised_volatility_{k}"] = _log_volatility(rolling_mean(capped, k))
    for k in (1, 5, 22):
        columns[f"log_absolute_return_{k}"] = 0.5 * np.log(rolling_mean(log_return**2, k) + 1e-6)
        columns[f"log_absolute_gap_{k}"] = 0.5 * np.log(rolling_mean(gap**2, k) + 1e-6)
    columns["log_ewma_volatility_94"] = _log_volatility(ewma(capped, 0.94))
    columns["log_ewma_volatility_85"] = _log_volatility(ewma(capped, 0.85))
    columns["log_ewma_return_volatility_94"] = _log_volatility(ewma(log_return**2, 0.94))
    columns["log_long_run_volatility"] = _log_volatility(pd.Series(capped).expanding().mean().to_numpy())
    spread = pd.Series(columns["log_volatility_1"]).rolling(22, min_periods=5).std().fillna(0.0)
    columns["volatility_of_volatility_22"] = spread.to_numpy()
    return columns


def _leverage_and_trend(close: Array, log_return: Array, volatility: Array) -> dict[str, Array]:
    """Returns, falls, moving averages and drawdown, in units of the slow volatility where it applies."""
    import pandas as pd

    series = pd.Series(np.log(close))
    columns = {"return_1": log_return / volatility, "fall_1": np.minimum(log_return, 0) / volatility}
    for k in MOMENTUM_WINDOWS:
        move = series.diff(k).fillna(0.0).to_numpy() / (volatility * np.sqrt(k))
        columns |= {f"momentum_{k}": move, f"fall_{k}": np.minimum(move, 0)}
    for k in MOVING_AVERAGES:
        distance = np.log(close / rolling_mean(close, k))
        columns[f"close_over_moving_average_{k}"] = distance / (volatility * np.sqrt(k))
    peak = pd.Series(close).rolling(250, min_periods=1).max().to_numpy()
    columns["drawdown_250"] = np.log(close / peak)
    return columns


def _volume(volume: Array) -> dict[str, Array]:
    """Volume relative to its median over 60 days, on the day and over a week."""
    import pandas as pd

    shares = np.maximum(volume, 1)
    usual = pd.Series(shares).rolling(60, min_periods=1).median().to_numpy()
    relative = np.log(shares / usual)
    return {"relative_volume_1": relative, "relative_volume_5": rolling_mean(relative, 5)}


def _calendar(dates: npt.NDArray[np.datetime64]) -> dict[str, Array]:
    """Weekday of the next session, and whether a weekend or more lies before it."""
    days = dates.astype("datetime64[D]")
    following = next_sessions(days)
    weekday = (following.astype(int) + 3) % 7  # day 0 of the epoch was a Thursday
    columns = {f"next_weekday_{k}": (weekday == k).astype(float) for k in range(5)}
    ahead = (following - days).astype(int)
    return columns | {"next_after_break": (ahead > 1) * 1.0, "next_after_long_break": (ahead > 3) * 1.0}
