"""What is odd about prices is refused or named, and real prices are neither."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nearcast.errors import ForecastError
from nearcast.forecast.marks import LOOK_BACK, check_learnable, check_usable, marks
from nearcast.forecast.registry import Champion
from nearcast.forecast.service import forecast_next
from nearcast.schema import PRICE_COLUMNS

PRICES = list(PRICE_COLUMNS)
KNOWN = frozenset({"NFLX"})


def champion(answer: np.ndarray) -> Champion:
    """Return a champion with one answer."""
    return Champion("nearcast-quantile/1", lambda bars: answer, KNOWN)


def split(bars: pd.DataFrame, at: int, shares: float) -> pd.DataFrame:
    """Return bars as they are before a split is adjusted for: new prices and share numbers from ``at`` on."""
    bars = bars.copy()
    bars.loc[at:, PRICES] /= shares
    bars.loc[at:, "volume"] = (bars.loc[at:, "volume"] * shares).astype("int64")
    return bars


def test_real_prices_of_six_symbols_carry_no_mark_on_any_month(all_bars: pd.DataFrame) -> None:
    """Days of earnings with moves of a third are among them: NFLX on 2022-04-20 falls by 35 % from close to close."""
    for symbol, bars in all_bars.groupby("stock_symbol"):
        for end in range(300, len(bars), 20):
            assert marks(bars[:end], frozenset({str(symbol)})) == ()


@pytest.mark.parametrize("shares", [1.5, 2.0, 3.0, 7.0, 10.0, 1 / 8, 1 / 10, 1 / 20])
def test_a_split_that_is_not_adjusted_for_is_marked_for_a_year(netflix: pd.DataFrame, shares: float) -> None:
    bars = split(netflix[:900], 600, shares)
    for end in (601, 700, 600 + LOOK_BACK):
        [mark] = marks(bars[:end], KNOWN)
        assert mark.startswith(f"{bars['date'][600]:%Y-%m-%d} opens at")
        assert "split" in mark
    assert marks(bars[:600], KNOWN) == marks(bars[: 601 + LOOK_BACK], KNOWN) == ()


def test_a_move_like_a_splits_on_which_everybody_trades_is_news(netflix: pd.DataFrame) -> None:
    bars = split(netflix[:700], 600, 1.5)
    assert len(marks(bars, KNOWN)) == 1
    bars.loc[600:600, "volume"] *= 10
    assert marks(bars, KNOWN) == ()


@pytest.mark.parametrize(("missing", "marked"), [(1, False), (4, False), (5, True), (80, True)])
def test_a_gap_is_marked_from_a_week_on(netflix: pd.DataFrame, missing: int, marked: bool) -> None:
    bars = netflix[:900].drop(index=range(700, 700 + missing))
    day = f"{netflix['date'][700 + missing]:%Y-%m-%d}"
    expected = (f"no bar of {missing} sessions before {day}",) if marked else ()
    assert marks(bars[:800], KNOWN) == expected


@pytest.mark.parametrize(("sessions", "marked"), [(19, False), (20, True), (250, True)])
def test_prices_that_stand_still_for_a_month_are_marked(
    netflix: pd.DataFrame, sessions: int, marked: bool
) -> None:
    bars = netflix[:1000].copy()
    bars.loc[1000 - sessions :, PRICES] = bars["close_price"][1000 - sessions]
    last = f"{bars['date'][999]:%Y-%m-%d}"
    assert marks(bars, KNOWN) == ((f"the same close in {sessions} sessions up to {last}",) if marked else ())


def test_a_symbol_that_the_model_does_not_know_is_marked(netflix: pd.DataFrame) -> None:
    assert marks(netflix, frozenset({"AAPL"})) == ("the model was not trained on NFLX",)
    assert marks(netflix, None) == ()


@pytest.mark.parametrize("price", [np.nan, np.inf, 0.0, -1.0])
def test_a_price_that_is_none_is_refused_by_forecast_and_training(
    netflix: pd.DataFrame, price: float
) -> None:
    bars = netflix[:700].copy()
    bars.loc[400, "low_price"] = price
    for check in (check_usable, check_learnable):
        with pytest.raises(ForecastError, match="NFLX on 2014-08"):
            check(bars)


def test_too_few_rows_and_prices_that_never_move_are_refused(netflix: pd.DataFrame) -> None:
    with pytest.raises(ForecastError, match="60 daily bars of NFLX; there are 59"):
        check_usable(netflix[:59])
    with pytest.raises(ForecastError, match="there are 0"):
        check_usable(netflix[:0])
    still = netflix[:700].copy()
    still[PRICES] = 50.0
    with pytest.raises(ForecastError, match="prices that move"):
        check_learnable(still)
    check_learnable(pd.concat([still.assign(stock_symbol="STILL"), netflix[:700]]))


def test_marks_are_carried_by_every_horizon(netflix: pd.DataFrame) -> None:
    answer = np.linspace(90, 110, 7) * np.ones((3, 1))
    made = forecast_next(netflix[:700], Champion("m/1", lambda bars: answer, frozenset()))
    assert [one.marks for one in made] == [("the model was not trained on NFLX",)] * 3
    assert [one.date for one in made] == [day.date() for day in netflix["date"][700:703]]
    assert [one.horizon for one in made] == [1, 2, 3]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0, -3.0, 500.0])
def test_an_answer_that_is_no_price_or_out_of_order_is_refused(netflix: pd.DataFrame, wrong: float) -> None:
    answer = np.linspace(90, 110, 7)[None, :].copy()
    answer[0, 2] = wrong
    with pytest.raises(ForecastError, match="no prices in ascending order"):
        forecast_next(netflix[:700], champion(answer))
