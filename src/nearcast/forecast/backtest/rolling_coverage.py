"""Coverage through time: a band may be right on average and still fail for months."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearcast.forecast.backtest.model import Array, Mask

WINDOW = 125
"""Sessions: half a year."""


@dataclass(frozen=True)
class WorstCoverage:
    """The smallest share of outcomes within a band over 125 consecutive days of one symbol."""

    value: float
    symbol: str
    first: str
    last: str


def rolling_coverage(inside: Mask, window: int = WINDOW) -> Array:
    """Return the share of hits in each stretch of ``window`` values; empty when there are fewer."""
    if len(inside) < window:
        return np.empty(0)
    sums = np.cumsum(np.r_[0, inside.astype(np.int64)])
    shares: Array = (sums[window:] - sums[:-window]) / window
    return shares


def worst_coverage(
    inside: Mask, symbol: npt.NDArray[Any], dates: npt.NDArray[np.datetime64], window: int = WINDOW
) -> WorstCoverage | None:
    """Return the worst stretch of any symbol; None when no symbol has ``window`` days.

    Parameters
    ----------
    inside
        (n,) whether the outcome lay within the band, by symbol and date.
    symbol, dates
        (n,) whose it was, and its day.
    """
    worst: WorstCoverage | None = None
    for name in np.unique(symbol):
        mine = np.flatnonzero(symbol == name)
        shares = rolling_coverage(inside[mine], window)
        if len(shares) and (worst is None or shares.min() < worst.value):
            at = int(shares.argmin())
            days = dates[mine[at : at + window]]
            worst = WorstCoverage(float(shares[at]), str(name), str(days[0]), str(days[-1]))
    return worst
