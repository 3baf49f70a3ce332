"""Adaptive conformal intervals: bands that widen or narrow until they hold what they promise.

Sources: conformalized quantile regression, Romano, Patterson and Candès, NeurIPS 32 (2019); adaptive conformal
inference, Gibbs and Candès, NeurIPS 34 (2021); sorting against crossing quantiles, Chernozhukov, Fernández-Val and
Galichon, Econometrica 78 (2010) 1093.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

STEP = 0.005
"""How far one outcome moves the share that a band is allowed to miss (the γ of Gibbs and Candès), over the horizon:
outcomes of several sessions overlap, and so many of them tell what one does."""

WINDOW = 1000
"""Newest known scores that the adjustment is a quantile of."""

MINIMUM_SCORES = 250
"""Known scores below which a forecast stays as it is."""

LOWER, UPPER = 2, 4
"""Positions of the quartiles: their distance is the unit of the scores, so that calm and wild days compare."""

BANDS = tuple((low, len(QUANTILE_LEVELS) - 1 - low) for low in range(len(QUANTILE_LEVELS) // 2))
"""Positions of the ends of the 95, 80 and 50 % bands."""


def adapt(quantiles: Array, outcomes: Array, horizon: int) -> Array:
    """Return the quantiles, each row adjusted by what came of those before it.

    The answer for row t is a function of the quantiles up to t and the outcomes up to t - horizon, which are known
    on its day.

    Parameters
    ----------
    quantiles
        (n, 7) forecasts of one symbol at `nearcast.schema.QUANTILE_LEVELS`, one a session, in order. A row with a
        NaN stays as it is.
    outcomes
        (n,) what came of each, in the same unit; NaN when it is not known.
    horizon
        Sessions after which an outcome is known.

    Returns
    -------
    numpy.ndarray
        (n, 7) quantiles, ascending; those of the first rows, with fewer than 250 known scores, unchanged.
    """
    adapter, known = Adapter(horizon), np.r_[np.full(horizon, np.nan), outcomes].tolist()
    rows = [adapter.step(row, known[t]) for t, row in enumerate(quantiles.tolist())]
    return np.array(rows).reshape(quantiles.shape)


class Adapter:
    """The state of `adapt` between two sessions.

    Parameters
    ----------
    horizon
        Sessions after which an outcome is known.
    """

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        promised = [1 - (QUANTILE_LEVELS[high] - QUANTILE_LEVELS[low]) for low, high in BANDS]
        self.bands = [_Band(one, STEP / horizon) for one in promised]
        self._waiting: deque[tuple[list[float], list[float] | None]] = deque()

    def step(self, quantiles: list[float], outcome: float) -> list[float]:
        """Take in a session; return its quantiles, adjusted.

        Parameters
        ----------
        quantiles
            The forecast from this session.
        outcome
            What came of the forecast from ``horizon`` sessions ago; NaN when that is not known.
        """
        if len(self._waiting) == self.horizon:
            self._learn(*self._waiting.popleft(), outcome)
        adapted = None
        unit = _unit(quantiles)
        if unit > 0 and len(self.bands[0].ordered) >= MINIMUM_SCORES:
            adapted = list(quantiles)
            for (low, high), band in zip(BANDS, self.bands, strict=True):
                shift = band.shift() * unit
                adapted[low] -= shift
                adapted[high] += shift
            adapted.sort()
        self._waiting.append((quantiles, adapted))
        return quantiles if adapted is None else adapted

    def _learn(self, quantiles: list[float], adapted: list[float] | None, outcome: float) -> None:
        unit = _unit(quantiles)
        if not unit or not math.isfinite(outcome):
            return
        for (low, high), band in zip(BANDS, self.bands, strict=True):
            score = max(quantiles[low] - outcome, outcome - quantiles[high]) / unit
            band.learn(score, None if adapted is None else not adapted[low] <= outcome <= adapted[high])


def _unit(quantiles: list[float]) -> float:
    """Return what a forecast's scores are measured in; 0 when it is none."""
    return max(quantiles[UPPER] - quantiles[LOWER], 0.0) if math.isfinite(sum(quantiles)) else 0.0


class _Band:
    """The known scores of one band and the share that it is allowed to miss.

    Parameters
    ----------
    promised
        The share of outcomes outside that it promises.
    step
        How far one outcome moves the share that is allowed.
    """

    def __init__(self, promised: float, step: float) -> None:
        self.promised = promised
        self.step = step
        self.allowed = promised
        self.ordered: list[float] = []
        self._in_turn: deque[float] = deque()

    def learn(self, score: float, missed: bool | None) -> None:
        """Take in an outcome's score, and whether it lay outside of a band that had been adjusted."""
        if missed is not None:
            self.allowed += self.step * (self.promised - missed)
        insort(self.ordered, score)
        self._in_turn.append(score)
        if len(self._in_turn) > WINDOW:
            del self.ordered[bisect_left(self.ordered, self._in_turn.popleft())]

    def shift(self) -> float:
        """Return by how many units each end moves out: a quantile of the scores, between two of them linearly."""
        rank = min(max(1 - self.allowed, 0.0), 1.0) * (len(self.ordered) - 1)
        below = int(rank)
        above = min(below + 1, len(self.ordered) - 1)
        low: float = self.ordered[below]
        return low + (rank - below) * (self.ordered[above] - low)
