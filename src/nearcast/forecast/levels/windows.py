"""Windows of closes normalised by their first, and the two ways to split them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.baselines.baseline import rows_by_symbol

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.levels.recipe import LevelsRecipe

    Array = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

MINIMUM_WINDOWS = 100
"""Windows below which a split leaves no meaningful test."""


@dataclass(frozen=True)
class LevelWindows:
    """n windows of closes, one for each day with a full window behind it.

    Parameters
    ----------
    closes
        (n, window) closes in US dollars, the newest last: that of the as-of day.
    actual
        (n,) next close; NaN when it is not known yet.
    date, symbol, row
        (n,) as-of day, stock symbol, and row of the bars.
    """

    closes: Array
    actual: Array
    date: npt.NDArray[np.datetime64]
    symbol: npt.NDArray[np.str_]
    row: Indices

    def __len__(self) -> int:
        return len(self.date)

    @property
    def last_close(self) -> Array:
        """Return (n,) closes of the as-of days."""
        return self.closes[:, -1]

    @property
    def normalised(self) -> Array:
        """Return (n, window) closes over the first of their window, less one."""
        scaled: Array = self.closes / self.closes[:, :1] - 1
        return scaled

    @property
    def target(self) -> Array:
        """Return (n,) next closes, normalised like their window."""
        scaled: Array = self.actual / self.closes[:, 0] - 1
        return scaled

    def take(self, rows: Indices) -> LevelWindows:
        """Return the windows at ``rows``."""
        return LevelWindows(**{name: values[rows] for name, values in vars(self).items()})


def level_windows(bars: pd.DataFrame, window: int) -> LevelWindows:
    """Return every full window of each symbol; that of a symbol's newest day has no outcome yet."""
    closes = bars["close_price"].to_numpy(float)
    parts, actual, kept = [np.empty((0, window))], [np.empty(0)], [np.empty(0, dtype=np.int64)]
    for rows in rows_by_symbol(bars):
        if len(rows) >= window:
            parts.append(np.lib.stride_tricks.sliding_window_view(closes[rows], window))
            actual.append(np.r_[closes[rows[window:]], np.nan])
            kept.append(rows[window - 1 :])
    row = np.concatenate(kept)
    return LevelWindows(
        closes=np.concatenate(parts),
        actual=np.concatenate(actual),
        date=bars["date"].to_numpy()[row].astype("datetime64[D]"),
        symbol=bars["stock_symbol"].to_numpy()[row].astype(str),
        row=row,
    )


def split(windows: LevelWindows, recipe: LevelsRecipe) -> tuple[Indices, Indices]:
    """Return the row numbers of the training and the test part of windows whose outcome is known.

    Raises
    ------
    ForecastError
        When there are fewer than 100 windows.
    """
    if len(windows) < MINIMUM_WINDOWS:
        raise ForecastError(
            f"The recipe levels needs {MINIMUM_WINDOWS} windows of {recipe.window} closes;"
            f" there are {len(windows)}.",
            todo="Load and publish more history.",
        )
    if recipe.leaking:
        order = np.random.default_rng(recipe.seed).permutation(len(windows))
        train, test = np.split(order, [int(recipe.train * len(windows))])
        return np.sort(train), np.sort(test)
    days = np.unique(windows.date)
    first_test = days[int(recipe.train * len(days))]
    return np.flatnonzero(windows.date < first_test), np.flatnonzero(windows.date >= first_test)
