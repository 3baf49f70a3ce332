"""Laws about a row and those before and after it: spikes, repeated bars, jumps, splits, gaps.

Every function takes rows by symbol and date, one a day, each on a session and each with the values of a true bar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from nearcast.lake.checks.finding import Finding, findings

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from nearcast.lake.checks.sessions import Sessions

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

JUMP_FACTOR = 1.35
"""A price that is farther from the close before than this factor may be a jump …"""

JUMP_MADS = 20.0
"""… when it is also this many times the median absolute return away."""

MAD_SESSIONS = 250
"""Returns before a row that the median absolute return is taken over."""

MINIMUM_RETURNS = 20
"""With fewer of them the factor alone decides."""

SPLITS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0, 100.0)
"""New shares for an old one, or, in a reverse split, old shares for a new one."""

SPLIT_TOLERANCE = 0.04
"""Relative distance of an opening price from what a split makes of the close before."""

REPEATS = 3
"""Sessions in a row with the same traded bar that are no chance."""

STALE_SESSIONS = 5
"""Sessions with the same bar, or behind the other symbols, that are reported."""

VALUES = ["open_price", "high_price", "low_price", "close_price", "volume"]


def spikes(rows: pd.DataFrame, sessions: Sessions) -> list[Finding]:
    """Find lone bars that lie far beyond both of their neighbours: most often a misplaced decimal point.

    The whole bar, its low or its high, lies beyond the bars of the session before and of the session after by more
    than `JUMP_FACTOR`, and its close beyond both of theirs by more than `JUMP_MADS` times the median absolute return.
    A price that stays where it jumped to is no spike, and neither is one that was traded on the way.
    """
    opens_symbol, ends_symbol = _first(rows), np.r_[_first(rows)[1:], True]
    session = sessions.positions(rows["date"])
    neighboured = (np.diff(session, prepend=-9) == 1) & (np.diff(session, append=-9) == 1)
    neighboured &= ~opens_symbol & ~ends_symbol
    high, low, close = (np.log(rows[name].to_numpy(float)) for name in VALUES[1:4])
    above = low - np.maximum(_before(high), _after(high))
    below = np.minimum(_before(low), _after(low)) - high
    beyond = np.maximum(above, below) > np.log(JUMP_FACTOR)
    away = np.minimum(abs(close - _before(close)), abs(close - _after(close)))
    found = neighboured & beyond & (away > JUMP_MADS * median_absolute_return(rows))
    before, after = _before(rows["close_price"].to_numpy(float)), _after(rows["close_price"].to_numpy(float))
    return _findings(
        "spike",
        rows,
        found,
        lambda i: f"close {rows['close_price'].iloc[i]:g} between {before[i]:g} and {after[i]:g}",
    )


def repeated_bars(rows: pd.DataFrame) -> list[Finding]:
    """Find bars that are those of the session before, to the last bit and share; the first of them is right.

    With a range and a volume they are no true bars when there are `REPEATS` in a row; a share that is not traded,
    or at one price only, may stay where it is, and is reported after `STALE_SESSIONS`.
    """
    values = rows[VALUES].to_numpy(float)
    same = np.r_[False, (values[1:] == values[:-1]).all(axis=1)] & ~_first(rows)
    run = np.cumsum(~same)
    length = np.bincount(run)[run]
    traded = ((rows["high_price"] > rows["low_price"]) & (rows["volume"] > 0)).to_numpy(bool)
    starts = rows["date"].to_numpy().astype("datetime64[D]")[~same][run - 1]

    def reason(i: int) -> str:
        return f"the same bar in {length[i]} rows from {starts[i]} on"

    return [
        *_findings("repeated_bar", rows, same & traded & (length >= REPEATS), reason),
        *_findings("stale_prices", rows, same & ~traded & (length >= STALE_SESSIONS), reason),
    ]


def jumps(rows: pd.DataFrame) -> list[Finding]:
    """Find rows with a price that is far from the close before, and name those that a split would explain.

    Sources: the median absolute deviation and its robustness, Hampel, J. Am. Stat. Assoc. 69 (1974) 383.
    """
    close = rows["close_price"].to_numpy(float)
    high, low = (np.log(rows[name].to_numpy(float)) for name in VALUES[1:3])
    before = _before(close)
    farthest = _farthest(high, low, np.log(before))
    limit = np.maximum(np.log(JUMP_FACTOR), JUMP_MADS * median_absolute_return(rows))
    far = ~_first(rows) & (farthest > limit)
    opening = rows["open_price"].to_numpy(float) / before
    split = np.full(len(rows), np.nan)
    split[far] = _nearest_split(opening[far])
    like_split = _farthest(high, low, np.log(before / split)) < np.log(JUMP_FACTOR)

    def of_split(i: int) -> str:
        ratio = f"{split[i]:g} for 1" if split[i] > 1 else f"1 for {1 / split[i]:g}"
        return f"opens at {opening[i]:.3f} times the close before, like a split {ratio}"

    def of_jump(i: int) -> str:
        row = rows.iloc[i]
        return f"between {row['low_price']:g} and {row['high_price']:g} after a close of {before[i]:g}"

    return [
        *_findings("unadjusted_split", rows, far & like_split, of_split),
        *_findings("jump", rows, far & ~like_split, of_jump),
    ]


def missing_sessions(rows: pd.DataFrame, sessions: Sessions) -> list[Finding]:
    """Find the sessions between two rows of a symbol that have none."""
    positions = sessions.positions(rows["date"])
    gaps = np.diff(positions, prepend=positions[:1]) - 1
    gaps[_first(rows)] = 0
    symbols = rows["stock_symbol"].to_numpy()
    return [
        Finding("missing_session", symbols[i], sessions.days[position].item(), None, "no row on this session")
        for i in np.flatnonzero(gaps > 0)
        for position in range(positions[i] - gaps[i], positions[i])
    ]


def stale_symbols(rows: pd.DataFrame, sessions: Sessions) -> list[Finding]:
    """Find the symbols whose newest row is `STALE_SESSIONS` or more sessions older than the newest of all."""
    newest = rows.groupby("stock_symbol", sort=True).tail(1)
    positions = sessions.positions(newest["date"])
    behind = positions.max(initial=0) - positions
    return _findings(
        "stale_symbol", newest, behind >= STALE_SESSIONS, lambda i: f"newest row, {behind[i]} sessions behind"
    )


def median_absolute_return(rows: pd.DataFrame) -> Array:
    """Return the median absolute log return of the sessions before each row; 0 with too few of them."""
    import pandas as pd

    close = np.log(rows["close_price"].to_numpy(float))
    symbols = rows["stock_symbol"].to_numpy()
    moves = pd.Series(np.where(_first(rows), np.nan, abs(close - _before(close))))
    of_symbol = moves.groupby(symbols, sort=False)
    median = of_symbol.rolling(MAD_SESSIONS, min_periods=MINIMUM_RETURNS).median().droplevel(0)
    before = median.reindex(moves.index).groupby(symbols, sort=False).shift()
    return np.asarray(before.fillna(0.0), np.float64)


def _first(rows: pd.DataFrame) -> Mask:
    """Return which rows are a symbol's first."""
    symbols = rows["stock_symbol"].to_numpy()
    first: Mask = np.r_[True, symbols[1:] != symbols[:-1]][: len(rows)]
    return first


def _before(values: Array) -> Array:
    """Return each row's predecessor's value; a first row's own."""
    before: Array = np.r_[values[:1], values[:-1]]
    return before


def _after(values: Array) -> Array:
    """Return each row's successor's value; a last row's own."""
    after: Array = np.r_[values[1:], values[-1:]]
    return after


def _farthest(high: Array, low: Array, before: Array) -> Array:
    """Return the log distance of each row's farthest price from another price; all are logarithms."""
    return np.maximum(abs(high - before), abs(low - before))


def _nearest_split(opening: Array) -> Array:
    """Return the new shares for an old one whose split an opening price looks like; NaN where it does not.

    Parameters
    ----------
    opening
        (n,) opening prices as multiples of the close before.
    """
    shares = np.array([*SPLITS, *(1 / ratio for ratio in SPLITS)])
    nearest = shares[np.argmin(abs(np.log(opening[:, None] * shares)), axis=1)]
    return np.where(abs(opening * nearest - 1) <= SPLIT_TOLERANCE, nearest, np.nan)


def _findings(check: str, rows: pd.DataFrame, found: Mask, reason: Callable[[int], str]) -> list[Finding]:
    """Return a finding for each row of a mask; ``reason`` gives the words for a position."""
    return findings(check, rows[found], map(reason, np.flatnonzero(found).tolist()))
