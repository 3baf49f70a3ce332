"""Adaptive conformal intervals: bands that widen or narrow until they hold what they promise.

Sources: conformalized quantile regression, Romano, Patterson and Candès, NeurIPS 32 (2019); adaptive conformal
inference, Gibbs and Candès, NeurIPS 34 (2021); sorting against crossing quantiles, Chernozhukov, Fernández-Val and
Galichon, Econometrica 78 (2010) 1093.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

STEP = 0.01
"""How far one outcome moves the share that a band is allowed to miss (the γ of Gibbs and Candès)."""

WINDOW = 500
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
    on its day. It holds no state: the same past gives the same answer.

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
    width = quantiles[:, UPPER] - quantiles[:, LOWER]
    usable = np.isfinite(quantiles).all(axis=1) & (width > 0)
    known = usable & np.isfinite(outcomes)
    lows, highs = (quantiles[:, [band[end] for band in BANDS]] for end in (0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.maximum(lows - outcomes[:, None], outcomes[:, None] - highs) / width[:, None]
    adapted = quantiles.tolist()
    trackers = [_Band(1 - (QUANTILE_LEVELS[high] - QUANTILE_LEVELS[low])) for low, high in BANDS]
    rows = zip(usable.tolist(), known.tolist(), width.tolist(), scores.tolist(), strict=True)
    past: deque[tuple[bool, list[float], list[bool] | None]] = deque()
    came = outcomes.tolist()
    for t, (is_usable, is_known, unit, score) in enumerate(rows):
        if t >= horizon:
            was_known, old_score, missed = past.popleft()
            if was_known:
                for place, band in enumerate(trackers):
                    band.learn(old_score[place], None if missed is None else missed[place])
        missed = None
        if is_usable and len(trackers[0].ordered) >= MINIMUM_SCORES:
            row = adapted[t]
            for (low, high), band in zip(BANDS, trackers, strict=True):
                shift = band.shift() * unit
                row[low] -= shift
                row[high] += shift
            row.sort()
            missed = [not row[low] <= came[t] <= row[high] for low, high in BANDS]
        past.append((is_known, score, missed))
    return np.array(adapted).reshape(quantiles.shape)


class _Band:
    """The known scores of one band and the share that it is allowed to miss.

    Parameters
    ----------
    promised
        The share of outcomes outside that it promises.
    """

    def __init__(self, promised: float) -> None:
        self.promised = promised
        self.allowed = promised
        self.ordered: list[float] = []
        self._in_turn: deque[float] = deque()

    def learn(self, score: float, missed: bool | None) -> None:
        """Take in an outcome's score, and whether it lay outside of a band that had been adjusted."""
        if missed is not None:
            self.allowed += STEP * (self.promised - missed)
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
