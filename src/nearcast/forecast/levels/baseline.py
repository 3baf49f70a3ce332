"""The classic method as a model of a backtest: its point forecast, with bands of its own errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.baselines.baseline import MINIMUM_RETURNS, Baseline, rows_by_symbol
from nearcast.forecast.baselines.last_close import BAND_WINDOW
from nearcast.forecast.levels.recipe import LevelsRecipe
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.levels.model import LevelForecaster

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]


class Levels(Baseline):
    """Forecasts of the next session by the recipe ``levels``, trained on the first 80 % of a fold's past.

    The median is the network's forecast. The bands lie around it by the quantiles of the last 500 absolute
    errors of the same network on days that it was not trained on: those of the last 20 % of the fold's
    past, then the fold's own as they become known. A forecast that is far off thus has bands as wide.

    Parameters
    ----------
    recipe
        The recipe; its split is chronological.

    Raises
    ------
    ForecastError
        When the recipe's split is a leaking one.
    """

    name = "levels"
    summary = "the classic CNN-BiLSTM on normalised closes, with bands of its own errors"
    horizons = 1

    def __init__(self, recipe: LevelsRecipe | None = None) -> None:
        self.recipe = recipe or LevelsRecipe()
        if self.recipe.leaking:
            raise ForecastError(
                "A backtest takes no leaking split.",
                todo="Use the recipe levels with its chronological split.",
            )
        self._forecaster: LevelForecaster | None = None
        self._unseen_from = np.datetime64("NaT", "D")

    def fit(self, bars: pd.DataFrame) -> None:
        """Train the network; with fewer than 100 windows of known outcome, give no answers."""
        from nearcast.forecast.levels.train import fit_on_part
        from nearcast.forecast.levels.windows import MINIMUM_WINDOWS

        self._forecaster = None
        windows = [max(0, len(rows) - self.recipe.window) for rows in rows_by_symbol(bars)]
        if sum(windows) >= MINIMUM_WINDOWS:
            self._forecaster, _, test = fit_on_part(bars, self.recipe)
            self._unseen_from = test.date.min()

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Answer where there is a full window, and 60 errors of days that the network has not seen."""
        answers = np.full((len(bars), self.horizons, len(QUANTILE_LEVELS)), np.nan)
        if self._forecaster is not None:
            point = self._log_returns(bars, self._forecaster)
            log_close = np.log(bars["close_price"].to_numpy(float))
            days = bars["date"].to_numpy().astype("datetime64[D]")
            for rows in rows_by_symbol(bars):
                forecast = np.where(days[rows] >= self._unseen_from, point[rows], np.nan)
                error = np.abs(np.diff(log_close[rows]) - forecast[:-1])
                answers[rows, 0] = point[rows, None] + bands(np.r_[np.nan, error])
        return answers[wanted]

    @staticmethod
    def _log_returns(bars: pd.DataFrame, forecaster: LevelForecaster) -> Array:
        """Return the (n,) forecast log return of each row; NaN without a full window or a positive price."""
        windows = forecaster.windows(bars)
        point = np.full(len(bars), np.nan)
        forecast = forecaster.next_closes(windows)
        sound = forecast > 0
        point[windows.row[sound]] = np.log(forecast[sound] / windows.last_close[sound])
        return point


def bands(errors: Array) -> Array:
    """Return (n, 7) distances from the median: quantiles of the last 500 absolute errors known by each row.

    A central interval holds the errors up to its own level; NaN while fewer than 60 are known.
    """
    import pandas as pd

    past = pd.Series(errors).rolling(BAND_WINDOW, min_periods=MINIMUM_RETURNS)
    distances = [
        np.sign(level - 0.5) * past.quantile(abs(2 * level - 1)).to_numpy() for level in QUANTILE_LEVELS
    ]
    return np.stack(distances, axis=1)
