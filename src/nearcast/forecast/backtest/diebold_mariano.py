"""Diebold and Mariano's test of equal predictive accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearcast.forecast.backtest.model import Array


@dataclass(frozen=True)
class DieboldMariano:
    """The statistic (negative: the first has the smaller loss) and its two-sided p-value.

    Both are NaN when the losses never differ, or on fewer than 3 days.
    """

    statistic: float
    p_value: float


def diebold_mariano(loss: Array, other: Array, horizon: int = 1) -> DieboldMariano:
    """Test that two series of losses have the same mean.

    The variance of the mean difference is Newey and West's (Bartlett weights) with the larger of horizon − 1
    and 4 (T / 100)^(2/9) lags, since losses of volatile times come in clusters; the statistic has the
    small-sample factor of Harvey, Leybourne and Newbold and is held to Student's t with T − 1 degrees.
    Source: Diebold and Mariano, J. Bus. Econ. Stat. 13 (1995) 253; Harvey, Leybourne and Newbold, Int. J.
    Forecast. 13 (1997) 281; Newey and West, Rev. Econ. Stud. 61 (1994) 631.

    Parameters
    ----------
    loss, other
        (T,) losses on consecutive days.
    horizon
        Sessions between a forecast and its outcome.
    """
    from scipy.stats import t as student

    difference = loss - other
    days = len(difference)
    variance = newey_west_variance(difference, lags(days, horizon)) if days > 2 else 0.0
    if variance <= 0:
        return DieboldMariano(float("nan"), float("nan"))
    factor = (days + 1 - 2 * horizon + horizon * (horizon - 1) / days) / days
    statistic = difference.mean() / np.sqrt(variance) * np.sqrt(max(factor, 0))
    return DieboldMariano(float(statistic), float(2 * student.sf(abs(statistic), days - 1)))


def lags(days: int, horizon: int) -> int:
    """Return the lags over which autocovariances count."""
    return min(days - 1, max(horizon - 1, int(4 * (days / 100) ** (2 / 9))))


def newey_west_variance(values: Array, lags: int) -> float:
    """Return the variance of the mean of a series that depends on its own past."""
    centred = values - values.mean()
    days = len(centred)
    total = centred @ centred
    for lag in range(1, lags + 1):
        total += 2 * (1 - lag / (lags + 1)) * (centred[lag:] @ centred[:-lag])
    return float(total / days**2)


def daily_means(losses: Array, dates: npt.NDArray[np.datetime64]) -> Array:
    """Return the mean loss of each day, over the symbols, in the order of the days."""
    _, position = np.unique(dates, return_inverse=True)
    means: Array = np.bincount(position, losses) / np.bincount(position)
    return means
