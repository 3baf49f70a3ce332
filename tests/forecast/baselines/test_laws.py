"""What holds of every baseline: nothing from after its day, no unit of money, quantiles that ascend."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nearcast.errors import ForecastError
from nearcast.forecast.backtest.model import Model
from nearcast.forecast.baselines import baseline_named, baselines
from nearcast.schema import PRICE_COLUMNS, QUANTILE_LEVELS
from tests.forecast.baselines.conftest import FITTED, NAMES, SESSIONS, first_sessions, small_baseline

Array = npt.NDArray[np.float64]

HORIZON_RETURN_LIMIT = 1.0
"""No quantile of a few days' log return of these two stocks lies beyond this."""


def answers(model: Model, bars: pd.DataFrame, sessions: list[int]) -> Array:
    """Return the answers for these sessions of each symbol."""
    session = bars.groupby("stock_symbol").cumcount()
    return model.quantiles(bars, session.isin(sessions).to_numpy())


@pytest.fixture(scope="module")
def fitted(two: pd.DataFrame) -> dict[str, Model]:
    """Every baseline, fitted to the first 100 sessions."""
    models: dict[str, Model] = {}
    for name in NAMES:
        models[name] = small_baseline(name)
        models[name].fit(first_sessions(two, FITTED))
    return models


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow])
@given(
    day=st.integers(260, SESSIONS - 2),
    factors=arrays(float, (SESSIONS, 5), elements=st.floats(1e-3, 1e3)),
    left=st.integers(1, SESSIONS),
)
@example(day=260, factors=np.full((SESSIONS, 5), 1e3), left=SESSIONS)
@example(day=SESSIONS - 2, factors=np.ones((SESSIONS, 5)), left=1)
def test_whatever_happens_after_a_day_its_forecast_stays_the_same(
    fitted: dict[str, Model], two: pd.DataFrame, name: str, day: int, factors: Array, left: int
) -> None:
    """Later bars are multiplied by anything, each price and volume by its own factor, and cut off anywhere."""
    session = two.groupby("stock_symbol").cumcount().to_numpy()
    later = session > day
    changed = two.copy()
    for column, factor in zip((*PRICE_COLUMNS, "volume"), factors.T, strict=True):
        changed[column] = np.where(later, two[column] * factor[session], two[column])
    changed = changed[session <= day + left].reset_index(drop=True)
    sessions = [day - 5, day]
    before, after = answers(fitted[name], two, sessions), answers(fitted[name], changed, sessions)
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-9 if name != "levels" else 1e-6)
    assert np.isfinite(before[2:, 0]).all()  # NFLX; EGARCH's estimate of AAPL does not converge so early


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_of_money_and_other_symbols_change_nothing(
    fitted: dict[str, Model], two: pd.DataFrame, name: str
) -> None:
    sessions = [62, 255, SESSIONS - 1]
    before = answers(fitted[name], two, sessions)
    in_cents = two.assign(**{column: 100 * two[column] for column in PRICE_COLUMNS})
    model = small_baseline(name)
    model.fit(first_sessions(in_cents, FITTED))
    # an optimiser's last digits follow rounding
    np.testing.assert_allclose(answers(model, in_cents, sessions), before, rtol=1e-3, atol=2e-5)
    alone = two[two["stock_symbol"] == "NFLX"].reset_index(drop=True)
    np.testing.assert_allclose(answers(fitted[name], alone, sessions), before[3:], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_quantiles_have_the_promised_shape_ascend_and_lie_around_the_last_close(
    fitted: dict[str, Model], two: pd.DataFrame, name: str
) -> None:
    model, sessions = fitted[name], [62, 63, 125, 126, 260, SESSIONS - 1]
    quantiles = answers(model, two, sessions)
    assert quantiles.shape == (2 * len(sessions), model.horizons, len(QUANTILE_LEVELS))
    given_up = np.isnan(quantiles).any(axis=(1, 2))
    if name not in ("levels", "garch_t", "egarch_t"):  # they want more than 60 returns
        assert not given_up.any()
    assert (np.diff(quantiles[~given_up], axis=2) >= 0).all()
    late = quantiles[-2:]  # NFLX
    assert (np.abs(late) < HORIZON_RETURN_LIMIT).all()
    if name != "levels":
        assert (late[..., 0] < 0).all()
        assert (late[..., -1] > 0).all()
        width = late[..., -1] - late[..., 0]
        assert (width[:, -1] > 1.5 * width[:, 0]).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sessions", [1, 2, 12, 60, 61])
def test_a_short_symbol_has_no_answers_before_60_returns_and_is_no_error(
    two: pd.DataFrame, name: str, sessions: int
) -> None:
    model, short = small_baseline(name), first_sessions(two, sessions)
    model.fit(short)
    quantiles = model.quantiles(short, np.ones(len(short), bool))
    assert quantiles.shape == (len(short), model.horizons, len(QUANTILE_LEVELS))
    assert np.isnan(quantiles[short.groupby("stock_symbol").cumcount() < 60]).all()
    assert model.quantiles(short, np.zeros(len(short), bool)).shape[0] == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_short_symbol_beside_a_long_one_and_a_price_that_never_moves_are_no_error(
    fitted: dict[str, Model], two: pd.DataFrame, name: str
) -> None:
    session = two.groupby("stock_symbol").cumcount()
    mixed = two[(two["stock_symbol"] == "AAPL") | (session < 30)].reset_index(drop=True)
    model = small_baseline(name)
    model.fit(first_sessions(mixed, FITTED))
    assert np.isnan(answers(model, mixed, [29])[-1]).all()
    still = two.assign(**dict.fromkeys(PRICE_COLUMNS, 10.0))
    fresh = small_baseline(name)
    fresh.fit(first_sessions(still, FITTED))
    quantiles = answers(fresh, still, [70, SESSIONS - 1])
    answered = quantiles[np.isfinite(quantiles).all(axis=(1, 2))]
    assert (np.diff(answered, axis=2) >= 0).all()
    assert (np.abs(answered) < 0.05).all() or name == "levels"


def test_each_baseline_is_listed_with_a_line_under_its_own_name() -> None:
    assert list(baselines()) == [
        "last_close",
        "drift",
        "ewma",
        "garch_t",
        "egarch_t",
        "har_t",
        "auto_arima",
        "ets",
        "theta",
        "nhits",
        "levels",
    ]
    for name, kind in baselines().items():
        assert kind.name == name
        assert 20 < len(kind.summary) < 100
    with pytest.raises(ForecastError, match="no baseline 'arima'") as error:
        baseline_named("arima")
    assert "auto_arima" in error.value.todo
