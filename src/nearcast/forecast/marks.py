"""What is odd about the bars that a forecast is made from: refused where nothing follows, else marked.

Thresholds and the law of a split are those of the lake's data checks, which look at every row of the lake.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.features import MINIMUM_HISTORY
from nearcast.forecast.sessions import sessions
from nearcast.lake.checks.neighbours import MAD_SESSIONS, STALE_SESSIONS, jumps
from nearcast.schema import PRICE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

LOOK_BACK = 250
"""Newest bars that are looked at: the longest window of the features."""

CONSTANT_SESSIONS = 20
"""Sessions with the same close after which the volatility of a month is none."""

EXPLAINING_VOLUME = 3.0
"""Dollars traded on a day, as a multiple of the usual, from which a move is news and no split."""

USUAL_SESSIONS = 60
"""Sessions before it that are the usual."""


def check_usable(bars: pd.DataFrame) -> None:
    """Raise a ForecastError when no forecast can be made from one symbol's bars: too few, or a price that is none."""
    symbol = bars["stock_symbol"].iloc[-1] if len(bars) else "the symbol"
    if len(bars) < MINIMUM_HISTORY:
        raise ForecastError(
            f"A forecast needs {MINIMUM_HISTORY} daily bars of {symbol}; there are {len(bars)}.",
            todo="Load and publish more of its history.",
        )
    prices = bars[list(PRICE_COLUMNS)].to_numpy(float)
    wrong = ~(np.isfinite(prices) & (prices > 0)).all(axis=1)
    if wrong.any():
        day = bars["date"].iloc[int(np.argmax(wrong))]
        raise ForecastError(
            f"The bar of {symbol} on {day:%Y-%m-%d} has a price that is not a positive number.",
            todo="Correct it at the source and publish it again; `nearcast lake check` finds all such rows.",
        )


def check_learnable(bars: pd.DataFrame) -> None:
    """Raise a ForecastError when there is nothing to learn from: a price that is none, or closes that never change."""
    for _, mine in bars.groupby("stock_symbol"):
        if len(mine) >= MINIMUM_HISTORY:
            check_usable(mine)
    if (bars.groupby("stock_symbol")["close_price"].nunique() <= 1).all():
        raise ForecastError(
            "Training needs prices that move; every close of every symbol is the same.",
            todo="Look at them with `nearcast lake query`, and load others.",
        )


def marks(bars: pd.DataFrame, trained_on: Set[str] | None) -> tuple[str, ...]:
    """Return what is odd about one symbol's newest bars, each in a few words; nothing where all is as usual.

    Parameters
    ----------
    bars
        Usable bars of one symbol (see `check_usable`), by date.
    trained_on
        The symbols that the model was trained on; None when that is not known.
    """
    symbol = str(bars["stock_symbol"].iloc[-1])
    unknown = trained_on is not None and symbol not in trained_on
    return (
        *([f"the model was not trained on {symbol}"] if unknown else []),
        *_gaps(bars.tail(LOOK_BACK)),
        *_splits(bars.tail(LOOK_BACK + MAD_SESSIONS)),
        *_constant(bars.tail(LOOK_BACK)),
    )


def _gaps(bars: pd.DataFrame) -> list[str]:
    """Name the days before which sessions are missing."""
    days = bars["date"].to_numpy().astype("datetime64[D]")
    missing = np.diff(np.searchsorted(sessions(), days)) - 1
    return [
        f"no bar of {missing[place]} sessions before {days[place + 1]}"
        for place in np.flatnonzero(missing >= STALE_SESSIONS)
    ]


def _splits(bars: pd.DataFrame) -> list[str]:
    """Name the days that open like after a split, unless so much was traded that it must be news."""
    found = [one for one in jumps(bars) if one.check == "unadjusted_split"]
    if not found:
        return []
    days = bars["date"].to_numpy().astype("datetime64[D]")
    traded = (bars["close_price"] * bars["volume"]).to_numpy(float)
    named = []
    for one in found:
        place = int(np.searchsorted(days, np.datetime64(one.date)))
        usual = np.median(traded[max(place - USUAL_SESSIONS, 0) : place])
        if place >= len(bars) - LOOK_BACK and traded[place] < EXPLAINING_VOLUME * usual:
            named.append(f"{one.date} {one.reason}")
    return named


def _constant(bars: pd.DataFrame) -> list[str]:
    """Name the longest stretch over which the close stays the same, when it is long."""
    close = bars["close_price"].to_numpy(float)
    run = np.cumsum(np.r_[True, close[1:] != close[:-1]])
    length = np.bincount(run)
    if length.max() < CONSTANT_SESSIONS:
        return []
    last = bars["date"].iloc[int(np.flatnonzero(run == length.argmax())[-1])]
    return [f"the same close in {length.max()} sessions up to {last:%Y-%m-%d}"]
