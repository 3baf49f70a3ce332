"""The classic CNN-BiLSTM, as tutorials write it, and its fit with Lightning."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearcast.forecast.levels.recipe import LevelsRecipe
    from nearcast.forecast.levels.windows import LevelWindows

    Array = npt.NDArray[np.float64]

KERNEL = 3
POOL = 2
CHUNK = 512


class ClassicCnnBiLstm(nn.Module):
    """Three convolutions without padding, each with ReLU and max-pooling, then two BiLSTMs and a line.

    Parameters
    ----------
    recipe
        Widths and dropout.
    """

    def __init__(self, recipe: LevelsRecipe) -> None:
        super().__init__()
        first, second = recipe.hidden
        layers: list[nn.Module] = []
        for narrow, wide in pairwise((1, *recipe.channels)):
            layers += [nn.Conv1d(narrow, wide, KERNEL), nn.ReLU(), nn.MaxPool1d(POOL)]
        self.convolutions = nn.Sequential(*layers)
        self.first = nn.LSTM(recipe.channels[-1], first, batch_first=True, bidirectional=True)
        self.second = nn.LSTM(2 * first, second, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(recipe.dropout)
        self.output = nn.Linear(2 * second, 1)

    def forward(self, windows: Tensor) -> Tensor:
        """Return (n,) next normalised closes from (n, window)."""
        steps = self.convolutions(windows[:, None, :]).transpose(1, 2)
        outputs, _ = self.second(self.dropout(self.first(steps)[0]))
        forecasts: Tensor = self.output(self.dropout(outputs[:, -1]))[:, 0]
        return forecasts


class LevelRegression(lightning.LightningModule):  # type: ignore[misc]
    """The training: mean squared error, Adam.

    Parameters
    ----------
    network
        The network, fitted in place.
    learning_rate
        Adam's.
    """

    def __init__(self, network: ClassicCnnBiLstm, learning_rate: float) -> None:
        super().__init__()
        self.network = network
        self.learning_rate = learning_rate
        self.history: list[dict[str, float]] = []
        self._sums = torch.zeros(2)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        """Return the batch's mean squared error."""
        windows, target = batch
        loss = nn.functional.mse_loss(self.network(windows), target)
        self._sums += torch.tensor([float(loss.detach()) * len(target), len(target)])
        return loss

    def on_train_epoch_end(self) -> None:
        """Note the epoch's loss."""
        self.history.append({"train_loss": float(self._sums[0] / self._sums[1])})
        self._sums.zero_()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), self.learning_rate)


def fit(windows: LevelWindows, recipe: LevelsRecipe) -> tuple[ClassicCnnBiLstm, list[dict[str, float]]]:
    """Return a network trained on windows with known outcomes, and its ``train_loss`` of each epoch."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(recipe.seed)
    module = LevelRegression(ClassicCnnBiLstm(recipe), recipe.learning_rate)
    learn = TensorDataset(_tensor(windows.normalised), _tensor(windows.target))
    order = torch.Generator().manual_seed(recipe.seed)
    loader = DataLoader(learn, recipe.batch_size, shuffle=True, generator=order)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice on worker processes, which tensors in memory do not need
            _trainer(recipe.epochs).fit(module, loader)
    except SystemExit as stop:
        # Lightning ends the process on Ctrl-C; whoever called this wants to clean up after it.
        raise KeyboardInterrupt from stop
    return module.network, module.history


def next_closes(network: ClassicCnnBiLstm, windows: LevelWindows) -> Array:
    """Return the (n,) forecast next closes in US dollars."""
    if not len(windows):
        return np.empty(0)
    network.eval()
    with torch.inference_mode():
        parts = [network(part).numpy() for part in torch.split(_tensor(windows.normalised), CHUNK)]
    levels: Array = windows.closes[:, 0] * (1 + np.concatenate(parts).astype(float))
    return levels


def _tensor(values: Array) -> Tensor:
    return torch.as_tensor(values.astype(np.float32))


def _trainer(epochs: int) -> Any:
    """Return a trainer that writes no files and says nothing but a progress bar on stderr."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    show = sys.stderr.isatty()
    bars = [lightning.callbacks.RichProgressBar(console_kwargs={"stderr": True})] if show else []
    return lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=bars,
        enable_progress_bar=show,
        enable_checkpointing=False,
        enable_model_summary=False,
        logger=False,
    )
