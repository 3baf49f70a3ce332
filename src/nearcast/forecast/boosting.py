"""Quantiles of the coming returns by gradient-boosted trees: one LightGBM model for each horizon and level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.features import SLOW_VOLATILITY
from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY, TREE_FEATURES, VOLATILITIES
from nearcast.forecast.trees import COMMON, fit_trees
from nearcast.forecast.windows import Samples, relative_features
from nearcast.schema import QUANTILE_LEVELS, SESSIONS_AHEAD

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]

ROUNDS = 60
PARAMETERS: dict[str, Any] = COMMON | {
    "objective": "quantile",
    "learning_rate": 0.03,
    "num_leaves": 6,
    "min_data_in_leaf": 250,
}


@dataclass(frozen=True)
class QuantileBoosting:
    """The fitted trees, by horizon and level."""

    boosters: list[list[Any]]

    @classmethod
    def fit(cls, samples: Samples, seed: int, horizons: int = SESSIONS_AHEAD) -> QuantileBoosting:
        """Fit on the samples whose outcome is known; they have the feature `EXPECTED_VOLATILITY`."""
        from concurrent.futures import ThreadPoolExecutor

        table, scale = _table(samples.features), _scale(samples.features)

        def horizon(h: int) -> list[Any]:
            target = samples.log_return[:, h - 1] / scale[:, h - 1]
            known = np.isfinite(target)
            return [_train(table[known], target[known], level, seed) for level in QUANTILE_LEVELS]

        with ThreadPoolExecutor() as pool:  # LightGBM works outside of Python's lock
            return cls(list(pool.map(horizon, range(1, horizons + 1))))

    def quantiles(self, samples: Samples) -> Array:
        """Return (n, horizons, 7) ascending quantiles of the log returns."""
        table, scale = _table(samples.features), _scale(samples.features)
        scaled = [
            np.stack([booster.predict(table, num_threads=1) for booster in levels], axis=1)
            for levels in self.boosters
        ]
        stacked: Array = np.sort(np.stack(scaled, axis=1), axis=2)
        quantiles: Array = stacked * scale[:, : len(self.boosters), None]
        return quantiles

    def documents(self) -> list[list[str]]:
        """Return the trees as text."""
        return [[booster.model_to_string() for booster in levels] for levels in self.boosters]

    @classmethod
    def of_documents(cls, texts: list[list[str]]) -> QuantileBoosting:
        """Read what `documents` wrote."""
        import lightgbm

        return cls([[lightgbm.Booster(model_str=text) for text in levels] for levels in texts])


def _table(table: pd.DataFrame) -> Array:
    expected = table[EXPECTED_VOLATILITY].to_numpy() - table[SLOW_VOLATILITY].to_numpy()
    joined: Array = np.c_[relative_features(table, TREE_FEATURES, VOLATILITIES), expected]
    return joined


def _scale(table: pd.DataFrame) -> Array:
    """Return (n, 10) rough scales: the next session's volatility fades into the slow one over the horizon."""
    horizon = np.arange(1, SESSIONS_AHEAD + 1)
    weight = 1 - 0.05 * np.minimum(horizon, 8)
    expected, slow = (table[name].to_numpy()[:, None] for name in (EXPECTED_VOLATILITY, SLOW_VOLATILITY))
    scale: Array = np.exp(weight * expected + (1 - weight) * slow) * np.sqrt(horizon)
    return scale


def _train(table: Array, target: Array, level: float, seed: int) -> Any:
    return fit_trees(PARAMETERS | {"alpha": level, "seed": seed}, table, target, ROUNDS)
