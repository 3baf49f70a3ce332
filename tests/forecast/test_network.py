"""The network sees the newest days, never a later one, and its quantiles never cross."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nearcast.forecast.network import CausalConvolutions, CnnBiLstm, Mean, QuantileHead
from nearcast.forecast.recipes import QUANTILE
from nearcast.schema import QUANTILE_LEVELS

BASE = [[-2.1, -1.2, -0.6, 0.03, 0.7, 1.3, 2.2], [-3.2, -1.7, -0.8, 0.05, 0.9, 1.9, 3.1]]
"""Of two horizons."""


@pytest.fixture
def network() -> CnnBiLstm:
    """A network with random weights in its last layer too, which starts from zeros otherwise."""
    torch.manual_seed(3)
    made = CnnBiLstm(QUANTILE, 3, 5, BASE)
    torch.nn.init.normal_(made.output.weight)
    return made.eval()


@pytest.mark.parametrize("window", [64, 63, 100])
def test_each_of_the_newest_six_days_has_a_gradient(network: CnnBiLstm, window: int) -> None:
    windows = torch.randn(16, 3, window, requires_grad=True)
    network(windows, torch.randn(16, 5)).sum().backward()
    assert windows.grad is not None
    assert (windows.grad[:, :, -6:].abs().sum(dim=0) > 0).all()


@pytest.mark.parametrize("window", [64, 63, 100])
def test_the_newest_day_reaches_only_the_newest_step_of_the_convolutions(window: int) -> None:
    convolutions = CausalConvolutions((1, 4, 8, 4))
    windows = torch.randn(2, 1, window)
    changed = windows.clone()
    changed[:, :, -1] += 10
    before, after = convolutions(windows), convolutions(changed)
    assert torch.equal(before[:, :, :-1], after[:, :, :-1])
    assert not torch.equal(before[:, :, -1], after[:, :, -1])


def test_a_fresh_network_answers_the_base_quantiles() -> None:
    fresh = CnnBiLstm(QUANTILE, 3, 5, BASE).eval()
    quantiles = fresh(torch.randn(4, 3, 64), torch.randn(4, 5))
    torch.testing.assert_close(quantiles, torch.tensor(BASE).expand(4, 2, 7))


@given(st.lists(st.floats(-1e4, 1e4), min_size=14, max_size=14))
def test_quantiles_never_cross_whatever_the_outputs(outputs: list[float]) -> None:
    quantiles = QuantileHead(BASE)(torch.tensor([outputs]).reshape(1, 2, 7))
    assert (quantiles.diff(dim=-1) >= 0).all()
    assert torch.isfinite(quantiles).all()


def test_the_shapes_follow_the_recipe() -> None:
    network = CnnBiLstm(replace(QUANTILE, channels=(4, 8, 4), hidden=(6, 3), head=5), 4, 9, BASE)
    assert network(torch.zeros(6, 4, 64), torch.zeros(6, 9)).shape == (6, 2, len(QUANTILE_LEVELS))
    assert network.output.in_features == 5 + 2 * 3 + 9


def test_the_mean_of_networks_is_the_mean_of_their_answers(network: CnnBiLstm) -> None:
    other = CnnBiLstm(QUANTILE, 3, 5, [[2 * value for value in row] for row in BASE]).eval()
    inputs = torch.randn(4, 3, 64), torch.randn(4, 5)
    torch.testing.assert_close(Mean([network, other])(*inputs), (network(*inputs) + other(*inputs)) / 2)
