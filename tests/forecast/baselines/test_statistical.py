"""The models of statsforecast, carried on between estimates, against the library's own forecasts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nearcast.forecast.baselines.statistical import Arima, Ets, Statistical, Theta
from nearcast.schema import QUANTILE_LEVELS

ANCHOR = 63 * 10


@pytest.mark.parametrize("kind", [Arima, Ets, Theta])
def test_on_the_day_of_an_estimate_the_quantiles_are_the_librarys_intervals(
    netflix: pd.DataFrame, kind: type[Statistical]
) -> None:
    log_close = np.log(netflix["close_price"].to_numpy(float))
    mine = kind().of_symbol(log_close, np.array([ANCHOR, ANCHOR + 1]))
    path = log_close[: ANCHOR + 1] - log_close[0]
    theirs = kind().model().forecast(y=path, h=10, level=[50, 80, 95])
    names = ("lo-95", "lo-80", "lo-50", "mean", "hi-50", "hi-80", "hi-95")
    expected = np.stack([np.asarray(theirs[name]) for name in names], axis=1) - path[-1]
    np.testing.assert_allclose(mine[0], expected, rtol=1e-5, atol=1e-6)
    step = log_close[ANCHOR + 1] - log_close[ANCHOR]
    # the next day is carried on from its own close, with the same spread
    assert np.abs(mine[1, 0, 3]) < np.abs(step) + 0.01
    assert np.ptp(mine[1, 0]) == pytest.approx(np.ptp(mine[0, 0]), rel=0.1)


def test_ets_on_a_random_walk_forecasts_its_last_value_with_normal_bands() -> None:
    walk = np.random.default_rng(3).normal(0, 0.02, 1100).cumsum()
    quantiles = Ets().of_symbol(walk, np.arange(1071, 1090))
    expected = 0.02 * stats.norm.ppf(QUANTILE_LEVELS)
    assert np.abs(quantiles[:, 0].mean(axis=0) - expected).max() < 0.003
    spread = quantiles[:, :, -1] - quantiles[:, :, 0]
    assert (spread[:, 3] / spread[:, 0]).mean() == pytest.approx(2, rel=0.1)  # √4
