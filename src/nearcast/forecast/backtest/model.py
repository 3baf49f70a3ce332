"""What a backtest asks of a model, be it the champion or a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]


class Model(Protocol):
    """A way to forecast the distribution of log returns over the sessions to come.

    A fold of a walk-forward backtest calls `fit` with the bars before its first forecast day, and then
    `quantiles` with those and the fold's own bars.
    """

    name: str
    """Its name in reports and exports."""

    horizons: int
    """It forecasts the sessions 1 … horizons ahead."""

    def fit(self, bars: pd.DataFrame) -> None:
        """Learn from bars whose every row is known.

        Parameters
        ----------
        bars
            Daily bars of one or more symbols (`nearcast.schema.BAR`), by symbol and date.
        """

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Forecast from some days; the answer for day t depends on bars up to the close of t only.

        Parameters
        ----------
        bars
            n daily bars, by symbol and date: the days to forecast from and all before them.
        wanted
            (n,) the rows to forecast from.

        Returns
        -------
        numpy.ndarray
            (wanted rows, horizons, 7) ascending quantiles of log(close[t + h] / close[t]) at
            `nearcast.schema.QUANTILE_LEVELS`; NaN where the model has too little history to answer.
        """
