"""Each measure against a second way of computing it."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, norm

from nearcast.forecast.backtest.crps import crps
from nearcast.forecast.backtest.diebold_mariano import daily_means, diebold_mariano, lags, newey_west_variance
from nearcast.forecast.backtest.direction import direction
from nearcast.forecast.backtest.interval_score import winkler_score
from nearcast.forecast.backtest.rolling_coverage import rolling_coverage, worst_coverage
from nearcast.schema import QUANTILE_LEVELS

LEVELS = np.array(QUANTILE_LEVELS)


def closed_form(actual: np.ndarray, deviation: float) -> np.ndarray:
    """CRPS of a normal distribution (Gneiting and Raftery 2007, section 4.2)."""
    z = actual / deviation
    score: np.ndarray = deviation * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    return score


def test_the_crps_tends_to_its_closed_form_as_levels_are_added() -> None:
    actual = np.random.default_rng(0).normal(size=300)
    exact, errors = closed_form(actual, 1.3), []
    for count in (50, 500, 5_000):
        levels = (np.arange(count) + 0.5) / count
        quantiles = np.tile(1.3 * norm.ppf(levels), (len(actual), 1))
        errors.append(np.abs(crps(actual, quantiles, levels) - exact).max())
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
    assert errors[2] < 1e-3


def test_the_crps_of_seven_levels_is_as_much_too_small_as_it_says_and_smallest_for_the_truth() -> None:
    actual = np.random.default_rng(0).normal(size=200_000)
    scores = {
        scale: crps(actual, np.tile(scale * norm.ppf(LEVELS), (len(actual), 1)), LEVELS).mean()
        for scale in (0.9, 1.0, 1.1)
    }
    assert scores[1.0] / closed_form(actual, 1.0).mean() == pytest.approx(0.965, abs=0.002)
    assert min(scores, key=scores.__getitem__) == 1.0


def test_the_winkler_score_is_what_a_hand_computes() -> None:
    actual = np.array([0.0, -2.0, 3.5])
    low, high = np.full(3, -1.0), np.full(3, 3.0)
    # width 4; 1 below costs 2 / 0.2 · 1, 0.5 above 2 / 0.2 · 0.5
    assert winkler_score(actual, low, high, 0.8) == pytest.approx([4.0, 14.0, 9.0])
    # at 95 % a miss costs 40 times as much as it is wide
    assert winkler_score(actual, low, high, 0.95) == pytest.approx([4.0, 44.0, 24.0])


@pytest.mark.parametrize("horizon", [1, 5, 10])
def test_diebold_and_mariano_agree_with_a_regression_on_a_constant_with_hac_errors(horizon: int) -> None:
    random = np.random.default_rng(horizon)
    shared = np.convolve(random.normal(size=420), np.ones(6) / 6, "valid")
    loss, other = shared + random.exponential(size=415), 1.1 * random.exponential(size=415)
    count = lags(415, horizon)
    fitted = sm.OLS(loss - other, np.ones(415)).fit(
        cov_type="HAC", cov_kwds={"maxlags": count, "use_correction": False}
    )
    assert newey_west_variance(loss - other, count) == pytest.approx(fitted.bse[0] ** 2, rel=1e-10)
    factor = np.sqrt((415 + 1 - 2 * horizon + horizon * (horizon - 1) / 415) / 415)
    test = diebold_mariano(loss, other, horizon)
    assert test.statistic == pytest.approx(fitted.tvalues[0] * factor, rel=1e-10)
    swapped = diebold_mariano(other, loss, horizon)
    assert (swapped.statistic, swapped.p_value) == pytest.approx((-test.statistic, test.p_value))


def test_diebold_and_mariano_reject_equal_losses_about_5_times_in_100_though_days_depend_on_each_other() -> (
    None
):
    rejected = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        noise = np.convolve(random.normal(size=602), np.ones(3), "valid")
        rejected += diebold_mariano(noise, np.zeros(600)).p_value < 0.05
    assert 10 <= rejected <= 40


def test_models_that_never_differ_have_no_test() -> None:
    assert np.isnan(diebold_mariano(np.ones(50), np.ones(50)).p_value)
    assert np.isnan(diebold_mariano(np.ones(2), np.zeros(2)).p_value)


def test_daily_means_are_over_the_symbols_of_each_day() -> None:
    dates = np.array(["2020-01-03", "2020-01-02", "2020-01-03"], dtype="datetime64[D]")
    assert daily_means(np.array([1.0, 5.0, 3.0]), dates).tolist() == [5.0, 2.0]


def test_the_interval_of_the_direction_is_exact() -> None:
    actual = np.r_[np.ones(60), -np.ones(40), np.zeros(5), 1.0]
    median = np.r_[np.ones(57), -np.ones(3), np.ones(10), -np.ones(30), np.ones(5), 0.0]
    one = direction(actual, median)
    assert (one.forecasts, one.value, one.majority) == (100, 0.87, 0.6)
    assert one.low == pytest.approx(beta.ppf(0.025, 87, 14))
    assert one.high == pytest.approx(beta.ppf(0.975, 88, 13))
    assert direction(actual, np.zeros(106)).value is None


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 12))
def test_rolling_coverage_is_the_mean_of_each_window(hits: list[bool], window: int) -> None:
    expected = [np.mean(hits[at : at + window]) for at in range(len(hits) - window + 1)]
    assert rolling_coverage(np.array(hits), window).tolist() == pytest.approx(expected)


def test_the_worst_stretch_is_of_one_symbol_and_never_across_two() -> None:
    symbol = np.array(["A"] * 6 + ["B"] * 6)
    days = np.tile(np.datetime64("2020-01-01") + np.arange(6), 2)
    inside = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1], dtype=bool)
    worst = worst_coverage(inside, symbol, days, window=3)
    assert worst is not None
    assert worst.value == pytest.approx(1 / 3)
    assert worst.symbol == "A"
    assert (worst.first, worst.last) == ("2020-01-04", "2020-01-06")
    assert worst_coverage(inside, symbol, days, window=7) is None
