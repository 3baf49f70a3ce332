"""The boosted quantiles against LightGBM's own regressor and scikit-learn's loss."""

from __future__ import annotations

import dataclasses
import json

import lightgbm
import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import mean_pinball_loss  # type: ignore[import-untyped]

from nearcast.forecast import boosting
from nearcast.forecast.boosting import PARAMETERS, ROUNDS, QuantileBoosting
from nearcast.forecast.features import SLOW_VOLATILITY
from nearcast.forecast.model import QuantileForecaster
from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY, TREE_FEATURES, VOLATILITIES
from nearcast.forecast.windows import Samples, relative_features
from nearcast.schema import QUANTILE_LEVELS, SESSIONS_AHEAD

Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def learn(tiny_samples: Samples) -> Samples:
    """500 samples with their outcomes."""
    return tiny_samples.take(np.arange(500))


@pytest.fixture(scope="module")
def fitted(learn: Samples) -> QuantileBoosting:
    """The trees of two horizons."""
    return QuantileBoosting.fit(learn, 1, horizons=2)


def hand_made_scale(mine: Samples, horizon: int) -> Array:
    """Return what the returns are measured in: from the next session's volatility to the slow one."""
    expected, slow = (
        np.exp(mine.features[name].to_numpy()) for name in (EXPECTED_VOLATILITY, SLOW_VOLATILITY)
    )
    weight = 1 - 0.05 * min(horizon, 8)
    scale: Array = np.sqrt(horizon) * expected**weight * slow ** (1 - weight)
    return scale


def inputs(mine: Samples) -> Array:
    relative = mine.features[EXPECTED_VOLATILITY].to_numpy() - mine.features[SLOW_VOLATILITY].to_numpy()
    return np.column_stack([relative_features(mine.features, TREE_FEATURES, VOLATILITIES), relative])


def direct(mine: Samples, horizon: int, level: float) -> lightgbm.LGBMRegressor:
    """Return LightGBM's regressor for one horizon and level, fitted with the settings written out."""
    return lightgbm.LGBMRegressor(
        objective="quantile",
        alpha=level,
        n_estimators=ROUNDS,
        learning_rate=PARAMETERS["learning_rate"],
        num_leaves=PARAMETERS["num_leaves"],
        min_child_samples=min(PARAMETERS["min_data_in_leaf"], len(mine) // 6),
        colsample_bytree=PARAMETERS["feature_fraction"],
        subsample=PARAMETERS["bagging_fraction"],
        subsample_freq=PARAMETERS["bagging_freq"],
        reg_lambda=PARAMETERS["lambda_l2"],
        random_state=1,
        n_jobs=1,
        deterministic=True,
        verbosity=-1,
    ).fit(inputs(mine), mine.log_return[:, horizon - 1] / hand_made_scale(mine, horizon))


@pytest.mark.parametrize("horizon", [1, 2])
def test_each_level_is_lightgbms_own_in_order(
    fitted: QuantileBoosting, learn: Samples, tiny_samples: Samples, horizon: int
) -> None:
    later = tiny_samples.take(np.arange(500, 800))
    levels = [direct(learn, horizon, level).booster_.predict(inputs(later)) for level in QUANTILE_LEVELS]
    expected = np.sort(np.stack(levels, axis=1), axis=1) * hand_made_scale(later, horizon)[:, None]
    np.testing.assert_allclose(fitted.quantiles(later)[:, horizon - 1], expected, rtol=1e-9)


def test_they_lose_less_than_quantiles_that_never_change(fitted: QuantileBoosting, learn: Samples) -> None:
    """On the days learned from, by scikit-learn's loss; the share of outcomes below each is about its level."""
    quantiles = fitted.quantiles(learn)
    for horizon in (1, 2):
        outcomes = learn.log_return[:, horizon - 1]
        for at, level in enumerate(QUANTILE_LEVELS):
            mine = quantiles[:, horizon - 1, at]
            constant = np.full(len(learn), np.quantile(outcomes, level))
            if level != 0.5:
                assert mean_pinball_loss(outcomes, mine, alpha=level) < mean_pinball_loss(
                    outcomes, constant, alpha=level
                )
            assert (outcomes <= mine).mean() == pytest.approx(level, abs=0.05)


def test_quantiles_ascend_for_every_day_and_horizon(
    tiny_forecaster: QuantileForecaster, tiny_samples: Samples
) -> None:
    quantiles = tiny_forecaster.boosting.quantiles(tiny_samples)
    assert quantiles.shape == (len(tiny_samples), SESSIONS_AHEAD, len(QUANTILE_LEVELS))
    assert (np.diff(quantiles, axis=2) >= 0).all()
    assert (quantiles[..., 0] < 0).all()
    assert (quantiles[..., -1] > 0).all()


def test_outcomes_that_are_not_known_yet_do_not_count(
    learn: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boosting, "ROUNDS", 10)
    outcomes = learn.log_return.copy()
    outcomes[400:, 1] = np.nan
    unknown = QuantileBoosting.fit(dataclasses.replace(learn, log_return=outcomes), 1, horizons=2).documents()
    assert unknown[0] == QuantileBoosting.fit(learn, 1, horizons=1).documents()[0]
    assert unknown[1] == QuantileBoosting.fit(learn.take(np.arange(400)), 1, horizons=2).documents()[1]


def test_few_samples_still_grow_trees(learn: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosting, "ROUNDS", 10)
    few = learn.take(np.arange(40))
    trees = QuantileBoosting.fit(few, 1, horizons=1)
    assert len(np.unique(trees.quantiles(learn)[:, 0, 1] / hand_made_scale(learn, 1))) > 1


def test_the_trees_survive_their_documents_as_json(fitted: QuantileBoosting, tiny_samples: Samples) -> None:
    read = QuantileBoosting.of_documents(json.loads(json.dumps(fitted.documents())))
    np.testing.assert_array_equal(read.quantiles(tiny_samples), fitted.quantiles(tiny_samples))
