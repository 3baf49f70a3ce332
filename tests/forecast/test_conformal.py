"""Adaptive conformal bands hold what they promise, use nothing from the future and never cross."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.forecast.baselines import last_close_bands
from nearcast.forecast.conformal import MINIMUM_SCORES, STEP, adapt
from nearcast.schema import QUANTILE_LEVELS

Array = npt.NDArray[np.float64]

NORMAL = np.array([NormalDist().inv_cdf(level) for level in QUANTILE_LEVELS])
PROMISED = ((0, 6, 0.95), (1, 5, 0.80), (2, 4, 0.50))


def mis_scaled(days: int, seed: int, scale: float = 0.6) -> tuple[Array, Array]:
    """Return quantiles of returns that are ``scale`` times as wide as they should be, and the returns."""
    random = np.random.default_rng(seed)
    volatility = 0.01 * np.exp(np.cumsum(random.normal(0, 0.03, days)))
    return np.outer(scale * volatility, NORMAL), volatility * random.standard_normal(days)


def plainly(quantiles: Array, outcomes: Array, horizon: int, minimum: int, window: int) -> Array:
    """Return the same by looking at the whole past on each day: CQR scores, their quantile, sorting."""
    adapted, judged = quantiles.copy(), np.zeros(len(quantiles), bool)
    width = quantiles[:, 4] - quantiles[:, 2]
    for t, row in enumerate(quantiles):
        days = np.arange(max(t - horizon + 1, 0))
        days = days[
            np.isfinite(outcomes[days]) & np.isfinite(quantiles[days]).all(axis=1) & (width[days] > 0)
        ]
        if len(days) < minimum or not width[t] > 0 or not np.isfinite(row).all():
            continue
        new, judged[t] = row.copy(), True
        for low, high, promised in PROMISED:
            below, above = quantiles[days, low] - outcomes[days], outcomes[days] - quantiles[days, high]
            scores = np.maximum(below, above) / width[days]
            seen = days[judged[days]]
            inside = (adapted[seen, low] <= outcomes[seen]) & (outcomes[seen] <= adapted[seen, high])
            allowed = 1 - promised + STEP / horizon * np.sum((1 - promised) - ~inside)
            shift = np.quantile(scores[-window:], np.clip(1 - allowed, 0, 1)) * width[t]
            new[low], new[high] = row[low] - shift, row[high] + shift
        adapted[t] = np.sort(new)
    return adapted


@pytest.mark.parametrize("horizon", [1, 10])
def test_it_equals_the_algorithm_written_plainly_on_real_returns(
    netflix: pd.DataFrame, horizon: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    minimum, window = 50, 80
    monkeypatch.setattr("nearcast.forecast.conformal.MINIMUM_SCORES", minimum)
    monkeypatch.setattr("nearcast.forecast.conformal.WINDOW", window)
    log_price = np.log(netflix["close_price"].to_numpy(float))[1000:1400]
    quantiles = last_close_bands(np.diff(log_price), 60)[60:-horizon] * np.sqrt(horizon)
    outcomes = (log_price[horizon:] - log_price[:-horizon])[61:]
    outcomes[[5, 100, 201]] = np.nan
    quantiles[[7, 150]] = np.nan
    quantiles[90, 2:5] = quantiles[90, 3]  # no width to measure in
    outcomes[-horizon:] = np.nan
    expected = plainly(quantiles, outcomes, horizon, minimum, window)
    np.testing.assert_allclose(adapt(quantiles, outcomes, horizon), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("horizon", [1, 10])
def test_coverage_comes_within_a_point_and_a_half_though_the_scale_is_wrong_and_changes(horizon: int) -> None:
    parts = [mis_scaled(3000, 1, 0.6), mis_scaled(3000, 2, 1.5)]
    quantiles, outcomes = (np.concatenate(values) for values in zip(*parts, strict=True))
    adapted = adapt(quantiles, outcomes, horizon)
    for low, high, promised in PROMISED:
        before = ((outcomes >= quantiles[:, low]) & (outcomes <= quantiles[:, high]))[300:3000].mean()
        after = ((outcomes >= adapted[:, low]) & (outcomes <= adapted[:, high]))[300:].mean()
        assert abs(before - promised) > 0.03  # or this test would say nothing
        assert after == pytest.approx(promised, abs=0.015)


@pytest.mark.parametrize("horizon", [1, 3])
def test_an_outcome_changes_nothing_before_it_is_known_and_something_after(horizon: int) -> None:
    quantiles, outcomes = mis_scaled(700, 3)
    t = 400
    later, earlier = outcomes.copy(), outcomes.copy()
    later[t - horizon + 1 :] = np.random.default_rng(0).normal(0, 9, len(later[t - horizon + 1 :]))
    later[t + 5 :] = np.nan
    earlier[t - horizon] += 9
    adapted = adapt(quantiles, outcomes, horizon)
    assert adapt(quantiles, later, horizon)[: t + 1].tolist() == adapted[: t + 1].tolist()
    assert adapt(quantiles[: t + 1], outcomes[: t + 1], horizon).tolist() == adapted[: t + 1].tolist()
    assert adapt(quantiles, earlier, horizon)[t].tolist() != adapted[t].tolist()


def test_nothing_is_adjusted_before_there_are_enough_known_scores() -> None:
    quantiles, outcomes = mis_scaled(400, 4)
    adapted = adapt(quantiles, outcomes, 10)
    same = (adapted == quantiles).all(axis=1)
    assert np.flatnonzero(~same)[0] == MINIMUM_SCORES + 10 - 1
    assert adapt(quantiles, np.full(400, np.nan), 1).tolist() == quantiles.tolist()
    assert adapt(quantiles[:0], outcomes[:0], 1).shape == (0, 7)


@given(
    seed=st.integers(0, 2**32 - 1),
    tail=st.floats(1.05, 30),
    jump=st.floats(1e-3, 1e3),
    horizon=st.integers(1, 10),
)
def test_quantiles_stay_in_order_whatever_comes(seed: int, tail: float, jump: float, horizon: int) -> None:
    """Bands that are far too wide, then far too narrow, with tails of any weight beside quartiles of any width."""
    random = np.random.default_rng(seed)
    shape = np.sign(NORMAL) * abs(NORMAL) ** random.uniform(0.3, tail, (320, 1)) / 3
    quantiles = np.sort(shape * random.uniform(0.001, 1, (320, 1)), axis=1)
    outcomes = random.standard_cauchy(320) * np.where(np.arange(320) < 280, 1, jump)
    adapted = adapt(quantiles, outcomes, horizon)
    assert (np.diff(adapted, axis=1) >= 0).all()
