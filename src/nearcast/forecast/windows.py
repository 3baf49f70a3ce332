"""Windows, skip features and targets of the network, and the chronological split of their days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.features import (
    MINIMUM_HISTORY,
    NOT_FEATURES,
    RETURN,
    SCALE,
    SCALED_RETURN,
    features,
)

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.recipes import Recipe

    Array = npt.NDArray[np.float64]
    Days = npt.NDArray[np.datetime64]
    Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Samples:
    """n samples, one for each day that has a next day (or only the newest day, for a forecast).

    Parameters
    ----------
    windows
        (n, 1, window) scaled daily returns, the newest last, zeros before the first bar.
    skip
        (n, k) features of the as-of day, not standardised.
    scale
        (n,) volatility scale of the next log return.
    log_return
        (n,) next day's log return; NaN when it is not known yet.
    last_close
        (n,) close of the as-of day in US dollars.
    date
        (n,) as-of day.
    symbol
        (n,) stock symbol.
    """

    windows: Array
    skip: Array
    scale: Array
    log_return: Array
    last_close: Array
    date: Days
    symbol: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.date)

    def take(self, rows: Indices) -> Samples:
        """Return the samples at ``rows``."""
        return Samples(**{name: values[rows] for name, values in vars(self).items()})


def right_aligned(values: Array, window: int) -> Array:
    """Return (n, window): row t ends with ``values[t]``; zeros stand before the first value."""
    padded = np.r_[np.zeros(window - 1), values]
    view: Array = np.lib.stride_tricks.sliding_window_view(padded, window)
    return view


def skip_columns(table: pd.DataFrame) -> list[str]:
    """Return the names of the skip features, in the order in which the network takes them."""
    return [name for name in table.columns if name not in NOT_FEATURES]


def samples_of_symbol(bars: pd.DataFrame, table: pd.DataFrame, recipe: Recipe) -> Samples:
    """Return every sample of one symbol: from its 60th bar to its newest, whose target is NaN.

    Parameters
    ----------
    bars
        Daily bars of one symbol, by date.
    table
        Their features.
    recipe
        Says how long a window is.

    Raises
    ------
    ForecastError
        When the symbol has fewer than 60 bars.
    """
    if len(bars) < MINIMUM_HISTORY:
        raise ForecastError(
            f"A forecast needs {MINIMUM_HISTORY} daily bars of a symbol; there are {len(bars)}.",
            todo="Load and publish more of its history.",
        )
    rows = np.arange(MINIMUM_HISTORY - 1, len(bars))
    following = np.r_[table[RETURN].to_numpy()[1:], np.nan]
    return Samples(
        windows=right_aligned(table[SCALED_RETURN].to_numpy(), recipe.window)[rows][:, None, :],
        skip=table[skip_columns(table)].to_numpy()[rows],
        scale=table[SCALE].to_numpy()[rows],
        log_return=following[rows],
        last_close=bars["close_price"].to_numpy(float)[rows],
        date=bars["date"].to_numpy().astype("datetime64[D]")[rows],
        symbol=bars["stock_symbol"].to_numpy().astype(str)[rows],
    )


def samples(bars: pd.DataFrame, recipe: Recipe) -> Samples:
    """Return the samples of all symbols whose next day is known, by symbol and date.

    Raises
    ------
    ForecastError
        When no symbol has enough bars.
    """
    parts = [
        samples_of_symbol(group, features(group), recipe)
        for _, group in bars.groupby("stock_symbol", sort=True)
        if len(group) > MINIMUM_HISTORY
    ]
    if not parts:
        raise ForecastError(
            f"Training needs more than {MINIMUM_HISTORY} daily bars of at least one symbol.",
            todo="Load and publish more history.",
        )
    fields = vars(parts[0])
    joined = Samples(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in fields})
    return joined.take(np.flatnonzero(np.isfinite(joined.log_return)))


def chronological_split(dates: Days, train: float, validation: float) -> tuple[Indices, Indices, Indices]:
    """Split rows by day: the first ``train`` share of the days, then ``validation``, then the test.

    Nothing is shuffled across the parts: each day of one is before each day of the next.

    Returns
    -------
    tuple of numpy.ndarray
        Row numbers of the train, validation and test parts.
    """
    days = np.unique(dates)
    first_validation = days[int(train * len(days))]
    first_test = days[int((train + validation) * len(days))]
    return (
        np.flatnonzero(dates < first_validation),
        np.flatnonzero((dates >= first_validation) & (dates < first_test)),
        np.flatnonzero(dates >= first_test),
    )
