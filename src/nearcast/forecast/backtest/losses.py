"""The losses of every model on the same days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearcast.forecast.backtest.crps import crps
from nearcast.forecast.losses import pinball_loss
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearcast.forecast.backtest.model import Array, Mask
    from nearcast.forecast.backtest.run import Run

LEVELS = np.array(QUANTILE_LEVELS)
MEDIAN = len(QUANTILE_LEVELS) // 2
BANDS = {80: (1, 5), 95: (0, 6)}
"""Which quantiles are the ends of a band, by its percentage."""


@dataclass(frozen=True)
class Losses:
    """What one model's forecasts of one horizon were worth on n days, in log returns.

    Parameters
    ----------
    actual
        (n,) outcomes.
    quantiles
        (n, 7) forecasts.
    pinball, crps, absolute, squared
        (n,) pinball loss, CRPS, absolute and squared error of the median.
    """

    actual: Array
    quantiles: Array
    pinball: Array
    crps: Array
    absolute: Array
    squared: Array

    @classmethod
    def of(cls, actual: Array, quantiles: Array) -> Losses:
        """Compute all of them."""
        error = actual - quantiles[:, MEDIAN]
        return cls(
            actual,
            quantiles,
            pinball_loss(actual, quantiles, LEVELS),
            crps(actual, quantiles, LEVELS),
            np.abs(error),
            error**2,
        )

    def inside(self, percent: int) -> Mask:
        """Return (n,) whether the outcome lay within the band of ``percent``."""
        low, high = BANDS[percent]
        within: Mask = (self.actual >= self.quantiles[:, low]) & (self.actual <= self.quantiles[:, high])
        return within


@dataclass(frozen=True)
class Common:
    """One horizon: the days on which every model that forecasts it answered, and the losses there.

    Parameters
    ----------
    horizon
        Sessions ahead.
    rows
        Positions of the n days among the backtest's.
    left_out
        Days with an outcome on which a model did not answer.
    unanswered
        How many of them are due to each model.
    losses
        By the model's name.
    """

    horizon: int
    rows: npt.NDArray[np.int64]
    left_out: int
    unanswered: dict[str, int]
    losses: dict[str, Losses]


def common(run: Run, horizon: int) -> Common:
    """Return the losses of all models that forecast a horizon, on the days on which all of them answered."""
    outcome = run.days.outcome[:, horizon - 1]
    known = np.isfinite(outcome)
    models = [model for model in run.models if model.horizons >= horizon]
    answered = {model.name: np.isfinite(model.quantiles[:, horizon - 1]).all(axis=1) for model in models}
    counted = known & np.logical_and.reduce(list(answered.values()))
    rows = np.flatnonzero(counted)
    losses = {model.name: Losses.of(outcome[rows], model.quantiles[rows, horizon - 1]) for model in models}
    unanswered = {name: int((known & ~given).sum()) for name, given in answered.items()}
    return Common(horizon, rows, int(known.sum() - len(rows)), unanswered, losses)
