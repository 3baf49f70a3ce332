"""The champion and its parts as models of a backtest: what holds of every model, and that they are what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearcast.forecast import boosting, range_volatility, scale_mixture
from nearcast.forecast.backtest import champion
from nearcast.forecast.backtest.champion import (
    KINDS,
    Champion,
    FineTunedChampion,
    HarMix,
    LightGbm,
    Mixture,
    Networks,
    Trees,
    Uncalibrated,
)
from nearcast.forecast.backtest.fold import answer
from nearcast.forecast.backtest.models import model_named
from nearcast.forecast.model import QuantileForecaster
from nearcast.forecast.windows import samples
from nearcast.schema import PRICE_COLUMNS, QUANTILE_LEVELS, SESSIONS_AHEAD
from tests.forecast.conftest import TINY

Array = npt.NDArray[np.float64]

FITTED, SESSIONS = 400, 460
NAMES = [kind.name for kind in KINDS]


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Let every part be small: networks, trees and iterations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(champion, "QUANTILE", TINY)
        patch.setattr(range_volatility, "ROUNDS", 20)
        patch.setattr(boosting, "ROUNDS", 8)
        patch.setattr(scale_mixture, "ITERATIONS", 8)
        yield


@pytest.fixture(scope="module")
def bars(netflix: pd.DataFrame) -> pd.DataFrame:
    """460 sessions of NFLX."""
    return netflix[:SESSIONS]


@pytest.fixture(scope="module")
def models(small: None, bars: pd.DataFrame) -> dict[str, Any]:
    """Each model, fitted to the first 400 sessions."""
    fitted: dict[str, Any] = {kind.name: kind() for kind in KINDS}
    for model in fitted.values():
        model.fit(bars[:FITTED])
    return fitted


@pytest.fixture(scope="module")
def answers(models: dict[str, Any], bars: pd.DataFrame) -> dict[str, Array]:
    """Each model's quantiles from all days."""
    return {name: model.quantiles(bars, np.ones(SESSIONS, bool)) for name, model in models.items()}


@pytest.mark.parametrize("name", NAMES)
def test_quantiles_have_the_promised_shape_and_order_from_the_60th_bar_on(
    answers: dict[str, Array], name: str
) -> None:
    quantiles = answers[name]
    assert quantiles.shape == (SESSIONS, SESSIONS_AHEAD, len(QUANTILE_LEVELS))
    assert np.isnan(quantiles[:59]).all()
    assert np.isfinite(quantiles[59:]).all()
    assert (np.diff(quantiles[59:], axis=2) >= 0).all()
    width = np.median(quantiles[59:, :, -1] - quantiles[59:, :, 0], axis=0)
    assert 0.03 < width[0] < 0.3
    assert width[9] > 1.5 * width[0]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow])
@given(day=st.integers(60, SESSIONS - 2), seed=st.integers(0, 100), left=st.integers(1, SESSIONS))
def test_whatever_happens_after_a_day_its_forecast_stays_the_same_to_the_bit(
    models: dict[str, Any],
    bars: pd.DataFrame,
    answers: dict[str, Array],
    name: str,
    day: int,
    seed: int,
    left: int,
) -> None:
    random, later = np.random.default_rng(seed), np.arange(SESSIONS) > day
    changed = bars.astype({"volume": float})
    for column in (*PRICE_COLUMNS, "volume"):
        changed.loc[later, column] *= np.exp(random.normal(0, 1, later.sum()))
    changed = changed[: day + 1 + left]
    wanted = np.arange(len(changed)) > day - 20
    quantiles = models[name].quantiles(changed, wanted)
    until = day + 1
    since = max(day - 19, 0)
    np.testing.assert_array_equal(quantiles[: until - since], answers[name][since:until])


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_of_money_changes_no_answer(
    models: dict[str, Any], bars: pd.DataFrame, answers: dict[str, Array], name: str
) -> None:
    in_cents = bars.assign(**{column: 100 * bars[column] for column in PRICE_COLUMNS})
    quantiles = models[name].quantiles(in_cents, np.arange(SESSIONS) >= 420)
    np.testing.assert_allclose(quantiles, answers[name][420:], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_days_that_are_not_asked_for_or_too_early_are_no_error(
    models: dict[str, Any], bars: pd.DataFrame, name: str
) -> None:
    assert models[name].quantiles(bars, np.zeros(SESSIONS, bool)).shape == (0, SESSIONS_AHEAD, 7)
    early = models[name].quantiles(bars, np.arange(SESSIONS) < 59)
    assert early.shape == (59, SESSIONS_AHEAD, 7)
    assert np.isnan(early).all()


def test_each_symbol_is_answered_by_itself(
    models: dict[str, Any], all_bars: pd.DataFrame, answers: dict[str, Array]
) -> None:
    two = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX"])].groupby("stock_symbol").head(SESSIONS)
    two = two.reset_index(drop=True)
    wanted = two.groupby("stock_symbol").cumcount().isin([30, 100, 459]).to_numpy()
    for name, model in models.items():
        quantiles = model.quantiles(two, wanted)
        np.testing.assert_array_equal(quantiles[3:], answers[name][[30, 100, 459]], err_msg=name)
        assert (quantiles[:3] != quantiles[3:])[1:].any(), name


def test_the_champion_is_the_forecaster_and_the_uncalibrated_one_is_without_its_bands(
    models: dict[str, Any], bars: pd.DataFrame, answers: dict[str, Array]
) -> None:
    forecaster = QuantileForecaster.fit(bars[:FITTED], TINY)
    every = np.ones(SESSIONS, bool)
    np.testing.assert_array_equal(answers[Champion.name], forecaster.quantiles(bars, every))
    plain = forecaster.uncalibrated(samples(bars, TINY.window))
    np.testing.assert_array_equal(answers[Uncalibrated.name][59:], plain)
    assert (answers[Champion.name][-1] != plain[-1]).any()
    parts = [answers[kind.name] for kind in (Mixture, Trees, Networks)]
    np.testing.assert_allclose(np.mean(parts, axis=0)[59:], plain, rtol=1e-9, atol=1e-12)
    assert len(models[Networks.name].history) == TINY.epochs * TINY.network_seeds
    assert models[Champion.name].history == models[Networks.name].history


def test_the_fine_tuned_champion_begins_with_the_networks_of_a_year_ago(
    models: dict[str, Any], bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a learning rate of 0 its networks are those of a fit on what was known then."""
    still = replace(TINY, learning_rate=0.0)
    monkeypatch.setattr(champion, "QUANTILE", still)
    model = FineTunedChampion()
    model.fit(bars[:FITTED])
    then = bars["date"][FITTED - 1] - pd.Timedelta(days=365)
    start = QuantileForecaster.fit(bars[bars["date"] < then], still)
    for one, two in zip(model._forecaster.networks, start.networks, strict=True):
        for name, weights in one.state_dict().items():
            np.testing.assert_array_equal(weights.numpy(), two.state_dict()[name].numpy(), err_msg=name)
    assert model._forecaster.trained_until == bars["date"][FITTED - 1].date()
    assert model._forecaster.mixture.document() == models[Champion.name]._forecaster.mixture.document()


def test_the_baselines_do_without_the_expected_volatility(models: dict[str, Any], bars: pd.DataFrame) -> None:
    assert not hasattr(models[HarMix.name], "_volatility")
    assert not hasattr(models[LightGbm.name], "_volatility")
    mine = samples(bars, TINY.window)
    measured = np.log(
        np.sqrt(
            np.exp(mine.features["log_ewma_volatility_85"])
            * np.exp(mine.features["log_winsorised_volatility_22"])
        )
    )
    expected = models[LightGbm.name].with_expected(mine).features["log_expected_volatility"]
    np.testing.assert_allclose(expected, measured)
    assert "log_expected_volatility" not in models[HarMix.name].part.names
    assert "log_expected_volatility" in models[Mixture.name].part.names


def test_a_fold_takes_them_by_their_names(bars: pd.DataFrame) -> None:
    """Fitted on what came before its first day, as a backtest does."""
    first = np.datetime64("2014-06-02")
    for kind in (Champion, HarMix):
        model = model_named(kind.name)
        assert isinstance(model, kind)
        made = answer(model, bars, 2014, first)
        expected = kind()
        expected.fit(bars[bars["date"] < first])
        session = bars["date"].shift(-1).fillna(bars["date"])
        wanted = ((session >= first) & (session.dt.year == 2014)).to_numpy()
        seen = bars[: int(np.flatnonzero(wanted)[-1]) + 1]
        np.testing.assert_array_equal(made.quantiles, expected.quantiles(seen, wanted[: len(seen)]))
    assert len(NAMES) == len(set(NAMES)) == 8
