"""GARCH and EGARCH against arch's own forecasts, and on data that they have made themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from arch import arch_model

from nearcast.forecast.baselines.ewma import Ewma
from nearcast.forecast.baselines.garch import ConditionalVariance, EgarchT, GarchT, standard_t
from nearcast.forecast.losses import coverage
from nearcast.schema import QUANTILE_LEVELS

Array = npt.NDArray[np.float64]

KNOWN = 63 * 20
LEVELS = np.array(QUANTILE_LEVELS)


@pytest.fixture(scope="module")
def log_close(all_bars: pd.DataFrame) -> Array:
    """Log closes of NVDA."""
    closes = all_bars.loc[all_bars["stock_symbol"] == "NVDA", "close_price"]
    logarithms: Array = np.log(closes.to_numpy(float))
    return logarithms


def arch_answers(kind: type[ConditionalVariance], log_close: Array, **forecast: Any) -> tuple[Array, Any]:
    """Return arch's parameters at the close of the 1,260th return, and its forecasts from there on."""
    returns = 100 * np.diff(log_close[: KNOWN + 63])

    def model(values: Array) -> Any:
        return arch_model(values, mean="Constant", dist="t", rescale=False, **kind.volatility)

    parameters = model(returns[:KNOWN]).fit(disp="off").params
    fixed = model(returns).fix(parameters)
    return parameters.to_numpy(), fixed.forecast(start=KNOWN - 1, reindex=False, **forecast)


def test_garch_filters_and_looks_ahead_as_arch_does(log_close: Array) -> None:
    parameters, theirs = arch_answers(GarchT, log_close, horizon=10)
    model = GarchT()
    mine = model.of_symbol(log_close, np.arange(KNOWN, KNOWN + 63))
    horizon = np.arange(1, 11)[:, None]
    spread = np.sqrt(theirs.variance.to_numpy().cumsum(axis=1))[..., None]
    expected = (parameters[0] * horizon + spread * standard_t(LEVELS, parameters[-1])) / 100
    assert mine.shape == expected.shape
    np.testing.assert_allclose(mine, expected, rtol=1e-6, atol=1e-9)
    assert (model.fits, model.failed_fits) == (1, 0)


def test_egarch_filters_as_arch_does_and_its_paths_spread_like_archs(log_close: Array) -> None:
    parameters, theirs = arch_answers(EgarchT, log_close, horizon=1)
    mine = EgarchT().of_symbol(log_close, np.arange(KNOWN, KNOWN + 63))
    spread = np.sqrt(theirs.variance.to_numpy())
    expected = (parameters[0] + spread * standard_t(LEVELS, parameters[-1])) / 100
    np.testing.assert_allclose(mine[:, 0], expected, rtol=1e-5, atol=1e-8)
    draws = np.random.RandomState(7).standard_t
    _, paths = arch_answers(
        EgarchT,
        log_close,
        horizon=10,
        method="simulation",
        simulations=4000,
        rng=lambda size: draws(parameters[-1], size) * np.sqrt((parameters[-1] - 2) / parameters[-1]),
    )
    totals = (paths.simulations.values / 100).cumsum(axis=2)
    for horizon in (2, 10):
        theirs_quantiles = np.quantile(totals[..., horizon - 1], LEVELS, axis=1).T
        width = (theirs_quantiles[:, -1] - theirs_quantiles[:, 0])[:, None]
        assert (np.abs(mine[:, horizon - 1] - theirs_quantiles) / width).max() < 0.06


@pytest.mark.parametrize("kind", [GarchT, Ewma])
def test_coverage_is_nominal_on_data_of_a_garch_process(kind: type[GarchT | Ewma]) -> None:
    process = arch_model(None, mean="Constant", vol="GARCH", p=1, q=1, dist="t")
    process.distribution._generator = np.random.RandomState(5)
    returns = process.simulate([0.05, 0.08, 0.1, 0.87, 6], 3000)["data"].to_numpy() / 100
    log_close = np.r_[0.0, returns.cumsum()]
    days = np.arange(1000, 2990)
    quantiles = kind().of_symbol(log_close, days)
    for horizon, tolerance in ((1, 0.02), (10, 0.05)):
        actual = log_close[days + horizon] - log_close[days]
        answer = quantiles[:, horizon - 1]
        assert coverage(actual, answer[:, 1], answer[:, 5]) == pytest.approx(0.8, abs=tolerance)
        assert coverage(actual, answer[:, 0], answer[:, 6]) == pytest.approx(0.95, abs=tolerance)


def test_an_estimate_that_does_not_converge_keeps_the_last_parameters_and_is_counted(
    log_close: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = np.arange(KNOWN, KNOWN + 126)
    sound = GarchT().of_symbol(log_close, days)
    first = type(arch_model(np.zeros(3), mean="Constant"))
    fit, calls = first.fit, []

    def only_once(self: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(options)
        result = fit(self, *arguments, **options)
        if len(calls) > 1:
            result._optim_output.status = 9  # the iteration limit
        return result

    monkeypatch.setattr(first, "fit", only_once)
    model = GarchT()
    kept = model.of_symbol(log_close, days)
    assert (model.fits, model.failed_fits, len(calls)) == (2, 1, 3)  # from the last estimate, then afresh
    assert np.array_equal(kept[:63], sound[:63])
    assert np.isfinite(kept).all()
    assert not np.array_equal(kept[63:], sound[63:])
    late = GarchT()
    assert np.isnan(late.of_symbol(log_close, days)).all()
    assert late.failed_fits == late.fits == 2


def test_a_jump_as_of_a_split_leaves_finite_quantiles(log_close: Array) -> None:
    split = log_close - np.log(10) * (np.arange(len(log_close)) >= KNOWN + 5)
    for kind in (GarchT, EgarchT):
        assert np.isfinite(kind().of_symbol(split, np.arange(KNOWN, KNOWN + 20))).all()
