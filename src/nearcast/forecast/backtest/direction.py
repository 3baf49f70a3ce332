"""How often the median has the sign of the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nearcast.forecast.backtest.model import Array


@dataclass(frozen=True)
class Direction:
    """Share of forecasts whose median has the sign of the outcome.

    Parameters
    ----------
    value, low, high
        The share with its exact binomial 95 % interval, as if the days did not depend on each other; None
        when no median and outcome both differ from 0.
    forecasts
        Those that count: neither median nor outcome is 0.
    majority
        The share of the commoner sign among their outcomes: what naming it every day would have scored.
    """

    value: float | None
    low: float | None
    high: float | None
    forecasts: int
    majority: float | None


def direction(actual: Array, median: Array) -> Direction:
    """Compare signs; the interval is Clopper and Pearson's, Biometrika 26 (1934) 404."""
    from scipy.stats import binomtest

    counted = (actual != 0) & (median != 0)
    forecasts = int(counted.sum())
    if not forecasts:
        return Direction(None, None, None, 0, None)
    right = int((np.sign(actual[counted]) == np.sign(median[counted])).sum())
    interval = binomtest(right, forecasts).proportion_ci(0.95, method="exact")
    up = float((actual[counted] > 0).mean())
    return Direction(right / forecasts, float(interval.low), float(interval.high), forecasts, max(up, 1 - up))
