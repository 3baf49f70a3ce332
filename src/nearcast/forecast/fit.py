"""Fitting any network with Lightning, in this process or as one of several workers: AdamW, warm-up, cosine.

The tensors stay whole and a batch is their rows: no item is fetched and collated on its own. With more workers
each has its share of every batch's rows, so the batch, the learning rate and the objective stay the recipe's:
the workers' averaged gradient is the gradient of the whole batch's mean loss.
"""

from __future__ import annotations

import copy
import logging
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn

from nearcast.forecast.device import DeviceSettings, capabilities, device_settings

VALIDATION_ROWS = 1024
"""Rows that are judged at once: more would only need more memory."""
PROGRESS_REFRESH = 20
"""Steps between two updates of the progress bar."""

Loss = Callable[..., Tensor]
"""From the network's output and the targets to the mean loss over their rows, a scalar; may be a module."""
Epoch = dict[str, float]
"""``train_loss`` of an epoch and, where there is a validation, ``validation_loss``."""
OnEpoch = Callable[[int, Epoch], None]
Batch = tuple[tuple[Tensor, ...], tuple[Tensor, ...], int, float]
"""Inputs, targets, rows of the whole batch, and this worker's share of them."""


@dataclass(frozen=True)
class FitSettings:
    """How a network is fitted.

    Parameters
    ----------
    warm_up
        Share of the steps over which the learning rate rises, before it falls along a cosine to zero.
    gradient_clip
        Largest norm of the gradient.
    seed
        Of the order of the rows and of dropout.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    gradient_clip: float
    warm_up: float = 0.1
    seed: int = 1


@dataclass(frozen=True)
class Data:
    """Rows to fit or to judge: the network's inputs and the loss's targets, n rows each."""

    inputs: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.inputs[0])

    def on(self, device: torch.device, pinned: bool) -> Data:
        """Return the data in a device's memory, by way of page-locked memory where there is some."""

        def move(tensor: Tensor) -> Tensor:
            return (tensor.pin_memory() if pinned else tensor).to(device, non_blocking=pinned)

        return Data(tuple(map(move, self.inputs)), tuple(map(move, self.targets)))


@dataclass(frozen=True)
class Worker:
    """One of ``world`` processes that fit the same network, and what Lightning needs to know of them."""

    rank: int = 0
    world: int = 1
    strategy: Any = "auto"
    plugins: Sequence[Any] = field(default_factory=list)


class Batches:
    """The batches of an epoch, or this worker's share of each.

    Parameters
    ----------
    data
        All rows, the same at every worker.
    size
        Rows of a whole batch; the last one may be smaller.
    order
        Shuffles the rows anew in each epoch, alike at every worker with an equally seeded generator; None: as
        they are.
    """

    def __init__(
        self, data: Data, size: int, order: torch.Generator | None = None, worker: Worker | None = None
    ) -> None:
        self.data = data
        self.size = size
        self.order = order
        self.worker = worker or Worker()

    def __len__(self) -> int:
        return math.ceil(len(self.data) / self.size)

    def __iter__(self) -> Iterator[Batch]:
        count = len(self.data)
        rows = torch.arange(count) if self.order is None else torch.randperm(count, generator=self.order)
        device = self.data.inputs[0].device
        for batch in torch.split(rows.to(device), self.size):
            mine, share = share_of(batch, self.worker.rank, self.worker.world)
            inputs = tuple(tensor[mine] for tensor in self.data.inputs)
            yield inputs, tuple(tensor[mine] for tensor in self.data.targets), len(batch), share


def share_of(rows: Tensor, rank: int, world: int) -> tuple[Tensor, float]:
    """Return a worker's rows of a batch, and which share of the batch they are.

    The shares of all workers add up to 1. A worker for whom there is no row gets the first one, with a share of
    0: it takes part in the step, and its gradient counts for nothing.
    """
    mine = rows[rank::world]
    return (mine, len(mine) / len(rows)) if len(mine) else (rows[:1], 0.0)


class Regression(lightning.LightningModule):  # type: ignore[misc]
    """The training of a network: what Lightning asks of it.

    Parameters
    ----------
    network, loss
        The network, and its loss.
    settings
        Of the optimiser.
    steps
        Steps of the whole fit.
    judged_by
        The loss over the validation.
    on_epoch
        Is told every epoch's number, from 1, and its losses.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        settings: FitSettings,
        steps: int,
        judged_by: Loss,
        on_epoch: OnEpoch | None,
    ) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.judged_by = judged_by
        self.settings = settings
        self.steps = steps
        self.on_epoch = on_epoch
        self.history: list[Epoch] = []
        self.best_weights: dict[str, Tensor] | None = None
        self._train = LossSum()
        self._validation = LossSum()

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return this worker's part of the batch's mean loss, such that the mean over the workers is that loss."""
        inputs, targets, rows, share = batch
        loss: Tensor = self.loss(self.network(*inputs), *targets)
        self._train.add(loss.detach(), rows, share)
        part: Tensor = loss * (share * self.trainer.world_size)
        return part

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Add up the validation's loss."""
        inputs, targets, rows, share = batch
        self._validation.add(self.judged_by(self.network(*inputs), *targets), rows, share)

    def on_train_epoch_end(self) -> None:
        """Note the epoch's losses, and its weights when they are the best so far."""
        reduce = self.trainer.strategy.reduce
        epoch = {"train_loss": self._train.take(reduce)}
        if self._validation.rows:
            loss = epoch["validation_loss"] = self._validation.take(reduce)
            best = all(loss < past["validation_loss"] for past in self.history)
            if best:
                self.best_weights = copy.deepcopy(self.network.state_dict())
        self.history.append(epoch)
        if self.on_epoch is not None:
            self.on_epoch(len(self.history), epoch)

    def configure_optimizers(self) -> Any:
        """Return AdamW with a warm-up and a cosine to zero."""
        settings = self.settings
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_share(step, self.steps, settings.warm_up)
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


class LossSum:
    """The mean loss over the rows seen so far, read once an epoch: a read waits for the device."""

    def __init__(self) -> None:
        self.sum: Tensor | float = 0.0
        self.rows = 0

    def add(self, loss: Tensor, rows: int, share: float) -> None:
        """Add a worker's mean loss over its share of ``rows`` rows."""
        self.sum = self.sum + loss * (share * rows)
        self.rows += rows

    def take(self, reduce: Callable[..., Any]) -> float:
        """Return the mean over all workers, and begin anew."""
        mean = float(reduce(torch.as_tensor(self.sum), reduce_op="sum")) / self.rows
        self.sum, self.rows = 0.0, 0
        return mean


def learning_rate_share(step: int, steps: int, warm_up: float) -> float:
    """Return the share of the learning rate at a step: rising at first, then along a cosine to zero."""
    rising = min(1.0, (step + 1) / (warm_up * steps)) if warm_up else 1.0
    return rising * (1 + math.cos(math.pi * step / steps)) / 2


def fit(
    network: nn.Module,
    loss: Loss,
    train: Data,
    settings: FitSettings,
    validation: Data | None = None,
    on_epoch: OnEpoch | None = None,
    judged_by: Loss | None = None,
    worker: Worker | None = None,
) -> list[Epoch]:
    """Fit a network in place.

    What stays are the weights of the best epoch over ``validation``; without one, those of the last epoch.

    Parameters
    ----------
    network
        Is called with the inputs; ends on the CPU.
    loss
        Is called with the network's output and the targets; a module's buffers move to the device too.
    train, validation
        The rows to learn from, and those to choose the epoch by; on the CPU.
    on_epoch
        Is told every epoch's number, from 1, and its losses; what it raises ends the fit.
    judged_by
        The loss over the validation, which may have other targets (default: ``loss``).
    worker
        This process's place among several (default: it is alone).

    Returns
    -------
    list of dict
        The losses of each epoch.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C.
    """
    worker = worker or Worker()
    steps = settings.epochs * math.ceil(len(train) / settings.batch_size)
    device = device_settings(capabilities(), steps)
    torch.set_num_threads(1)  # see `device_settings`
    module = Regression(network, loss, settings, steps, judged_by or loss, on_epoch)
    if device.compiled:
        network.compile()
    trainer = _trainer(settings, device, worker)
    where = trainer.strategy.root_device
    order = torch.Generator().manual_seed(settings.seed)
    learn = Batches(train.on(where, device.pinned), settings.batch_size, order, worker)
    judge = (
        Batches(validation.on(where, device.pinned), VALIDATION_ROWS, None, worker) if validation else None
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on worker processes, which tensors in memory do not need
        torch.manual_seed(settings.seed + worker.rank)  # dropout's masks
        try:
            trainer.fit(module, learn, judge)
        except SystemExit as stop:
            # Lightning ends the process on Ctrl-C; whoever called this wants to clean up after it.
            raise KeyboardInterrupt from stop
    network.cpu()
    if module.best_weights is not None:
        network.load_state_dict(module.best_weights)
    return module.history


def _trainer(settings: FitSettings, device: DeviceSettings, worker: Worker) -> Any:
    """Return a trainer that writes no files and says nothing but a progress bar on stderr."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    show = sys.stderr.isatty() and worker.rank == 0
    bar = lightning.callbacks.RichProgressBar(PROGRESS_REFRESH, console_kwargs={"stderr": True})
    return lightning.Trainer(
        accelerator=device.accelerator,
        devices=1 if worker.world == 1 else "auto",
        strategy=worker.strategy,
        plugins=list(worker.plugins),
        precision=device.precision,
        max_epochs=settings.epochs,
        gradient_clip_val=settings.gradient_clip,
        callbacks=[bar] if show else [],
        enable_progress_bar=show,
        enable_checkpointing=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        logger=False,
        num_sanity_val_steps=0,
    )
