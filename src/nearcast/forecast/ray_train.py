"""Fitting with several workers: Ray Train's TorchTrainer around the same `fit`, one process a worker."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from nearcast.errors import ForecastError
from nearcast.forecast.fit import Data, Epoch, FitSettings, Loss, OnEpoch, Worker, fit
from nearcast.forecast.ray_cluster import ray_cluster

WEIGHTS_FILE = "weights.pt"


def fit_with_workers(
    network: nn.Module,
    loss: Loss,
    train: Data,
    settings: FitSettings,
    validation: Data | None,
    workers: int,
    home: Path,
    on_epoch: OnEpoch | None = None,
) -> list[Epoch]:
    """Fit a network in place as `nearcast.forecast.fit.fit` does, with the batches' rows split over workers.

    Batch, learning rate, order and objective are those of one worker. What differs: each worker draws dropout's
    masks from its own seed, sums of floats are added up in another order, and ``on_epoch`` hears of all
    epochs when the fit is over.

    Parameters
    ----------
    workers
        Processes, one CPU (or, where the cluster has them, one GPU) each.
    home
        NEARCAST_HOME: checkpoints go through its folder ``ray-train`` when Ray runs on this machine.

    Raises
    ------
    ForecastError
        The cluster has too few CPUs, or a worker failed.
    """
    with ray_cluster(home):
        weights, history = _run(network, loss, train, settings, validation, workers, home)
    network.load_state_dict(weights)
    for number, epoch in enumerate(history, start=1):
        if on_epoch is not None:
            on_epoch(number, epoch)
    return history


def _run(
    network: nn.Module,
    loss: Loss,
    train: Data,
    settings: FitSettings,
    validation: Data | None,
    workers: int,
    home: Path,
) -> tuple[dict[str, torch.Tensor], list[Epoch]]:
    import ray
    from ray.train import RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchConfig, TorchTrainer

    resources = ray.cluster_resources()
    gpus = resources.get("GPU", 0) >= workers
    if resources.get("CPU", 0) < workers:
        raise ForecastError(
            f"{workers} workers need as many CPUs; Ray has {resources.get('CPU', 0):.0f}.",
            kept="Nothing was trained.",
            todo="Ask for fewer workers.",
        )
    storage = home.absolute() / "ray-train"
    storage.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=storage) as folder:
        trainer = TorchTrainer(
            _work,
            train_loop_config={"job": ray.put((network, loss, train, settings, validation))},
            torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
            scaling_config=ScalingConfig(
                num_workers=workers,
                use_gpu=gpus,
                resources_per_worker={"CPU": 1} | ({"GPU": 1} if gpus else {}),
            ),
            run_config=RunConfig(name="fit", storage_path=folder),
        )
        try:
            result = trainer.fit()
        except TrainingFailedError as error:
            raise ForecastError(f"A worker failed: {error}", kept="The network is as it was.") from error
        with result.checkpoint.as_directory() as checkpoint:
            kept = torch.load(Path(checkpoint) / WEIGHTS_FILE, weights_only=True)
    return kept["weights"], kept["history"]


def _work(config: dict[str, Any]) -> None:
    """Fit as one of the workers; the first one's weights are the result, and all are alike."""
    import ray
    from ray import train as ray_train
    from ray.train import Checkpoint
    from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment

    network, loss, train, settings, validation = ray.get(config["job"])
    context = ray_train.get_context()
    worker = Worker(
        context.get_world_rank(), context.get_world_size(), RayDDPStrategy(), [RayLightningEnvironment()]
    )
    history = fit(network, loss, train, settings, validation, worker=worker)
    with TemporaryDirectory() as folder:
        checkpoint = None
        if worker.rank == 0:
            torch.save({"weights": network.state_dict(), "history": history}, Path(folder) / WEIGHTS_FILE)
            checkpoint = Checkpoint.from_directory(folder)
        ray_train.report({}, checkpoint=checkpoint)
