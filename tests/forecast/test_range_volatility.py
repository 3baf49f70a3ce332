"""The expected range volatility: cross-fitted without its own days, and better than the last value."""

from __future__ import annotations

import dataclasses

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from nearcast.forecast import range_volatility
from nearcast.forecast.features import RANGE_VOLATILITY, SLOW_VOLATILITY
from nearcast.forecast.model import QuantileForecaster
from nearcast.forecast.range_volatility import (
    PARAMETERS,
    PARTS,
    ROUNDS,
    TREE_FEATURES,
    VOLATILITIES,
    RangeVolatility,
)
from nearcast.forecast.windows import Samples, relative_features, samples
from tests.forecast.conftest import TINY


@pytest.fixture(scope="module")
def learn(all_bars: pd.DataFrame) -> Samples:
    """260 samples each of AAPL and NFLX, over the same days; the outcome of the last of each is not known."""
    two = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX"])]
    return samples(two.groupby("stock_symbol").head(319).reset_index(drop=True), TINY.window)


def stretches(learn: Samples) -> list[npt.NDArray[np.int64]]:
    """Return the samples of each fifth of the days."""
    days = np.array_split(np.unique(learn.date), PARTS)
    return [np.flatnonzero(np.isin(learn.date, mine)) for mine in days]


@pytest.mark.parametrize("part", range(PARTS))
def test_the_forecasts_of_a_stretch_do_not_depend_on_what_came_in_it(
    learn: Samples, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_volatility, "ROUNDS", 30)
    mine = stretches(learn)[part]
    _, before = RangeVolatility.fit(learn, 1)
    targets = learn.range_volatility.copy()
    targets[mine] += np.random.default_rng(part).normal(0, 1, len(mine))
    model, after = RangeVolatility.fit(dataclasses.replace(learn, range_volatility=targets), 1)
    np.testing.assert_array_equal(after[mine], before[mine])
    others = np.setdiff1d(np.arange(len(learn)), mine)
    assert (after[others] != before[others]).mean() > 0.99
    assert (model.predict(learn.features) != before).mean() > 0.99
    assert np.isfinite(before).all()


def test_what_is_not_known_yet_does_not_count(learn: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_volatility, "ROUNDS", 30)
    known = np.isfinite(learn.range_volatility)
    assert (~known).sum() == 2
    whole, _ = RangeVolatility.fit(learn, 1)
    without, _ = RangeVolatility.fit(learn.take(known), 1)
    assert whole.document() == without.document()


def test_the_trees_are_those_of_lightgbms_own_regressor(
    tiny_forecaster: QuantileForecaster, tiny_samples: Samples
) -> None:
    """On what is known of the first 600 bars: 540 samples."""
    mine = tiny_samples.take(np.arange(540))
    table = relative_features(mine.features, TREE_FEATURES, VOLATILITIES)
    slow = mine.features[SLOW_VOLATILITY].to_numpy()
    direct = lightgbm.LGBMRegressor(
        n_estimators=ROUNDS,
        learning_rate=PARAMETERS["learning_rate"],
        num_leaves=PARAMETERS["num_leaves"],
        min_child_samples=min(PARAMETERS["min_data_in_leaf"], 540 // 6),
        colsample_bytree=PARAMETERS["feature_fraction"],
        subsample=PARAMETERS["bagging_fraction"],
        subsample_freq=PARAMETERS["bagging_freq"],
        reg_lambda=PARAMETERS["lambda_l2"],
        random_state=TINY.seed,
        n_jobs=1,
        deterministic=True,
        verbosity=-1,
    ).fit(table, mine.range_volatility - slow)
    expected = direct.booster_.predict(table) + slow
    np.testing.assert_allclose(tiny_forecaster.volatility.predict(mine.features), expected, rtol=1e-12)


def test_it_forecasts_real_days_that_it_has_not_seen_better_than_the_last_value_and_the_averages(
    all_bars: pd.DataFrame,
) -> None:
    """Two shares: eight years to learn from, and the two after them."""
    two = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX"])].reset_index(drop=True)
    made = samples(two, TINY.window)
    made = made.take(np.isfinite(made.range_volatility))
    train, test = (
        made.take(made.date < np.datetime64("2021-01-01")),
        made.take(made.date > np.datetime64("2021-01-01")),
    )
    model, cross_fitted = RangeVolatility.fit(train, 1)

    def error(forecast: npt.NDArray[np.float64], of: Samples = test) -> float:
        return float(np.sqrt(np.mean((forecast - of.range_volatility) ** 2)))

    mine = error(model.predict(test.features))
    assert mine < 0.8 * error(test.features[RANGE_VOLATILITY].to_numpy())
    for average in ("log_volatility_5", "log_volatility_22", "log_ewma_volatility_94", SLOW_VOLATILITY):
        assert mine < 0.97 * error(test.features[average].to_numpy()), average
    # a forecast of days it has seen looks better than it is; the cross-fitted one does not
    seen = error(model.predict(train.features), train)
    assert seen < error(cross_fitted, train) < 0.8 * error(train.features[RANGE_VOLATILITY].to_numpy(), train)


def test_the_trees_survive_their_document(tiny_forecaster: QuantileForecaster, tiny_samples: Samples) -> None:
    read = RangeVolatility.of_document(tiny_forecaster.volatility.document())
    expected = tiny_forecaster.volatility.predict(tiny_samples.features)
    np.testing.assert_array_equal(read.predict(tiny_samples.features), expected)
