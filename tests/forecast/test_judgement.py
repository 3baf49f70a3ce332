"""Losses, baselines and intervals against a second way of computing them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_pinball_loss  # type: ignore[import-untyped]

from nearcast.forecast.baselines import last_close_bands
from nearcast.forecast.bootstrap import ratio_interval
from nearcast.forecast.evaluate import baseline_quantiles, evaluate, held_out
from nearcast.forecast.features import MINIMUM_HISTORY
from nearcast.forecast.losses import coverage, pinball_loss
from nearcast.schema import QUANTILE_LEVELS

LEVELS = np.array(QUANTILE_LEVELS)
BEGINNING = np.datetime64("1970-01-01")


def test_the_pinball_loss_equals_scikit_learns_at_each_level() -> None:
    random = np.random.default_rng(0)
    actual, quantiles = random.normal(size=300), random.normal(size=(300, 7))
    theirs = [mean_pinball_loss(actual, quantiles[:, k], alpha=level) for k, level in enumerate(LEVELS)]
    mine = pinball_loss(actual, quantiles, LEVELS).mean()
    assert mine == pytest.approx(np.mean(theirs), rel=1e-12)


def test_bands_are_the_quantiles_of_the_last_500_returns_and_of_no_later_one(netflix: pd.DataFrame) -> None:
    returns = np.diff(np.log(netflix["close_price"].to_numpy(float)))
    bands = last_close_bands(returns)
    for t in (60, 498, 499, 500, 2000, len(returns) - 1):
        expected = np.quantile(returns[max(0, t - 499) : t + 1], LEVELS)
        assert bands[t] == pytest.approx(expected, rel=1e-12)
    assert last_close_bands(returns[:1000])[-1].tolist() == bands[999].tolist()


def test_the_baseline_judged_against_itself_has_a_ratio_of_one(all_bars: pd.DataFrame) -> None:
    test = held_out(all_bars, BEGINNING)
    bands = baseline_quantiles(all_bars, test.rows)
    metrics = evaluate(test, bands, bands)
    assert [metrics[f"pinball_ratio{end}"] for end in ("", "_low", "_high")] == [1.0, 1.0, 1.0]
    assert metrics["coverage80"] == pytest.approx(0.8, abs=0.03)
    assert metrics["coverage95"] == pytest.approx(0.95, abs=0.02)


def test_held_out_days_are_those_since_a_day_whose_next_close_is_known(all_bars: pd.DataFrame) -> None:
    bars = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX"])]
    bars = bars[(bars["stock_symbol"] == "AAPL") | (bars["date"] >= "2022-12-01")].reset_index(drop=True)
    since = np.datetime64("2023-01-03")
    test = held_out(bars, since)
    expected = []
    for symbol, mine in bars.groupby("stock_symbol"):
        days, closes = mine["date"].to_numpy().astype("datetime64[D]"), mine["close_price"].tolist()
        expected += [
            (symbol, days[t], closes[t], np.log(closes[t + 1] / closes[t]))
            for t in range(MINIMUM_HISTORY - 1, len(mine) - 1)
            if days[t] >= since
        ]
    names, dates, last, returns = zip(*expected, strict=True)
    assert test.symbol.tolist() == list(names)
    assert test.date.tolist() == [day.item() for day in dates]
    assert test.last_close.tolist() == bars["close_price"][test.rows].tolist() == list(last)
    assert test.log_return == pytest.approx(np.array(returns))
    assert test.date[test.symbol == "NFLX"].min() > test.date[test.symbol == "AAPL"].min() == since


def test_knowing_the_outcome_beats_the_baseline_by_far(netflix: pd.DataFrame) -> None:
    test = held_out(netflix, BEGINNING)
    told = test.log_return[:, None] + np.linspace(-1e-4, 1e-4, 7)
    assert evaluate(test, told, baseline_quantiles(netflix, test.rows))["pinball_ratio_high"] < 0.02


def test_the_interval_covers_a_known_ratio_about_95_times_in_100() -> None:
    days = np.datetime64("2020-01-01", "D") + np.arange(400)
    hits = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        bottom = random.exponential(size=400)
        interval = ratio_interval(0.9 * random.exponential(size=400), bottom, days, resamples=200)
        hits += interval.low <= 0.9 <= interval.high
    assert 85 <= hits <= 100


def test_blocks_keep_dependent_days_together_so_the_interval_is_wider() -> None:
    days = np.datetime64("2020-01-01", "D") + np.arange(600)
    top = np.repeat(np.random.default_rng(1).exponential(size=30), 20)
    apart = ratio_interval(top, np.ones(600), days, block=1)
    together = ratio_interval(top, np.ones(600), days)
    assert together.high - together.low > 2 * (apart.high - apart.low)


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=60), st.floats(0.1, 3))
def test_a_constant_ratio_has_no_spread(losses: list[float], factor: float) -> None:
    bottom = np.array(losses)
    days = np.datetime64("2020-01-01", "D") + np.arange(len(losses))
    interval = ratio_interval(factor * bottom, bottom, days, resamples=50)
    assert (interval.value, interval.low, interval.high) == pytest.approx((factor,) * 3)


def test_coverage_counts_the_ends_of_the_band() -> None:
    assert coverage(np.array([0.0, 1.0, 2.0, 3.0]), np.ones(4), np.full(4, 2.0)) == 0.5
