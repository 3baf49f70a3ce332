"""The log-HAR model finds the parameters that made the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from nearcast.forecast.baselines.har import HarT, LogScaleT, log_volatilities, negative_log_likelihood
from nearcast.forecast.baselines.last_close import LastClose
from nearcast.forecast.losses import coverage, pinball_loss
from nearcast.schema import QUANTILE_LEVELS

LEVELS = np.array(QUANTILE_LEVELS)


def test_the_likelihood_is_students_and_its_gradient_is_right() -> None:
    random = np.random.default_rng(0)
    design = np.c_[np.ones(200), random.normal(size=(200, 3))]
    outcomes = 0.02 * random.standard_t(5, 200)
    parameters = np.array([-4.0, 0.3, -0.2, 0.1, 0.05, 1.2])
    scale = np.exp(design @ parameters[:4])
    density = stats.t.logpdf(outcomes / scale - 0.05, 2 + np.exp(1.2)) - np.log(scale)
    loss, gradient = negative_log_likelihood(parameters, design, outcomes)
    assert loss == pytest.approx(-density.mean(), rel=1e-12)
    numeric = optimize.approx_fprime(
        parameters, lambda at: negative_log_likelihood(at, design, outcomes)[0], 1e-7
    )
    assert gradient == pytest.approx(numeric, rel=1e-4, abs=1e-5)


def test_the_fit_finds_the_parameters_of_simulated_data() -> None:
    random = np.random.default_rng(1)
    features = random.normal(-4, 0.5, size=(20000, 2))
    scale = np.exp(-1 + features @ [0.7, 0.2])
    fitted = LogScaleT.fit(features, scale * (0.05 + random.standard_t(5, 20000)))
    assert fitted.intercept == pytest.approx(-1, abs=0.15)
    assert fitted.slopes == pytest.approx([0.7, 0.2], abs=0.04)
    assert fitted.location == pytest.approx(0.05, abs=0.02)
    assert fitted.freedom == pytest.approx(5, abs=0.5)
    expected = np.exp(-1 - 3.6) * (0.05 + stats.t.ppf(LEVELS, 5))
    assert fitted.quantiles(np.array([[-4.0, -4.0]]))[0] == pytest.approx(expected, rel=0.1, abs=1e-4)


def test_on_real_prices_it_is_calibrated_and_ahead_of_the_last_close(all_bars: pd.DataFrame) -> None:
    days = all_bars["date"]
    past, known = all_bars[days < "2017-01-01"], all_bars[days < "2018-01-01"].reset_index(drop=True)
    wanted = (known["date"] >= "2017-01-01").to_numpy()
    model = HarT()
    model.fit(past.reset_index(drop=True))
    following = all_bars.groupby("stock_symbol")["close_price"].shift(-1)
    actual = np.log((following / all_bars["close_price"]).to_numpy())[(days < "2018-01-01").to_numpy()][
        wanted
    ]
    mine, theirs = (each.quantiles(known, wanted)[:, 0] for each in (model, LastClose()))
    assert pinball_loss(actual, mine, LEVELS).sum() < 0.98 * pinball_loss(actual, theirs, LEVELS).sum()
    assert coverage(actual, mine[:, 1], mine[:, 5]) == pytest.approx(0.8, abs=0.05)


def test_its_volatilities_are_the_features_of_the_champion(netflix: pd.DataFrame) -> None:
    from nearcast.forecast.features import features

    table = features(netflix)
    expected = table[[f"log_volatility_{days}" for days in (1, 5, 22, 66)]].to_numpy()
    np.testing.assert_allclose(log_volatilities(netflix), expected)
