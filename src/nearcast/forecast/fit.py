"""Fitting the network with Lightning: pinball loss, AdamW, cosine schedule, the best epoch is kept."""

from __future__ import annotations

import copy
import logging
import math
import os
import sys
import warnings
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from nearcast.forecast.losses import pinball_loss_tensor
from nearcast.forecast.model import QuantileForecaster, tensors
from nearcast.forecast.network import CnnBiLstm
from nearcast.forecast.recipes import Recipe
from nearcast.forecast.windows import Samples

WARM_UP = 0.1
"""Share of the steps over which the learning rate rises."""

Batch = tuple[Tensor, Tensor, Tensor]


class QuantileRegression(lightning.LightningModule):  # type: ignore[misc]
    """The training of a network on scaled returns.

    Parameters
    ----------
    network
        The network; after the fit it holds the weights of its best epoch.
    recipe
        Learning rate, weight decay and levels.
    """

    def __init__(self, network: CnnBiLstm, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.register_buffer("levels", torch.tensor(recipe.levels, dtype=torch.float32))
        self.history: list[dict[str, float]] = []
        self.best_weights = copy.deepcopy(network.state_dict())
        self._sums = torch.zeros(2)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the batch's mean pinball loss."""
        windows, skip, target = batch
        loss = pinball_loss_tensor(target, self.network(windows, skip), self.levels)
        self._sums += torch.tensor([float(loss.detach()) * len(target), len(target)])
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Log the mean pinball loss of the validation days."""
        windows, skip, target = batch
        loss = pinball_loss_tensor(target, self.network(windows, skip), self.levels)
        self.log("validation_loss", loss, prog_bar=True, batch_size=len(target))

    def on_train_epoch_end(self) -> None:
        """Note the epoch's losses and keep its weights when they are the best so far."""
        validation = float(self.trainer.callback_metrics["validation_loss"])
        if all(validation < past["validation_loss"] for past in self.history):
            self.best_weights = copy.deepcopy(self.network.state_dict())
        train = float(self._sums[0] / self._sums[1])
        self.history.append({"train_loss": train, "validation_loss": validation})
        self._sums.zero_()

    def configure_optimizers(self) -> Any:
        """Return AdamW with a short warm-up and a cosine to zero."""
        recipe = self.recipe
        optimizer = torch.optim.AdamW(
            self.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def _rate(step: int, steps: int) -> float:
    """Return the share of the learning rate at a step: rising at first, then along a cosine to zero."""
    return min(1.0, (step + 1) / (WARM_UP * steps)) * (1 + math.cos(math.pi * step / steps)) / 2


def fit(forecaster: QuantileForecaster, train: Samples, validation: Samples) -> list[dict[str, float]]:
    """Fit the forecaster's network in place; the weights of the best validation epoch stay.

    Parameters
    ----------
    forecaster
        Fresh from `nearcast.forecast.model.untrained`.
    train, validation
        Samples of two consecutive stretches of days.

    Returns
    -------
    list of dict
        ``train_loss`` and ``validation_loss`` of each epoch (mean pinball loss of the scaled return).
    """
    recipe = forecaster.recipe
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    order = torch.Generator().manual_seed(recipe.seed)
    learn = TensorDataset(*tensors(train, forecaster.scaler))
    judge = TensorDataset(*tensors(validation, forecaster.scaler))
    module = QuantileRegression(forecaster.network, recipe)
    trainer = _trainer(recipe)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice on worker processes, which tensors in memory do not need
            trainer.fit(
                module,
                DataLoader(learn, recipe.batch_size, shuffle=True, generator=order),
                DataLoader(judge, len(judge)),
            )
    except SystemExit as stop:
        # Lightning ends the process on Ctrl-C; whoever called this wants to clean up after it.
        raise KeyboardInterrupt from stop
    forecaster.network.load_state_dict(module.best_weights)
    return module.history


def _trainer(recipe: Recipe) -> Any:
    """Return a trainer that writes no files and says nothing but a progress bar on stderr."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    show = sys.stderr.isatty()
    bars = [lightning.callbacks.RichProgressBar(console_kwargs={"stderr": True})] if show else []
    return lightning.Trainer(
        accelerator="cpu",
        max_epochs=recipe.epochs,
        gradient_clip_val=recipe.gradient_clip,
        callbacks=bars,
        enable_progress_bar=show,
        enable_checkpointing=False,
        enable_model_summary=False,
        logger=False,
        num_sanity_val_steps=0,
    )
