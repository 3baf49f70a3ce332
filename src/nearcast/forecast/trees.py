"""How LightGBM fits, whatever it forecasts: slowly, on parts of the rows and features, the same for a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

COMMON: dict[str, Any] = {
    "feature_fraction": 0.4,
    "bagging_fraction": 0.6,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
}


def fit_trees(parameters: dict[str, Any], table: Array, target: Array, rounds: int) -> Any:
    """Return the booster of (n, k) features and (n,) targets."""
    import lightgbm

    # few rows: no leaf may need more of them than a sixth
    least = min(parameters["min_data_in_leaf"], max(1, len(target) // 6))
    return lightgbm.train(parameters | {"min_data_in_leaf": least}, lightgbm.Dataset(table, target), rounds)
