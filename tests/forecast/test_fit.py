"""Lightning fits what the bare loop fits; a batch split over workers is the same batch; the machine decides how."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nearcast.bench.train import bare_epochs
from nearcast.forecast.device import COMPILE_STEPS, Capabilities, capabilities, device_settings
from nearcast.forecast.fit import Batches, Data, FitSettings, Worker, fit, learning_rate_share, share_of
from nearcast.forecast.horizon_pinball import HorizonPinball, NextSessionPinball
from nearcast.forecast.losses import pinball_loss
from nearcast.forecast.network import CnnBiLstm
from nearcast.forecast.recipes import QUANTILE
from nearcast.schema import QUANTILE_LEVELS

BASE = [[-2.1, -1.2, -0.6, 0.03, 0.7, 1.3, 2.2], [-3.0, -1.7, -0.8, 0.05, 0.9, 1.9, 3.1]]
SETTINGS = FitSettings(
    epochs=2, batch_size=32, learning_rate=1e-2, weight_decay=1e-2, gradient_clip=0.05, seed=3
)
LEVELS = np.array(QUANTILE_LEVELS)
WEIGHTS = [0.7, 0.2]
LOSS = HorizonPinball(QUANTILE_LEVELS, WEIGHTS)


def network() -> CnnBiLstm:
    """A small network with dropout, always of the same weights."""
    torch.manual_seed(5)
    return CnnBiLstm(replace(QUANTILE, channels=(3, 4), hidden=(4, 3), head=3), 3, 5, BASE)


def data(rows: int) -> Data:
    """Random rows, always the same, with a later outcome that is not known of every fifth."""
    generator = torch.Generator().manual_seed(7)
    inputs = torch.randn(rows, 3, 16, generator=generator), torch.randn(rows, 5, generator=generator)
    outcomes = torch.randn(rows, 2, generator=generator)
    outcomes[::5, 1] = torch.nan
    return Data(inputs, (outcomes,))


def weights(module: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(module.parameters()).detach()


def test_lightning_and_the_bare_loop_give_the_same_weights() -> None:
    ours, bare = network(), network()
    history = fit(ours, LOSS, data(100), SETTINGS)
    bare_epochs(bare, LOSS, data(100), SETTINGS)
    torch.testing.assert_close(weights(ours), weights(bare), rtol=0, atol=1e-6)
    assert not torch.equal(weights(ours), weights(network()))
    assert [set(epoch) for epoch in history] == [{"train_loss"}] * SETTINGS.epochs


def test_a_fit_depends_on_its_seed_and_not_on_what_was_drawn_before() -> None:
    first, second, other = network(), network(), network()
    fit(first, LOSS, data(50), SETTINGS)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    fit(second, LOSS, data(50), SETTINGS)
    assert torch.equal(torch.get_rng_state(), before)
    fit(other, LOSS, data(50), replace(SETTINGS, seed=4))
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(other))


def test_every_epoch_is_told_and_the_best_ones_weights_stay() -> None:
    told: list[tuple[int, dict[str, float]]] = []
    fitted, judge = network(), data(2000)  # two validation batches
    settings = replace(SETTINGS, epochs=5, learning_rate=0.2, gradient_clip=1.0)
    history = fit(fitted, LOSS, data(100), settings, judge, lambda *epoch: told.append(epoch))
    assert told == list(enumerate(history, start=1))
    losses = [epoch["validation_loss"] for epoch in history]
    assert min(losses) < losses[-1]  # or this test would say nothing
    with torch.inference_mode():
        loss = LOSS(fitted.eval()(*judge.inputs), *judge.targets)
    assert float(loss) == pytest.approx(min(losses), rel=1e-5)


def test_the_validation_may_be_judged_in_other_units() -> None:
    fitted, judge = network(), data(60)
    scale = torch.rand(60) * 0.02
    (history,) = fit(
        fitted,
        LOSS,
        data(60),
        replace(SETTINGS, epochs=1),
        Data(judge.inputs, (*judge.targets, scale)),
        judged_by=NextSessionPinball(QUANTILE_LEVELS),
    )
    with torch.inference_mode():
        quantiles = fitted.eval()(*judge.inputs)[:, 0] * scale[:, None]
    loss = pinball_loss((judge.targets[0][:, 0] * scale).numpy(), quantiles.numpy(), LEVELS).mean()
    assert history["validation_loss"] == pytest.approx(float(loss), rel=1e-5)


def test_each_horizon_has_its_weight_and_an_unknown_outcome_counts_for_nothing() -> None:
    (outcomes,), quantiles = data(100).targets, torch.randn(100, 2, 7)
    by_hand = 0.0
    for horizon, weight in enumerate(WEIGHTS):
        known = torch.isfinite(outcomes[:, horizon])
        mine = outcomes[known, horizon].numpy(), quantiles[known, horizon].numpy()
        by_hand += weight * float(pinball_loss(*mine, LEVELS).sum()) / len(outcomes)
    assert float(LOSS(quantiles, outcomes)) == pytest.approx(by_hand, rel=1e-5)


def test_ctrl_c_reaches_the_caller() -> None:
    def interrupt(number: int, epoch: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(network(), LOSS, data(50), SETTINGS, on_epoch=interrupt)


@given(st.integers(1, 40), st.integers(1, 16), st.integers(1, 5), st.booleans())
def test_the_workers_parts_make_up_each_batch_and_its_gradient(
    rows: int, size: int, world: int, shuffled: bool
) -> None:
    """The mean over the workers of what they compute is the whole batch's mean loss, and so is its gradient."""
    values = Data((torch.arange(rows, dtype=torch.float64),), (torch.arange(rows, dtype=torch.float64) ** 2,))

    def batches(worker: Worker) -> Batches:
        return Batches(values, size, torch.Generator().manual_seed(1) if shuffled else None, worker)

    whole = list(batches(Worker()))
    parts = [list(batches(Worker(rank, world))) for rank in range(world)]
    assert sorted(float(value) for inputs, *_ in whole for value in inputs[0]) == list(range(rows))
    for number, (inputs, targets, count, share) in enumerate(whole):
        mine = [part[number] for part in parts]
        assert share == 1.0 and count == len(inputs[0]) and {part[2] for part in mine} == {count}
        assert sum(part[3] for part in mine) == pytest.approx(1.0)
        held = [float(value) for part in mine if part[3] for value in part[0][0]]
        assert sorted(held) == sorted(inputs[0].tolist())
        slope = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        loss = nn.functional.mse_loss(slope * inputs[0], targets[0])
        split = sum(nn.functional.mse_loss(slope * part[0][0], part[1][0]) * part[3] * world for part in mine)
        assert isinstance(split, Tensor)
        (gradient,) = torch.autograd.grad(loss, slope)
        (of_parts,) = torch.autograd.grad(split / world, slope)
        torch.testing.assert_close(of_parts, gradient)


def test_a_worker_without_a_row_takes_part_for_nothing() -> None:
    mine, share = share_of(torch.tensor([4, 9]), rank=2, world=3)
    assert mine.tolist() == [4] and share == 0.0


def test_the_rate_rises_and_falls_to_zero() -> None:
    rates = [learning_rate_share(step, 100, 0.1) for step in range(100)]
    assert rates[:10] == sorted(rates[:10]) and rates[9:] == sorted(rates[9:], reverse=True)
    assert max(rates) == pytest.approx(1.0, abs=0.03) and rates[-1] < 1e-3
    assert learning_rate_share(0, 100, 0.0) == 1.0


def test_what_a_machine_has_decides_how_it_fits() -> None:
    cpu = device_settings(Capabilities(), steps=COMPILE_STEPS)
    assert (cpu.accelerator, cpu.precision, cpu.compiled, cpu.pinned) == ("cpu", "32-true", False, False)
    new = Capabilities(cuda=True, bf16=True, compiler=True)
    long, short = device_settings(new, COMPILE_STEPS), device_settings(new, COMPILE_STEPS - 1)
    assert (long.accelerator, long.precision, long.pinned) == ("cuda", "bf16-mixed", True)
    assert long.compiled and not short.compiled
    old = device_settings(Capabilities(cuda=True), COMPILE_STEPS)
    assert (old.accelerator, old.precision, old.compiled) == ("cuda", "32-true", False)
    assert capabilities().cuda == torch.cuda.is_available()
    torch.set_num_threads(2)
    fit(network(), LOSS, data(50), SETTINGS)
    assert torch.get_num_threads() == 1
