"""Lightning's epoch beside a bare PyTorch loop's, and what a whole training takes.

Both fit the same network from the same weights to the same batches in the same order, in turn, a fit of each a
round; an epoch of either is the time between two ends of epochs. Bars come from a CSV file: no services.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from nearcast.forecast.recipes import Recipe

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from nearcast.forecast.fit import Data, FitSettings, Loss

EPOCHS = 3
"""Of each fit; the first warms up and is not counted."""
ONE_SYMBOL = "NFLX"
Note = Callable[[str], None]


@dataclass(frozen=True)
class Round:
    """Seconds of each epoch but the first, of both ways."""

    lightning_s: list[float]
    bare_s: list[float]

    @property
    def ratio(self) -> float:
        """Lightning's median epoch to the bare loop's."""
        return median(self.lightning_s) / median(self.bare_s)


def bench_train(csv: Path, recipe: Recipe, rounds: int, note: Note) -> dict[str, Any]:
    """Measure on the bars of a CSV file.

    Returns the document of `nearcast bench train`: `epoch` {ratio, ratios, lightning_s, bare_s, samples,
    samples_per_s}, and `training_s` {all, one}: the wall time of `fit_and_judge` on every symbol of the file
    and on NFLX (or its first symbol).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from nearcast.forecast.csv_bars import bars_of_csv
    from nearcast.forecast.train import fit_and_judge

    bars = bars_of_csv(csv)
    symbols = sorted(bars["stock_symbol"].unique())
    one = ONE_SYMBOL if ONE_SYMBOL in symbols else symbols[0]
    subset = bars[bars["stock_symbol"] == one].reset_index(drop=True)
    note(f"{rounds} rounds of {EPOCHS} epochs, Lightning beside the bare loop, on {one}")
    data, measured = _rounds(subset, recipe, rounds)
    seconds: dict[str, float] = {}
    for name, part in (("all", bars), ("one", subset)):
        note(f"the whole training on {part['stock_symbol'].nunique()} symbols")
        began = time.perf_counter()
        fit_and_judge(part, recipe)
        seconds[name] = round(time.perf_counter() - began, 2)
    lightning = median(second for one in measured for second in one.lightning_s)
    return {
        "epoch": {
            "ratio": round(median(one.ratio for one in measured), 3),
            "ratios": [round(one.ratio, 3) for one in measured],
            "lightning_s": round(lightning, 3),
            "bare_s": round(median(second for one in measured for second in one.bare_s), 3),
            "samples": data,
            "samples_per_s": round(data / lightning),
        },
        "training_s": seconds | {"symbols": len(symbols), "one_symbol": one},
    }


def _rounds(bars: pd.DataFrame, recipe: Recipe, rounds: int) -> tuple[int, list[Round]]:
    """Return the number of samples, and what each round measured."""
    import numpy as np

    from nearcast.forecast.neural import (
        Scaler,
        data,
        fit_settings,
        fresh_networks,
        horizon_loss,
        skip_features,
    )
    from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY, RangeVolatility
    from nearcast.forecast.windows import samples

    everything = samples(bars, recipe.window)
    everything = everything.take(np.isfinite(everything.log_return[:, 0]))
    _, expected = RangeVolatility.fit(everything, recipe.seed)
    everything = everything.with_feature(EXPECTED_VOLATILITY, expected)
    learn = data(everything, Scaler.fit(skip_features(everything)))
    loss = horizon_loss(learn.targets[0])
    settings = fit_settings(replace(recipe, epochs=EPOCHS))

    def seconds(fit: Callable[[nn.Module, Loss, Data, FitSettings], list[float]]) -> list[float]:
        return fit(fresh_networks(recipe, learn)[0], loss, learn, settings)

    ways = [lightning_epochs, bare_epochs]
    measured = []
    for number in range(rounds):
        # each way is first in every other round
        order = ways[:: 1 if number % 2 else -1]
        took = {way: seconds(way)[1:] for way in order}
        measured.append(Round(took[lightning_epochs], took[bare_epochs]))
    return len(everything), measured


def lightning_epochs(network: nn.Module, loss: Loss, data: Data, settings: FitSettings) -> list[float]:
    """Fit with `nearcast.forecast.fit.fit`; return each epoch's seconds."""
    from nearcast.forecast.fit import fit

    ends = [time.perf_counter()]
    fit(network, loss, data, settings, on_epoch=lambda number, epoch: ends.append(time.perf_counter()))
    return [end - begin for begin, end in pairwise(ends)]


def bare_epochs(network: nn.Module, loss: Loss, data: Data, settings: FitSettings) -> list[float]:
    """Fit with the plainest loop that gives the same weights; return each epoch's seconds."""
    import torch

    from nearcast.forecast.fit import learning_rate_share

    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    order = torch.Generator().manual_seed(settings.seed)
    optimizer = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    steps = settings.epochs * -(-len(data) // settings.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_share(step, steps, settings.warm_up)
    )
    ends = [time.perf_counter()]
    network.train()
    for _ in range(settings.epochs):
        for rows in torch.split(torch.randperm(len(data), generator=order), settings.batch_size):
            optimizer.zero_grad()
            outputs = network(*(tensor[rows] for tensor in data.inputs))
            mean = loss(outputs, *(tensor[rows] for tensor in data.targets))
            torch.autograd.backward(mean)
            torch.nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_clip)
            optimizer.step()
            schedule.step()
        ends.append(time.perf_counter())
    return [end - begin for begin, end in pairwise(ends)]
