"""Features look at the past only, and say what their names say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.errors import ForecastError
from nearcast.forecast.features import (
    MOMENTUM_WINDOWS,
    RETURN,
    VARIANCE_FLOOR,
    WINSOR_MULTIPLE,
    daily_variance,
    features,
    winsorise,
)
from nearcast.forecast.sessions import next_sessions, sessions
from nearcast.forecast.smoothing import ewma
from nearcast.schema import PRICE_COLUMNS


@pytest.mark.parametrize("length", [1, 5, 30, 60, 250, 777, 2698])
def test_features_of_a_truncated_history_equal_those_of_the_whole_bit_by_bit(
    netflix: pd.DataFrame, length: int
) -> None:
    whole = features(netflix)[:length]
    pd.testing.assert_frame_equal(features(netflix[:length]), whole, check_exact=True)


def test_changing_a_later_bar_changes_no_earlier_feature(netflix: pd.DataFrame) -> None:
    doubled = netflix.copy()
    doubled.loc[2000:, list(PRICE_COLUMNS)] *= 2.0
    doubled.loc[2000:, "volume"] *= 3
    changed, before = features(doubled), features(netflix)
    pd.testing.assert_frame_equal(changed[:2000], before[:2000], check_exact=True)
    assert not np.allclose(changed[2000:2010], before[2000:2010])


def test_every_feature_is_finite_from_the_first_bar_on(all_bars: pd.DataFrame) -> None:
    for _, bars in all_bars.groupby("stock_symbol"):
        assert np.isfinite(features(bars).to_numpy()).all()


def test_daily_variance_equals_the_published_formulas_computed_one_day_at_a_time(
    netflix: pd.DataFrame,
) -> None:
    variance = daily_variance(netflix)
    for t in (1, 500, 2698):
        o, h, low, c = netflix[list(PRICE_COLUMNS)].to_numpy(float)[t]
        gap = np.log(o / netflix["close_price"].to_numpy(float)[t - 1])
        garman_klass = 0.5 * np.log(h / low) ** 2 - (2 * np.log(2) - 1) * np.log(c / o) ** 2
        rogers_satchell = np.log(h / c) * np.log(h / o) + np.log(low / c) * np.log(low / o)
        assert variance[t] == pytest.approx(gap**2 + (max(garman_klass, 0) + rogers_satchell) / 2, rel=1e-12)


def test_ewma_equals_the_sum_of_weights_written_out(netflix: pd.DataFrame) -> None:
    values = netflix["close_price"].to_numpy(float)[:200]
    weights = 0.94 ** np.arange(200)[::-1]
    assert ewma(values, 0.94)[-1] == pytest.approx(float(weights @ values / weights.sum()), rel=1e-12)


def test_a_jump_is_capped_by_what_was_usual_before_it(netflix: pd.DataFrame) -> None:
    variance = daily_variance(netflix)
    jump = int(variance.argmax())
    capped = winsorise(variance)
    assert capped[jump] < variance[jump] / 3
    assert capped[jump] <= WINSOR_MULTIPLE * variance[:jump].max()
    assert (capped <= variance).all()
    assert (capped == variance).mean() > 0.95


@pytest.mark.parametrize("t", [300, 1500, 2698])
def test_returns_momentum_and_drawdown_are_those_of_the_closes(netflix: pd.DataFrame, t: int) -> None:
    row, close = features(netflix).iloc[t], netflix["close_price"].to_numpy(float)
    volatility = np.sqrt(winsorise(daily_variance(netflix))[t - 21 : t + 1].mean() + VARIANCE_FLOOR)
    assert row[RETURN] == pytest.approx(np.log(close[t] / close[t - 1]))
    assert row["return_1"] == pytest.approx(row[RETURN] / volatility)
    for window in MOMENTUM_WINDOWS:
        move = np.log(close[t] / close[t - window]) / (volatility * np.sqrt(window))
        assert row[f"momentum_{window}"] == pytest.approx(move)
        assert row[f"fall_{window}"] == pytest.approx(min(move, 0))
    assert row["drawdown_250"] == pytest.approx(np.log(close[t] / close[t - 249 : t + 1].max()))


def test_the_next_session_of_each_real_day_is_the_next_real_day(netflix: pd.DataFrame) -> None:
    days = netflix["date"].to_numpy().astype("datetime64[D]")
    assert (next_sessions(days[:-1]) == days[1:]).all()
    last = next_sessions(np.array(["2023-09-22", "2023-12-22"], "datetime64[D]"))
    assert last.astype(str).tolist() == ["2023-09-25", "2023-12-26"]


@given(st.dates(min_value=pd.Timestamp("1970-01-02").date(), max_value=pd.Timestamp("2026-01-01").date()))
def test_no_session_lies_between_a_day_and_its_next_session(day: object) -> None:
    start = np.datetime64(str(day), "D")
    following = next_sessions(np.array([start]))[0]
    calendar = sessions()
    assert following > start
    assert not ((calendar > start) & (calendar < following)).any()


def test_a_day_outside_the_calendar_is_refused() -> None:
    with pytest.raises(ForecastError, match="outside of the exchange calendar"):
        next_sessions(np.array(["2100-01-04"], "datetime64[D]"))


@pytest.mark.parametrize("price", [0.0, -1.0, np.nan, np.inf])
def test_a_price_that_is_not_a_positive_number_is_refused(netflix: pd.DataFrame, price: float) -> None:
    broken = netflix[:100].copy()
    broken.loc[50, "low_price"] = price
    with pytest.raises(ForecastError, match="not a positive number"):
        features(broken)
