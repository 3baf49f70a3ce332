"""The networks' part: the ONNX model is the networks, unknown outcomes do not count, seeds and starts hold."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nearcast.forecast.horizon_pinball import HorizonPinball, NextSessionPinball
from nearcast.forecast.model import QuantileForecaster
from nearcast.forecast.network import CnnBiLstm, Mean
from nearcast.forecast.neural import (
    FINE_TUNING_EPOCHS,
    SKIP_LIMIT,
    NeuralQuantiles,
    Scaler,
    data,
    fit_networks,
    fit_settings,
    fresh_networks,
    horizon_loss,
    scale,
    skip_features,
    to_onnx,
)
from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY
from nearcast.forecast.windows import Samples
from nearcast.schema import QUANTILE_LEVELS, SESSIONS_AHEAD
from tests.forecast.conftest import TINY

Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def learn(tiny_samples: Samples) -> Samples:
    """150 samples; the outcomes of the last are not known at all horizons."""
    mine = tiny_samples.take(np.arange(150))
    outcomes = mine.log_return.copy()
    for horizon in range(2, SESSIONS_AHEAD + 1):
        outcomes[len(outcomes) - horizon + 1 :, horizon - 1] = np.nan
    return dataclasses.replace(mine, log_return=outcomes)


@pytest.fixture(scope="module")
def tuned_from(learn: Samples) -> list[CnnBiLstm]:
    """Networks fitted on `learn`."""
    return fit_networks(learn, TINY)[1]


def weights(networks: list[CnnBiLstm]) -> Array:
    """Return all weights and buffers of the networks as one vector."""
    return np.concatenate([value.numpy().ravel() for one in networks for value in one.state_dict().values()])


@pytest.mark.parametrize("rows", [1, 2, 33, 841])
def test_the_onnx_model_answers_what_the_networks_answer(
    tiny_forecaster: QuantileForecaster, tiny_samples: Samples, rows: int
) -> None:
    """On real samples, for one and for many at once, by way of PyTorch."""
    mine = tiny_samples.take(np.arange(len(tiny_samples) - rows, len(tiny_samples)))
    neural = tiny_forecaster.neural
    skip = skip_features(mine)
    standardised = ((skip - neural.scaler.mean) / neural.scaler.deviation).clip(-5, 5)
    answers = []
    with torch.no_grad():
        for network in tiny_forecaster.networks:
            network.eval()
            answers.append(network(torch.tensor(mine.windows), torch.tensor(standardised).float()).numpy())
    expected = np.mean(answers, axis=0) * np.exp(mine.features[EXPECTED_VOLATILITY].to_numpy())[:, None, None]
    quantiles = neural.quantiles(mine)
    np.testing.assert_allclose(quantiles, expected, rtol=1e-5, atol=1e-7)
    assert quantiles.shape == (rows, SESSIONS_AHEAD, len(QUANTILE_LEVELS))
    assert (np.diff(quantiles, axis=2) > 0).all()


def test_the_networks_have_learnt_to_differ_by_day_and_between_each_other(
    tiny_forecaster: QuantileForecaster, tiny_samples: Samples
) -> None:
    answers = tiny_forecaster.neural.quantiles(tiny_samples) / scale(tiny_samples)[:, None, None]
    assert answers.std(axis=0).min() > 1e-4
    one, two = (weights([network]) for network in tiny_forecaster.networks)
    assert np.abs(one - two).max() > 0.1


finite = st.floats(-5, 5, width=32)


@given(
    rows=st.lists(
        st.tuples(st.lists(finite, min_size=3, max_size=3), st.lists(st.booleans(), min_size=3, max_size=3)),
        min_size=1,
        max_size=8,
    ),
    seed=st.integers(0, 1000),
)
def test_the_loss_is_the_one_written_out_and_unknown_outcomes_have_no_gradient(
    rows: list[tuple[list[float], list[bool]]], seed: int
) -> None:
    outcomes = np.array([row[0] for row in rows])
    known = np.array([row[1] for row in rows])
    actual = np.where(known, outcomes, np.nan)
    random = np.random.default_rng(seed)
    quantiles = np.sort(random.normal(0, 2, (len(rows), 3, 7)).astype(np.float32), axis=2)
    horizon_weights = random.random(3).astype(np.float32)
    expected = 0.0
    for row, horizon in zip(*np.nonzero(known), strict=True):
        for level, quantile in zip(QUANTILE_LEVELS, quantiles[row, horizon], strict=True):
            error = outcomes[row, horizon] - quantile
            expected += horizon_weights[horizon] * (level * error if error > 0 else (level - 1) * error) / 7
    given_quantiles = torch.tensor(quantiles, requires_grad=True)
    loss = HorizonPinball(QUANTILE_LEVELS, horizon_weights.tolist())(
        given_quantiles, torch.tensor(actual).float()
    )
    assert loss.item() == pytest.approx(expected / len(rows), rel=1e-4, abs=1e-6)
    loss.backward()
    assert given_quantiles.grad is not None
    gradient = given_quantiles.grad.numpy()
    assert np.isfinite(gradient).all()
    assert (gradient[~known] == 0).all()
    assert (np.abs(gradient[known]) > 0).all() or (horizon_weights == 0).any()


def test_half_of_the_loss_is_the_next_sessions(learn: Samples) -> None:
    """Each horizon weighs by the reciprocal of the usual size of its outcomes."""
    targets = data(learn, Scaler.fit(skip_features(learn))).targets[0]
    loss = horizon_loss(targets)
    parts = loss.weights.numpy() * np.nanmean(np.abs(targets.numpy()), axis=0)
    np.testing.assert_allclose(parts, [0.5, *[0.5 / 9] * 9], rtol=1e-5)


def test_settings_are_chosen_by_the_next_session_in_log_returns() -> None:
    quantiles = torch.zeros(2, 3, 7) + torch.linspace(-1, 1, 7)
    actual = torch.tensor([[0.5, 9.0, 9.0], [-2.0, 9.0, 9.0]])
    scales = torch.tensor([0.01, 0.02])
    expected = []
    for outcome, size in ((0.5, 0.01), (-2.0, 0.02)):
        for level, quantile in zip(QUANTILE_LEVELS, np.linspace(-1, 1, 7), strict=True):
            expected.append(size * max(level * (outcome - quantile), (level - 1) * (outcome - quantile)))
    loss = NextSessionPinball(QUANTILE_LEVELS)(quantiles, actual, scales)
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_the_same_seed_gives_the_same_weights_to_the_bit_and_another_one_others(
    learn: Samples, tuned_from: list[CnnBiLstm]
) -> None:
    torch.manual_seed(99)  # whatever was drawn before
    again = fit_networks(learn, TINY)[1]
    np.testing.assert_array_equal(weights(again), weights(tuned_from))
    other = fit_networks(learn, dataclasses.replace(TINY, seed=2))[1]
    assert (weights(other) != weights(tuned_from)).any()
    # its first network is the second one of the seed before
    np.testing.assert_array_equal(weights(other[:1]), weights(tuned_from[1:]))


def test_fitting_leaves_the_callers_random_numbers_alone(learn: Samples) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit_networks(learn, TINY)
    assert torch.equal(torch.rand(3), expected)


def test_a_tuning_starts_with_the_weights_that_it_is_given(
    learn: Samples, tuned_from: list[CnnBiLstm]
) -> None:
    """A learning rate of 0 changes nothing, from whatever it starts; a small one changes little."""
    still = dataclasses.replace(TINY, learning_rate=0.0, epochs=3)
    start = copy.deepcopy(tuned_from)
    _, tuned, history = fit_networks(learn, still, start=start)
    np.testing.assert_array_equal(weights(tuned), weights(tuned_from))
    assert len(history) == FINE_TUNING_EPOCHS * TINY.network_seeds
    _, tuned, _ = fit_networks(learn, TINY, start=copy.deepcopy(tuned_from))
    moved = np.abs(weights(tuned) - weights(tuned_from)).max()
    steps = -(-len(learn) // TINY.batch_size) * FINE_TUNING_EPOCHS
    assert 0 < moved < 2 * 0.3 * TINY.learning_rate * steps  # Adam moves a weight by about the rate at most
    for one, two in zip(tuned, tuned_from, strict=True):
        assert torch.equal(one.head.base, two.head.base)


def test_a_tuned_forecaster_leaves_the_one_it_began_with_as_it_was(
    tiny_forecaster: QuantileForecaster, tiny_samples: Samples
) -> None:
    settings = (fit_settings(TINY, 1), fit_settings(TINY, 1, tuning=True))
    assert [one.learning_rate for one in settings] == pytest.approx([1e-3, 3e-4])
    assert [one.seed for one in settings] == [TINY.seed + 1] * 2
    before = weights(tiny_forecaster.networks)
    copied = copy.deepcopy(tiny_forecaster.networks)
    fit_networks(tiny_samples.take(np.arange(200)), TINY, start=copied)
    np.testing.assert_array_equal(weights(tiny_forecaster.networks), before)
    assert (weights(copied) != before).any()


def test_fresh_networks_answer_the_quantiles_of_the_training_days_whatever_they_are_asked(
    learn: Samples,
) -> None:
    known = data(learn, Scaler.fit(skip_features(learn)))
    networks = fresh_networks(TINY, known)
    assert len(networks) == TINY.network_seeds
    scaled = learn.log_return / np.exp(learn.features[EXPECTED_VOLATILITY].to_numpy())[:, None]
    random = torch.Generator().manual_seed(1)
    anything = [torch.randn(5, *tensor.shape[1:], generator=random) for tensor in known.inputs]
    for network in networks:
        network.eval()
        with torch.no_grad():
            answers = network(*anything).numpy()
        for horizon in range(SESSIONS_AHEAD):
            outcomes = scaled[np.isfinite(scaled[:, horizon]), horizon]
            expected = np.quantile(outcomes, QUANTILE_LEVELS)
            np.testing.assert_allclose(
                answers[:, horizon], np.repeat(expected[None], 5, axis=0), rtol=1e-4, atol=1e-4
            )


def test_skip_features_are_standardised_within_limits_and_a_constant_one_is_zero() -> None:
    random = np.random.default_rng(1)
    skip = np.c_[random.normal(3, 2, 500), np.full(500, 7.0)]
    scaler = Scaler.fit(skip)
    standardised = scaler.transform(skip)
    assert standardised.dtype == np.float32
    np.testing.assert_allclose(standardised.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(standardised.std(axis=0), [1, 0], atol=1e-3)
    far = scaler.transform(np.array([[1e9, -1e9]]))
    assert far.tolist() == [[SKIP_LIMIT, -SKIP_LIMIT]]


def test_the_mean_of_networks_and_its_document(
    tiny_forecaster: QuantileForecaster, tiny_samples: Samples
) -> None:
    class Constant(nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.value = value

        def forward(self, windows: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
            return torch.full((len(windows), 10, 7), self.value)

    assert Mean([Constant(1.0), Constant(4.0)])(torch.zeros(3, 10, 64), torch.zeros(3, 5)).unique() == 2.5
    neural = tiny_forecaster.neural
    onnx = to_onnx(tiny_forecaster.networks, TINY, skip_features(tiny_samples).shape[1])
    again = NeuralQuantiles(Scaler(*(np.array(one) for one in neural.document().values())), onnx)
    np.testing.assert_array_equal(again.quantiles(tiny_samples), neural.quantiles(tiny_samples))
