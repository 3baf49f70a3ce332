"""Samples: what is known at a close, and what came of it, for each day of one or more symbols."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.features import (
    LONG_RUN_VOLATILITY,
    MINIMUM_HISTORY,
    RANGE_VOLATILITY,
    RETURN,
    SLOW_VOLATILITY,
    features,
)
from nearcast.forecast.report_days import EVENT_SCORE, report_day_labels
from nearcast.schema import SESSIONS_AHEAD

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]
    Days = npt.NDArray[np.datetime64]
    Mask = npt.NDArray[np.bool_]
    Indices = npt.NDArray[np.int64]

Schedule = Mapping[str, "npt.NDArray[np.datetime64]"]
"""Sessions that react to a symbol's reports."""

CHANNELS = (
    "return",
    "gap",
    "intraday",
    "volatility",
    "volatility_week",
    "rogers_satchell",
    "volatility_trend",
    "volume",
    "event",
    "report_ahead",
)
"""What the window holds of each day."""

NO_SCHEDULE: Schedule = {}


@dataclass(frozen=True)
class Samples:
    """n samples: symbols and days to forecast from, with their outcomes where they are known.

    Parameters
    ----------
    features
        n rows of `nearcast.forecast.features.features`.
    windows
        (n, channels, window) the last days of `CHANNELS`, the newest last, zeros before the first bar.
    log_return
        (n, 10) log(close[t + h] / close[t]) for the horizons 1 … 10; NaN where it is not known yet.
    range_volatility
        (n,) log range volatility of the next session; NaN where it is not known yet.
    report
        (n,) whether the next session reacted to a report (1 or 0), to learn from; NaN while nobody can tell, and
        in samples of chosen days.
    last_close
        (n,) close of the as-of day in US dollars.
    date
        (n,) as-of day.
    symbol
        (n,) stock symbol.
    """

    features: pd.DataFrame
    windows: npt.NDArray[np.float32]
    log_return: Array
    range_volatility: Array
    report: Array
    last_close: Array
    date: Days
    symbol: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.date)

    def take(self, rows: Indices | Mask) -> Samples:
        """Return the samples at ``rows``."""
        parts = {name: values[rows] for name, values in vars(self).items() if name != "features"}
        return Samples(
            features=self.features[rows] if rows.dtype == bool else self.features.iloc[rows], **parts
        )

    def with_feature(self, name: str, values: Array) -> Samples:
        """Return the samples with a feature more."""
        return dataclasses.replace(self, features=self.features.assign(**{name: values}))


def right_aligned(values: npt.NDArray[np.float32], window: int) -> npt.NDArray[np.float32]:
    """Return (n, …, window) of (n, …): row t ends with ``values[t]``; zeros stand before the first value."""
    padded = np.concatenate([np.zeros((window - 1, *values.shape[1:]), values.dtype), values])
    view: npt.NDArray[np.float32] = np.lib.stride_tricks.sliding_window_view(padded, window, axis=0)
    return view


def channels(table: pd.DataFrame) -> npt.NDArray[np.float32]:
    """Return (n, channels) of one symbol's features: each about 0, and within single digits."""
    slow = table[SLOW_VOLATILITY]
    columns = (
        table["return_1"].clip(-6, 6),
        table["gap_1"].clip(-6, 6),
        table["intraday_1"].clip(-6, 6),
        table[RANGE_VOLATILITY] - slow,
        table["log_winsorised_volatility_5"] - slow,
        table["log_rogers_satchell_1"] - slow,
        table["log_ewma_volatility_85"] - table["log_volatility_250"],
        table["relative_volume_1"].clip(-3, 3),
        np.log1p(table[EVENT_SCORE]) - 1,
        2 * table["report_kernel_2.5"],
    )
    return np.stack(columns, axis=1).astype(np.float32)


def samples_of_symbol(
    bars: pd.DataFrame, window: int, wanted: Mask | None = None, scheduled: Days | None = None
) -> Samples:
    """Return the samples of one symbol.

    Parameters
    ----------
    bars
        Daily bars of one symbol, by date (n rows).
    window
        Days that a window holds.
    wanted
        (n,) the rows to make samples of; of them those before the 60th bar are left out (default: all).
    scheduled
        Sessions that react to reports, where they are known.
    """
    table = features(bars, scheduled)
    chosen = np.arange(len(bars)) >= MINIMUM_HISTORY - 1
    rows = np.flatnonzero(chosen if wanted is None else chosen & wanted)
    close = np.log(bars["close_price"].to_numpy(float))
    ahead = np.r_[close, np.full(SESSIONS_AHEAD, np.nan)]
    outcomes = np.stack([ahead[h : h + len(close)] - close for h in range(1, SESSIONS_AHEAD + 1)], axis=1)
    # only samples of all days are learned from
    labels = np.full(len(bars), np.nan)
    if wanted is None:
        labels = report_day_labels(bars, table[RETURN].to_numpy(), scheduled)
    return Samples(
        features=table.iloc[rows],
        windows=right_aligned(channels(table), window)[rows],
        log_return=outcomes[rows],
        range_volatility=np.r_[table[RANGE_VOLATILITY].to_numpy()[1:], np.nan][rows],
        report=labels[rows],
        last_close=bars["close_price"].to_numpy(float)[rows],
        date=bars["date"].to_numpy().astype("datetime64[D]")[rows],
        symbol=bars["stock_symbol"].to_numpy().astype(str)[rows],
    )


def samples(
    bars: pd.DataFrame, window: int, wanted: Mask | None = None, schedule: Schedule = NO_SCHEDULE
) -> Samples:
    """Return the samples of all symbols, by symbol and date.

    Parameters
    ----------
    bars
        Daily bars, by symbol and date (n rows).
    window
        Days that a window holds.
    wanted
        (n,) the rows to make samples of (default: all from each symbol's 60th).
    schedule
        The symbols' sessions that react to reports, where they are known.

    Raises
    ------
    ForecastError
        When no symbol has 60 bars.
    """
    import pandas as pd

    parts = []
    for symbol, rows in bars.groupby("stock_symbol", sort=True).indices.items():
        mine = None if wanted is None else wanted[rows]
        if len(rows) >= MINIMUM_HISTORY and (mine is None or mine.any()):
            scheduled = schedule.get(str(symbol))
            parts.append(samples_of_symbol(bars.iloc[rows], window, mine, scheduled))
    if not parts:
        raise ForecastError(
            f"A forecast needs {MINIMUM_HISTORY} daily bars of a symbol; no symbol has as many.",
            todo="Load and publish more history.",
        )
    joined = {
        name: np.concatenate([vars(part)[name] for part in parts])
        for name in vars(parts[0])
        if name != "features"
    }
    return Samples(features=pd.concat([part.features for part in parts], ignore_index=True), **joined)


def relative_features(table: pd.DataFrame, names: tuple[str, ...], volatilities: tuple[str, ...]) -> Array:
    """Return features as trees take them: log volatilities less the slow one, so that a split fits every share.

    Parameters
    ----------
    table
        n rows of features.
    names
        The features.
    volatilities
        Those of them that are log volatilities.
    """
    slow = table[SLOW_VOLATILITY].to_numpy()
    values = table[list(names)].to_numpy(float, copy=True)
    relative = np.isin(names, volatilities)
    values[:, relative] -= slow[:, None]
    if SLOW_VOLATILITY in names:
        values[:, names.index(SLOW_VOLATILITY)] = slow - table[LONG_RUN_VOLATILITY].to_numpy()
    return values
