"""Causal features of one symbol's daily bars: the row of day t uses data up to the close of t, no more.

They describe how far the next close may lie from this one: volatility from the range of each day,
averaged over days to a year, leverage, trend, volume and the weekday of the next session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.report_days import report_day_features
from nearcast.forecast.sessions import next_sessions
from nearcast.forecast.smoothing import ewma, rolling_mean
from nearcast.schema import PRICE_COLUMNS

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.report_days import ReportDates

    Array = npt.NDArray[np.float64]

MINIMUM_HISTORY = 60
"""Rows that a symbol needs before its features mean something."""

VARIANCE_FLOOR = 1e-8
"""Added to a daily variance before its logarithm: a standard deviation of 0.01 %."""

WINSOR_MULTIPLE = 9.0
"""A day's variance counts at most this many times the slow average up to the day before."""

VARIANCE_WINDOWS = (1, 5, 22, 66, 250)
MOMENTUM_WINDOWS = (5, 22)

SLOW_VOLATILITY = "log_winsorised_volatility_66"
"""The log volatility that others are taken relative to."""

LONG_RUN_VOLATILITY = "log_long_run_volatility"

LOG_VOLATILITIES = (
    *(f"log_volatility_{k}" for k in VARIANCE_WINDOWS),
    *(f"log_winsorised_volatility_{k}" for k in VARIANCE_WINDOWS[1:]),
    *(f"log_rogers_satchell_{k}" for k in (1, 5, 22)),
    *(f"log_garman_klass_{k}" for k in (1, 5)),
    *(f"log_absolute_return_{k}" for k in (1, 5, 22)),
    *(f"log_absolute_gap_{k}" for k in (1, 5, 22)),
    "log_yang_zhang_22",
    "log_median_volatility_22",
    "log_ewma_volatility_94",
    "log_ewma_volatility_85",
    "log_ewma_return_volatility_94",
    LONG_RUN_VOLATILITY,
)
"""Logarithms of daily standard deviations, by different measures and over different times."""

LEVERAGE = ("fall_1", *(f"fall_{k}" for k in MOMENTUM_WINDOWS))
TREND = ("return_1", "gap_1", "intraday_1", *(f"momentum_{k}" for k in MOMENTUM_WINDOWS), "drawdown_250")
ACTIVITY = ("volatility_of_volatility_22", "relative_volume_1", "relative_volume_5")
WEEKDAYS = (*(f"next_weekday_{k}" for k in range(4)), "next_after_break")

RETURN = "log_return"
RANGE_VOLATILITY = "log_volatility_1"
"""Log volatility of a day by its range and gap: less noisy than its return (Parkinson, J. Business 53 (1980) 61)."""


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
    gap, _, garman_klass, rogers_satchell = _range_measures(bars)
    variance: Array = gap**2 + 0.5 * (garman_klass + rogers_satchell)
    return variance


def _range_measures(bars: pd.DataFrame) -> tuple[Array, Array, Array, Array]:
    """Return each day's log gap, log move from open to close, and Garman–Klass and Rogers–Satchell variances."""
    opens, high, low, close = (np.log(bars[name].to_numpy(float)) for name in PRICE_COLUMNS)
    gap = np.r_[0.0, opens[1:] - close[:-1]]
    intraday = close - opens
    garman_klass = np.maximum(0.5 * (high - low) ** 2 - (2 * np.log(2) - 1) * intraday**2, 0)
    rogers_satchell = (high - close) * (high - opens) + (low - close) * (low - opens)
    return gap, intraday, garman_klass, np.maximum(rogers_satchell, 0)


def winsorise(variance: Array) -> Array:
    """Cap each day's variance by the slow average up to the day before, so that a jump does not persist."""
    capped = variance
    for _ in range(2):  # the second pass takes its average from values that are capped already
        slow = ewma(capped, 0.97)
        capped = np.minimum(variance, np.r_[variance[:1], WINSOR_MULTIPLE * slow[:-1] + VARIANCE_FLOOR])
    return capped


def features(bars: pd.DataFrame, scheduled: ReportDates = None) -> pd.DataFrame:
    """Return the features of one symbol's bars.

    Parameters
    ----------
    bars
        Daily bars of one symbol, sorted by date (n rows; US dollars, shares).
    scheduled
        Sessions that react to a report of the company, where they are known (see
        `nearcast.forecast.report_days`).

    Returns
    -------
    pandas.DataFrame
        n rows: the features, and the day's own log return. Row t does not change when later rows are added.

    Raises
    ------
    ForecastError
        When a price is not a positive number, or a volume not a number.
    """
    import pandas as pd

    prices = bars[list(PRICE_COLUMNS)].to_numpy(float)
    if not (np.isfinite(prices) & (prices > 0)).all():
        raise ForecastError(
            "A bar has a price that is not a positive number.",
            todo="Find it with `nearcast lake query`, correct it at the source and publish it again.",
        )
    if not np.isfinite(bars["volume"].to_numpy(float)).all():
        raise ForecastError(
            "A bar has a volume that is not a number.",
            todo="Find it with `nearcast lake query`, correct it at the source and publish it again.",
        )
    close = bars["close_price"].to_numpy(float)
    log_return = np.r_[0.0, np.diff(np.log(close))]
    raw = daily_variance(bars)
    capped = winsorise(raw)
    columns = _volatility(raw, capped, log_return, bars)
    columns |= _leverage_and_trend(bars, log_return, np.sqrt(rolling_mean(capped, 22) + VARIANCE_FLOOR))
    columns |= _volume(bars["volume"].to_numpy(float))
    columns |= _calendar(bars["date"].to_numpy())
    columns |= report_day_features(bars, log_return, scheduled)
    columns[RETURN] = log_return
    return pd.DataFrame(columns)


def _log_volatility(variance: Array) -> Array:
    volatility: Array = 0.5 * np.log(variance + VARIANCE_FLOOR)
    return volatility


def _volatility(raw: Array, capped: Array, log_return: Array, bars: pd.DataFrame) -> dict[str, Array]:
    """Log volatilities: from ranges over 1 to 250 days, EWMAs, gaps, squared returns, and their spread."""
    import pandas as pd

    gap, intraday, garman_klass, rogers_satchell = _range_measures(bars)
    columns = {f"log_volatility_{k}": _log_volatility(rolling_mean(raw, k)) for k in VARIANCE_WINDOWS}
    for k in VARIANCE_WINDOWS[1:]:
        columns[f"log_winsorised_volatility_{k}"] = _log_volatility(rolling_mean(capped, k))
    for k in (1, 5, 22):
        columns[f"log_absolute_return_{k}"] = 0.5 * np.log(rolling_mean(log_return**2, k) + 1e-6)
        columns[f"log_absolute_gap_{k}"] = 0.5 * np.log(rolling_mean(gap**2, k) + 1e-6)
        columns[f"log_rogers_satchell_{k}"] = 0.5 * np.log(rolling_mean(rogers_satchell, k) + 1e-7)
    for k in (1, 5):
        columns[f"log_garman_klass_{k}"] = 0.5 * np.log(rolling_mean(garman_klass, k) + 1e-7)
    columns["log_yang_zhang_22"] = _log_volatility(_yang_zhang(gap, intraday, rogers_satchell, 22))
    median = pd.Series(raw).rolling(22, min_periods=1).median().to_numpy()
    columns["log_median_volatility_22"] = _log_volatility(median)
    columns["log_ewma_volatility_94"] = _log_volatility(ewma(capped, 0.94))
    columns["log_ewma_volatility_85"] = _log_volatility(ewma(capped, 0.85))
    columns["log_ewma_return_volatility_94"] = _log_volatility(ewma(log_return**2, 0.94))
    columns[LONG_RUN_VOLATILITY] = _log_volatility(pd.Series(capped).expanding().mean().to_numpy())
    spread = pd.Series(columns[RANGE_VOLATILITY]).rolling(22, min_periods=5).std().fillna(0.0)
    columns["volatility_of_volatility_22"] = spread.to_numpy()
    return columns


def _yang_zhang(gap: Array, intraday: Array, rogers_satchell: Array, window: int) -> Array:
    """Return the variance of Yang and Zhang, J. Business 73 (2000) 477."""
    import pandas as pd

    weight = 0.34 / (1.34 + (window + 1) / (window - 1))
    spread = [pd.Series(x).rolling(window, min_periods=2).var().fillna(0.0) for x in (gap, intraday)]
    variance: Array = (
        spread[0] + weight * spread[1] + (1 - weight) * rolling_mean(rogers_satchell, window)
    ).to_numpy()
    return variance


def _leverage_and_trend(bars: pd.DataFrame, log_return: Array, volatility: Array) -> dict[str, Array]:
    """Returns, falls, momentum and drawdown, in units of the slow volatility where it applies."""
    import pandas as pd

    gap, intraday, _, _ = _range_measures(bars)
    close = bars["close_price"]
    series = pd.Series(np.log(close.to_numpy(float)))
    columns = {"return_1": log_return / volatility, "fall_1": np.minimum(log_return, 0) / volatility}
    columns |= {"gap_1": gap / volatility, "intraday_1": intraday / volatility}
    for k in MOMENTUM_WINDOWS:
        move = series.diff(k).fillna(0.0).to_numpy() / (volatility * np.sqrt(k))
        columns |= {f"momentum_{k}": move, f"fall_{k}": np.minimum(move, 0)}
    columns["drawdown_250"] = (series - series.rolling(250, min_periods=1).max()).to_numpy()
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
