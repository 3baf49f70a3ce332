"""When the champion's live record, or the world that it sees, asks for a new model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import comb, log

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from nearcast.forecast import drift
from nearcast.forecast.bootstrap import Interval
from nearcast.forecast.drift import BAND, SIGNIFICANCE, inputs, kept_promises, outcomes, reason
from nearcast.forecast.reference import RECENT_DAYS, Reference, measure, parse, quantities
from nearcast.forecast.scores import Scores
from nearcast.forecast.stability import LIMIT, limit_by_chance, stability_index
from nearcast.schema import QUANTILE_LEVELS

GOOD = Scores(
    made=100,
    scored=100,
    early=0,
    pinball_ratio=0.98,
    interval=Interval(0.98, 0.95, 1.01),
    coverage80=0.8,
    coverage95=0.95,
)
EXPECTED = np.diff([0.0, *QUANTILE_LEVELS, 1.0])


def two_sided(inside: int, days: int) -> float:
    """Return the exact two-sided binomial p-value by summing the outcomes that are at most as likely."""
    chance = [float(comb(days, k) * BAND**k * (1 - BAND) ** (days - k)) for k in range(days + 1)]
    return sum(p for p in chance if p <= chance[inside] * (1 + 1e-7))


def fallen(days: int, shares: npt.NDArray[np.float64], seed: int = 0) -> pd.DataFrame:
    """Return forecasts of consecutive days whose outcomes fall among the quantiles with these shares."""
    bins = np.random.default_rng(seed).choice(8, days, p=shares)
    return pd.DataFrame({"date": pd.date_range("2020-01-01", periods=days), "bin": bins})


def test_a_champion_that_keeps_its_promises_has_not_drifted() -> None:
    assert reason(kept_promises(GOOD)) is None


def test_too_few_days_say_nothing() -> None:
    signs = kept_promises(replace(GOOD, scored=20, coverage80=0.0))
    assert reason(signs) is None and [sign.value for sign in signs] == [None, None]


def test_a_loss_above_the_last_closes_with_its_whole_interval_is_drift() -> None:
    doubtful = replace(GOOD, pinball_ratio=1.05, interval=Interval(1.05, 0.99, 1.1))
    assert reason(kept_promises(doubtful)) is None
    worse = replace(GOOD, pinball_ratio=1.05, interval=Interval(1.05, 1.01, 1.1))
    assert "pinball" in str(reason(kept_promises(worse)))


@pytest.mark.parametrize("inside", range(60, 101))
def test_coverage_is_drift_where_an_exact_binomial_test_rejects_it(inside: int) -> None:
    drifted = reason(kept_promises(replace(GOOD, coverage80=inside / 100))) is not None
    assert drifted == (two_sided(inside, 100) < SIGNIFICANCE)


def test_the_index_is_that_of_its_definition() -> None:
    expected = 0.1 * log(0.6 / 0.5) + -0.1 * log(0.4 / 0.5)
    assert stability_index(np.array([0.5, 0.5]), np.array([6, 4])) == pytest.approx(expected)
    assert stability_index(EXPECTED, np.rint(EXPECTED * 1000).astype(int)) == pytest.approx(0)
    assert np.isfinite(stability_index(np.array([0.5, 0.5]), np.array([9, 0])))


@pytest.mark.parametrize("days", [60, 90])
def test_chance_exceeds_the_limit_of_few_values_once_in_a_hundred_times(days: int) -> None:
    counts = np.random.default_rng(1).multinomial(days, EXPECTED, 4000)
    beyond = np.mean([stability_index(EXPECTED, one) > limit_by_chance(days, 8) for one in counts])
    assert 0.002 < beyond < 0.025
    assert limit_by_chance(days, 8) > LIMIT == limit_by_chance(250, 8)


def test_outcomes_that_fall_as_promised_are_no_drift_and_others_are() -> None:
    assert not any(outcomes(fallen(days, EXPECTED, seed)).drifted for days in (70, 400) for seed in range(20))
    wide = np.r_[0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0]  # bands that are too wide
    shifted = np.r_[EXPECTED[2:], 0, 0]
    for shares in (wide, shifted / shifted.sum()):
        sign = outcomes(fallen(260, shares))
        assert sign.drifted and "stability index" in sign.words


def test_only_the_last_250_days_of_outcomes_count_and_60_are_needed() -> None:
    before = fallen(300, np.r_[np.zeros(7), 1])
    since = fallen(RECENT_DAYS, EXPECTED).assign(date=pd.date_range("2022-01-01", periods=RECENT_DAYS))
    assert not outcomes(pd.concat([before, since])).drifted
    assert outcomes(before).drifted
    few = outcomes(before[:59])
    assert (few.value, few.drifted) == (None, False)


def signs_of(reference: Reference, bars: pd.DataFrame) -> dict[str, bool]:
    newest = bars.groupby("stock_symbol").tail(310).reset_index(drop=True)
    return {sign.name: sign.drifted for sign in inputs(reference, newest)}


def test_the_newest_year_of_the_training_itself_is_no_drift(all_bars: pd.DataFrame) -> None:
    """So that a training on the newest days ends what asked for it."""
    for end in ("2019-06-28", "2020-06-30", "2023-09-21"):
        bars = all_bars[all_bars["date"] <= end].reset_index(drop=True)
        reference = parse(measure(bars).document())
        assert reference == measure(bars)
        assert set(signs_of(reference, bars).values()) == {False}


def wilder(bars: pd.DataFrame) -> pd.DataFrame:
    """Return prices that move four times as far each day."""
    middle = np.sqrt(bars["high_price"] * bars["low_price"])
    for name in ("high_price", "low_price"):
        bars[name] = middle * (bars[name] / middle) ** 4
    bars["close_price"] = np.exp(4 * np.log(bars["close_price"]))
    return bars


@pytest.mark.parametrize(
    ("change", "drifted"),
    [
        (wilder, {"log_return", "log_range"}),
        (lambda bars: bars.assign(close_price=bars["close_price"] * 50, low_price=bars["low_price"]), set()),
        (
            lambda bars: bars.assign(
                volume=(bars["volume"] * np.where(np.arange(len(bars)) % 2, 1, 20)).astype("int64")
            ),
            {"relative_volume"},
        ),
    ],
)
def test_a_world_that_changed_is_named(
    netflix: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], drifted: set[str]
) -> None:
    reference = measure(netflix[:2300])
    changed = change(netflix[2300:].reset_index(drop=True).copy())
    assert {name for name, found in signs_of(reference, changed).items() if found} == drifted


def test_too_little_training_or_too_few_new_days_are_not_judged(netflix: pd.DataFrame) -> None:
    short = measure(netflix[:600])
    assert {one.usual for one in short.distributions.values()} == {None}
    later = netflix[1000:1400].reset_index(drop=True)
    assert set(signs_of(short, wilder(later.copy())).values()) == {False}
    assert [sign.value for sign in inputs(measure(netflix), netflix[:100])] == [None] * 3
    assert [sign.value for sign in inputs(measure(netflix), netflix[:0])] == [None] * 3


def test_quantities_are_those_of_their_definition(all_bars: pd.DataFrame) -> None:
    table = quantities(all_bars)
    first = all_bars.groupby("stock_symbol").cumcount() < 59
    assert table["log_range"].isna().equals(first.rename("log_range"))
    for row in (59, 700, 3000):
        high, low, close, shares = (
            all_bars[name].to_numpy(float) for name in ("high_price", "low_price", "close_price", "volume")
        )
        volume = np.median(shares[row - 59 : row + 1])
        assert table["log_return"][row] == pytest.approx(log(close[row] / close[row - 1]))
        assert table["log_range"][row] == pytest.approx(log(log(high[row] / low[row])))
        assert table["relative_volume"][row] == pytest.approx(log(shares[row] / volume))


def test_the_reasons_of_all_signs_that_drifted_are_given() -> None:
    signs = [drift.Sign(name, 1.0, 0.5, name != "b", f"{name} is off") for name in "abc"]
    assert reason(signs) == "a is off; c is off"
