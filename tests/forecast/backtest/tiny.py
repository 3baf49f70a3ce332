"""Models small enough for a test, which other processes can import by name."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from nearcast.schema import QUANTILE_LEVELS, SESSIONS_AHEAD

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.forecast.backtest.model import Array, Mask

HERE = __name__
WAIT = "NEARCAST_TEST_WAIT"
"""Names a file in which `Stuck` notes its process before it waits for ever."""


NORMAL_QUANTILES = np.array([NormalDist().inv_cdf(level) for level in QUANTILE_LEVELS])


class Normal:
    """Normal returns with the deviation of all bars that it learnt from."""

    name = "normal"
    horizons = SESSIONS_AHEAD

    def fit(self, bars: pd.DataFrame) -> None:
        returns = np.log(bars["close_price"]).groupby(bars["stock_symbol"]).diff()
        self.deviation = float(returns.std())
        self.history = [{"train_loss": 1 / epoch, "validation_loss": 1.1 / epoch} for epoch in (1, 2, 3)]

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        ahead = np.sqrt(np.arange(1, self.horizons + 1))[:, None]
        one = self.deviation * ahead * NORMAL_QUANTILES
        return np.repeat(one[None], int(wanted.sum()), axis=0)


class Short(Normal):
    """Forecasts the next session only, and nothing before a symbol has 1,250 bars."""

    name = "short"
    horizons = 1

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        answer = super().quantiles(bars, wanted) * 1.2
        answer[(bars.groupby("stock_symbol").cumcount() < 1_250).to_numpy()[wanted]] = np.nan
        return answer


class Leaking(Normal):
    """Says of itself that it saw the future."""

    name = "prophet"
    leaking = True


class Stuck(Normal):
    """Waits for ever before its fold 2021, when a test says so; in another folder than `Normal`."""

    name = "stuck"

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        if bars["date"].max().year == 2021 and WAIT in os.environ:
            Path(os.environ[WAIT]).write_text(str(os.getpid()))
            time.sleep(600)
        return super().quantiles(bars, wanted)


class Crossing(Normal):
    """Returns its quantiles the wrong way round."""

    name = "crossing"

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        return super().quantiles(bars, wanted)[..., ::-1]


class Dying(Normal):
    """Ends its process."""

    name = "dying"

    def fit(self, bars: pd.DataFrame) -> None:
        os._exit(9)
