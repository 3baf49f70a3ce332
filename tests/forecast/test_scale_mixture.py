"""The scale mixture against SciPy's distributions, finite differences, and data whose parameters are known."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from scipy import integrate, optimize, stats

from nearcast.forecast.model import QuantileForecaster
from nearcast.forecast.report_days import REPORT_FEATURES
from nearcast.forecast.scale_mixture import (
    LABEL_WEIGHT,
    LARGEST_SCALE,
    RIDGE,
    ScaleMixture,
    _log_density,
    _penalised_loss,
    _start,
    report_design,
)
from nearcast.forecast.windows import Samples
from nearcast.schema import QUANTILE_LEVELS, SESSIONS_AHEAD

Array = npt.NDArray[np.float64]


def mixture_of(model: ScaleMixture, row: pd.DataFrame, horizon: int) -> tuple[float, Any, Any]:
    """Return the report's probability and SciPy's two distributions of one row, from the model's document."""
    document = model.document()
    one = {name: np.array(value) for name, value in document["horizons"][horizon - 1].items()}
    z = (row[list(document["names"])].to_numpy()[0] - document["mean"]) / np.array(document["deviation"])
    log_scale = float(one["scale_base"] + z @ one["scale"])
    move, surprise = row[["log_report_move", "log_report_surprise"]].to_numpy()[0]
    above = one["jump"] @ [1, move - log_scale - 1.3, surprise]
    # before two reports are known their usual move is taken for 0 in log, which is beyond the largest scale
    scales = np.exp(log_scale), min(np.exp(log_scale) * (1 + np.exp(above)), LARGEST_SCALE)
    probability = 1 / (1 + np.exp(-float(report_design(row)[0] @ one["report"])))
    core = stats.t(one["freedom"], loc=scales[0] * one["shift"], scale=scales[0])
    report = stats.t(one["jump_freedom"], loc=scales[1] * one["jump_shift"], scale=scales[1])
    return probability, core, report


@pytest.mark.parametrize("row", [0, 17, 300, 555, 840])
def test_the_distribution_function_at_each_quantile_is_its_level(
    tiny_forecaster: QuantileForecaster, tiny_samples: Samples, row: int
) -> None:
    mine = tiny_samples.take(np.array([row]))
    quantiles = tiny_forecaster.mixture.quantiles(mine)[0]
    for horizon in range(1, SESSIONS_AHEAD + 1):
        p, core, report = mixture_of(tiny_forecaster.mixture, mine.features, horizon)
        reached = (1 - p) * core.cdf(quantiles[horizon - 1]) + p * report.cdf(quantiles[horizon - 1])
        np.testing.assert_allclose(reached, QUANTILE_LEVELS, rtol=0, atol=1e-6)


def test_the_likeliest_report_days_are_wide_and_known_as_such(
    tiny_forecaster: QuantileForecaster, tiny_samples: Samples
) -> None:
    _, jump, probability, _ = tiny_forecaster.mixture._distribution(tiny_samples.features)
    usual = tiny_forecaster.mixture._distribution(tiny_samples.features)[0]
    assert (jump >= usual).all()
    learnt = np.arange(len(tiny_samples)) < 500
    reported = learnt & (tiny_samples.report == 1)
    assert probability[reported, 0].mean() > 5 * probability[learnt & (tiny_samples.report == 0), 0].mean()


def test_quantiles_ascend_for_every_day_and_horizon_and_widen_with_it(
    tiny_forecaster: QuantileForecaster, tiny_samples: Samples
) -> None:
    quantiles = tiny_forecaster.mixture.quantiles(tiny_samples)
    assert quantiles.shape == (len(tiny_samples), SESSIONS_AHEAD, len(QUANTILE_LEVELS))
    assert (np.diff(quantiles, axis=2) > 0).all()
    widths = np.median(quantiles[..., 4] - quantiles[..., 2], axis=0)
    assert widths[9] > 2 * widths[0]
    one = tiny_forecaster.mixture.quantiles(tiny_samples.take(np.array([333])))
    np.testing.assert_array_equal(one, quantiles[333:334])  # to the bit, however many rows are asked for


@pytest.mark.parametrize("freedom", [-2.0, 0.5, 3.0])
@pytest.mark.parametrize("shift", [-0.4, 0.0, 0.2])
def test_the_density_is_scipys_integrates_to_one_and_is_the_slope_of_the_distribution_function(
    freedom: float, shift: float
) -> None:
    scale = 0.02

    def density(value: float) -> float:
        terms = [torch.tensor(one, dtype=torch.float64) for one in (value, np.log(scale), freedom, shift)]
        return float(torch.exp(_log_density(*terms)))

    expected = stats.t(2 + np.exp(freedom), loc=scale * shift, scale=scale)
    for value in (-0.3, -0.02, 0.0, 0.01, 0.1):
        assert density(value) == pytest.approx(expected.pdf(value), rel=1e-9)
        step = 1e-6
        slope = (expected.cdf(value + step) - expected.cdf(value - step)) / (2 * step)
        assert density(value) == pytest.approx(slope, rel=1e-3)
    parts = [integrate.quad(density, low, low + 0.1, limit=100)[0] for low in np.arange(-1, 1, 0.1)]
    tails = 2 * stats.t(2 + np.exp(freedom)).sf(1 / scale)
    assert sum(parts) == pytest.approx(1 - tails, abs=2e-4)


def small_problem(rows: int = 40) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return parameters and data of a small fit, some rows without a label."""
    random = np.random.default_rng(3)
    tensors = {
        "design": random.normal(size=(rows, 3)),
        "report": np.c_[np.ones(rows), random.normal(size=(rows, 2))],
        "size": random.normal(-2, 0.5, (rows, 2)),
        "returns": random.standard_t(4, rows) * 0.02,
        "label": (random.random(rows) < 0.2) * 1.0,
        "labelled": (random.random(rows) < 0.8) * 1.0,
    }
    data = {name: torch.tensor(values) for name, values in tensors.items()}
    parameters = _start(data)
    with torch.no_grad():
        for value in parameters.values():
            value += 0.2 * torch.tensor(random.normal(size=tuple(value.shape)))
    return parameters, data


def test_the_penalised_loss_is_the_one_written_out_with_scipy() -> None:
    parameters, data = small_problem()
    p = {name: value.detach().numpy() for name, value in parameters.items()}
    d = {name: value.numpy() for name, value in data.items()}
    total = 0.0
    for row in range(40):
        log_scale = p["scale_base"] + d["design"][row] @ p["scale"]
        above = p["jump"] @ [1, d["size"][row, 0] - log_scale - 1.3, d["size"][row, 1]]
        usual, jump = np.exp(log_scale), np.exp(log_scale) * (1 + np.exp(above))
        probability = stats.logistic.cdf(d["report"][row] @ p["report"])
        core = stats.t(2 + np.exp(p["freedom"]), loc=usual * p["shift"], scale=usual)
        report = stats.t(2 + np.exp(p["jump_freedom"]), loc=jump * p["jump_shift"], scale=jump)
        value = d["returns"][row]
        total -= np.log((1 - probability) * core.pdf(value) + probability * report.pdf(value))
        if d["labelled"][row]:
            total -= LABEL_WEIGHT * stats.bernoulli.logpmf(int(d["label"][row]), probability)
    penalty = RIDGE * (
        (p["scale"] ** 2).sum() + 0.1 * (p["jump"][1:] ** 2).sum() + 0.03 * (p["report"][1:] ** 2).sum()
    )
    assert _penalised_loss(parameters, data).item() == pytest.approx(total / 40 + penalty, rel=1e-9)


def test_the_gradient_of_the_loss_is_that_of_finite_differences() -> None:
    parameters, data = small_problem()
    names = list(parameters)

    def loss(*values: torch.Tensor) -> torch.Tensor:
        return _penalised_loss(dict(zip(names, values, strict=True)), data)

    assert torch.autograd.gradcheck(loss, list(parameters.values()), eps=1e-6, atol=1e-6)
    gradient = torch.autograd.grad(loss(*parameters.values()), list(parameters.values()))
    flat = np.concatenate([value.detach().numpy().ravel() for value in parameters.values()])
    shapes = [value.shape for value in parameters.values()]

    def of_flat(values: Array) -> float:
        parts = torch.split(torch.tensor(values), [shape.numel() for shape in shapes])
        return float(loss(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))))

    expected = optimize.approx_fprime(flat, of_flat, 1e-7)
    np.testing.assert_allclose(np.concatenate([g.numpy().ravel() for g in gradient]), expected, atol=1e-5)


TRUE_SCALE = {"one": 0.3, "two": -0.2, "none": 0.0}
JUMP = 5.0


def simulated(rows: int) -> Samples:
    """Return samples of known parameters: a tenth of them report days, which the calendar names, and most labels."""
    random = np.random.default_rng(11)
    table = pd.DataFrame(0.0, index=range(rows), columns=[*REPORT_FEATURES, *TRUE_SCALE])
    for name in TRUE_SCALE:
        table[name] = random.normal(1, 2, rows)
    reports = random.random(rows) < 0.1
    table["report_scheduled"] = reports * 1.0
    table["log_report_move"] = np.log(0.08)
    table["log_report_surprise"] = np.log(6.0)
    log_scale = np.log(0.015) + sum(
        coefficient * (table[name].to_numpy() - 1) / 2 for name, coefficient in TRUE_SCALE.items()
    )
    returns = np.exp(log_scale) * (random.standard_t(5, rows) + 0.1) * np.where(reports, JUMP, 1)
    return Samples(
        features=table,
        windows=np.zeros((rows, 1, 1), np.float32),
        log_return=np.repeat(returns[:, None], SESSIONS_AHEAD, axis=1),
        range_volatility=np.zeros(rows),
        report=np.where(random.random(rows) < 0.9, reports * 1.0, np.nan),
        last_close=np.ones(rows),
        date=np.datetime64("2000-01-01") + np.arange(rows),
        symbol=np.full(rows, "MADE"),
    )


def test_the_parameters_of_simulated_returns_are_found_again() -> None:
    made = simulated(8000)
    made.log_return[7000:, 0] = np.nan  # not known yet: must not count
    model = ScaleMixture.fit(made, tuple(TRUE_SCALE), horizons=1)
    one = model.horizons[0]
    shrunk = 1.02  # by the ridge
    np.testing.assert_allclose(one["scale"] * shrunk, list(TRUE_SCALE.values()), atol=0.04)
    assert np.exp(one["scale_base"]) == pytest.approx(0.015, rel=0.08)
    assert one["shift"] == pytest.approx(0.1, abs=0.05)
    usual, jump, probability, _ = model._distribution(made.features)
    reports = made.features["report_scheduled"].to_numpy() == 1
    assert probability[reports].mean() > 0.85  # the penalty holds it back from 1
    assert probability[~reports].mean() < 0.03
    assert np.median(jump[reports] / usual[reports]) == pytest.approx(JUMP, rel=0.25)

    def likelihood(freedom: float) -> float:
        """Return the mean log likelihood of what is known, by SciPy, with other degrees of freedom."""
        s, j, p, r = (x[:7000, 0] for x in (usual, jump, probability, simulated(8000).log_return))
        core = stats.t.pdf(r, freedom, loc=s * one["shift"], scale=s)
        report = stats.t.pdf(r, one["jump_freedom"], loc=j * one["jump_shift"], scale=j)
        return float(np.log((1 - p) * core + p * report).mean())

    freedom = float(one["freedom"])
    assert freedom == pytest.approx(5, abs=1.2)
    assert likelihood(freedom) > max(likelihood(freedom - 0.4), likelihood(freedom + 0.4))
    quantiles = model.quantiles(made)[:, 0]
    for kind in (reports, ~reports):
        below = (simulated(8000).log_return[kind, :1] <= quantiles[kind]).mean(axis=0)
        np.testing.assert_allclose(below, QUANTILE_LEVELS, atol=0.035)


def test_a_model_survives_its_document_as_json(
    tiny_forecaster: QuantileForecaster, tiny_samples: Samples
) -> None:
    read = ScaleMixture.of_document(json.loads(json.dumps(tiny_forecaster.mixture.document())))
    mine = tiny_samples.take(np.arange(0, 800, 100))
    np.testing.assert_array_equal(read.quantiles(mine), tiny_forecaster.mixture.quantiles(mine))


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_features_beyond_all_that_was_seen_lead_to_finite_quantiles(
    tiny_forecaster: QuantileForecaster, tiny_samples: Samples
) -> None:
    mine = tiny_samples.take(np.arange(0, 800, 100))
    names = list(tiny_forecaster.mixture.names)
    for far in (-20.0, 20.0):
        wild = mine.features.assign(**{name: mine.features[name] + far for name in names})
        usual, jump, *_ = tiny_forecaster.mixture._distribution(wild)
        assert max(usual.max(), jump.max()) <= LARGEST_SCALE
        quantiles = tiny_forecaster.mixture.quantiles(Samples(**{**vars(mine), "features": wild}))
        assert np.isfinite(quantiles).all()
        assert (np.diff(quantiles, axis=2) >= 0).all()
