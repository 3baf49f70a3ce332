"""Bootstrap intervals for ratios of losses on days that depend on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

BLOCK_DAYS = 20


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


def ratio_interval(
    numerator: Array,
    denominator: Array,
    dates: npt.NDArray[np.datetime64],
    *,
    block: int = BLOCK_DAYS,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return sum(numerator) / sum(denominator) with a moving-block bootstrap 95 % interval.

    Days are drawn in blocks of consecutive days and all symbols of a day move together.
    Source: Künsch, Ann. Statist. 17 (1989) 1217.

    Parameters
    ----------
    numerator, denominator
        (n,) losses of the same forecasts.
    dates
        (n,) their days.
    block
        Days in a block; fewer when there are fewer days.
    """
    days, position = np.unique(dates, return_inverse=True)
    top = np.bincount(position, numerator, len(days))
    bottom = np.bincount(position, denominator, len(days))
    size = min(block, len(days))
    random = np.random.default_rng(seed)
    starts = random.integers(0, len(days) - size + 1, (resamples, -(-len(days) // size)))
    drawn = (starts[..., None] + np.arange(size)).reshape(resamples, -1)[:, : len(days)]
    ratios = top[drawn].sum(axis=1) / bottom[drawn].sum(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Interval(float(top.sum() / bottom.sum()), float(low), float(high))
