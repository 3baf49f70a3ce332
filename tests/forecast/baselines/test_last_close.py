"""Last close, drift and EWMA against the same said in loops."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from nearcast.forecast.baselines.drift import Drift
from nearcast.forecast.baselines.ewma import Ewma
from nearcast.forecast.baselines.last_close import LastClose
from nearcast.schema import QUANTILE_LEVELS

DAYS = (60, 300, 505, 1500, 2698)
HORIZONS = (1, 2, 10)


@pytest.mark.parametrize("day", DAYS)
def test_the_bands_are_quantiles_of_the_last_500_overlapping_returns(netflix: pd.DataFrame, day: int) -> None:
    close = netflix["close_price"].to_numpy(float)
    quantiles = LastClose().quantiles(netflix, np.arange(len(netflix)) == day)[0]
    for horizon in HORIZONS:
        ends = range(max(horizon, day - 499), day + 1)
        past = [np.log(close[end] / close[end - horizon]) for end in ends]
        assert quantiles[horizon - 1] == pytest.approx(np.quantile(past, QUANTILE_LEVELS), rel=1e-9)


@pytest.mark.parametrize("day", DAYS)
def test_drift_is_the_mean_past_return_shifted_by_quantiles_of_its_errors(
    netflix: pd.DataFrame, day: int
) -> None:
    returns = np.diff(np.log(netflix["close_price"].to_numpy(float)))  # that of row t is returns[t - 1]
    quantiles = Drift().quantiles(netflix, np.arange(len(netflix)) == day)[0]
    for horizon in HORIZONS:
        errors = [
            returns[end - horizon : end].sum() - horizon * returns[: end - horizon].mean()
            for end in range(max(horizon + 1, day - 499), day + 1)
        ]
        expected = horizon * returns[:day].mean() + np.quantile(errors, QUANTILE_LEVELS)
        assert quantiles[horizon - 1] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_ewma_scales_quantiles_of_standardised_returns(netflix: pd.DataFrame) -> None:
    returns = np.diff(np.log(netflix["close_price"].to_numpy(float)))
    variance = [0.0]
    for value in returns:
        variance.append(0.94 * variance[-1] + 0.06 * value**2)  # the start is forgotten by day 1000
    volatility = np.sqrt(variance)
    for day in (1500, 2698):
        quantiles = Ewma().quantiles(netflix, np.arange(len(netflix)) == day)[0]
        for horizon in HORIZONS:
            scaled = [
                returns[end - horizon : end].sum() / (volatility[end - horizon] * np.sqrt(horizon))
                for end in range(day - 499, day + 1)
            ]
            expected = volatility[day] * np.sqrt(horizon) * np.quantile(scaled, QUANTILE_LEVELS)
            assert quantiles[horizon - 1] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", [LastClose, Ewma])
def test_all_days_of_six_symbols_take_less_than_a_few_seconds(
    all_bars: pd.DataFrame, kind: type[LastClose | Ewma]
) -> None:
    started = time.process_time()
    quantiles = kind().quantiles(all_bars, np.ones(len(all_bars), bool))
    assert time.process_time() - started < 3  # 0.6 s here; a loop over days takes 20
    assert np.isnan(quantiles).any(axis=(1, 2)).sum() == 6 * 60
