"""A forecast of the next session's range volatility, by gradient-boosted trees: the scale that every part starts from.

A day's range tells its volatility with a fraction of the noise of its return, so that trees can learn from it what
they cannot from returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.features import (
    ACTIVITY,
    LEVERAGE,
    LOG_VOLATILITIES,
    LONG_RUN_VOLATILITY,
    SLOW_VOLATILITY,
    TREND,
    WEEKDAYS,
)
from nearcast.forecast.report_days import REPORT_FEATURES
from nearcast.forecast.trees import COMMON, fit_trees
from nearcast.forecast.windows import Samples, relative_features

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]

EXPECTED_VOLATILITY = "log_expected_volatility"
"""Name of the feature that this forecast becomes."""

VOLATILITIES = tuple(name for name in LOG_VOLATILITIES if name != LONG_RUN_VOLATILITY)
TREE_FEATURES = (*VOLATILITIES, *LEVERAGE, *TREND, *ACTIVITY, *WEEKDAYS, *REPORT_FEATURES)

ROUNDS = 200
PARTS = 5
"""Stretches of the training days; each one's own forecasts come from trees that have not seen it."""

PARAMETERS: dict[str, Any] = COMMON | {
    "objective": "regression",
    "learning_rate": 0.04,
    "num_leaves": 8,
    "min_data_in_leaf": 100,
}


@dataclass(frozen=True)
class RangeVolatility:
    """The fitted trees."""

    booster: Any

    @classmethod
    def fit(cls, samples: Samples, seed: int) -> tuple[RangeVolatility, Array]:
        """Fit on the samples whose next session is known; return the model and their cross-fitted forecasts.

        Returns
        -------
        tuple
            The model, and (n,) log volatilities of the samples themselves, each stretch of days forecast by trees
            fitted on the others: the parts that take them as a feature would trust them too much otherwise.
        """
        from concurrent.futures import ThreadPoolExecutor

        table = relative_features(samples.features, TREE_FEATURES, VOLATILITIES)
        slow = samples.features[SLOW_VOLATILITY].to_numpy()
        target = samples.range_volatility - slow
        known = np.isfinite(target)
        days = np.unique(samples.date)
        stretch = np.searchsorted(days, samples.date) * PARTS // len(days)
        learn = [known & (stretch != part) for part in range(PARTS)] + [known]
        with ThreadPoolExecutor() as pool:  # LightGBM works outside of Python's lock
            *partial, whole = pool.map(lambda rows: _train(table[rows], target[rows], seed), learn)
        forecast = np.empty(len(samples))
        for part, booster in enumerate(partial):
            mine = stretch == part
            if mine.any():
                forecast[mine] = booster.predict(table[mine])
        return cls(whole), forecast + slow

    def predict(self, table: pd.DataFrame) -> Array:
        """Return (n,) log volatilities of the session after each row of features."""
        relative = self.booster.predict(relative_features(table, TREE_FEATURES, VOLATILITIES), num_threads=1)
        forecast: Array = relative + table[SLOW_VOLATILITY].to_numpy()
        return forecast

    def document(self) -> str:
        """Return the trees as text."""
        text: str = self.booster.model_to_string()
        return text

    @classmethod
    def of_document(cls, text: str) -> RangeVolatility:
        """Read what `document` wrote."""
        import lightgbm

        return cls(lightgbm.Booster(model_str=text))


def _train(table: Array, target: Array, seed: int) -> Any:
    return fit_trees(PARAMETERS | {"seed": seed}, table, target, ROUNDS)
