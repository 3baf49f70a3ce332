"""The network's part of the forecast: CNN-BiLSTMs of several seeds, fitted with Lightning, served by ONNX Runtime."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.features import SLOW_VOLATILITY
from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY
from nearcast.forecast.scale_mixture import SCALE_FEATURES, report_design
from nearcast.forecast.windows import CHANNELS, Samples
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    from nearcast.forecast.fit import Data, Epoch, FitSettings
    from nearcast.forecast.network import CnnBiLstm
    from nearcast.forecast.recipes import Recipe

    Array = npt.NDArray[np.float64]
    Inputs = npt.NDArray[np.float32]

SKIP_LIMIT = 5.0
"""Standardised features are cut there."""

ONNX_FILE = "network.onnx"
OPSET = 18
FINE_TUNING_EPOCHS = 1
FINE_TUNING_RATE = 0.3
"""Share of the recipe's learning rate."""


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of each skip feature over the training days."""

    mean: Array
    deviation: Array

    @classmethod
    def fit(cls, skip: Array) -> Scaler:
        """Measure (n, k) features; one that never changes keeps a deviation of 1."""
        deviation = skip.std(axis=0)
        return cls(skip.mean(axis=0), np.where(deviation > 1e-9, deviation, 1.0))

    def transform(self, skip: Array) -> Inputs:
        """Return the standardised features, within ±5."""
        return np.clip((skip - self.mean) / self.deviation, -SKIP_LIMIT, SKIP_LIMIT).astype(np.float32)


@dataclass(frozen=True)
class NeuralQuantiles:
    """The fitted networks.

    Parameters
    ----------
    scaler
        Of the skip features.
    onnx
        The mean of the networks as an ONNX model: windows and skip features to quantiles of scaled returns.
    """

    scaler: Scaler
    onnx: bytes

    def quantiles(self, samples: Samples) -> Array:
        """Return (n, horizons, 7) ascending quantiles of the log returns."""
        inputs = {"windows": samples.windows, "skip": self.scaler.transform(skip_features(samples))}
        (scaled,) = self.session.run(None, inputs)
        quantiles: Array = scaled.astype(float) * scale(samples)[:, None, None]
        return quantiles

    @cached_property
    def session(self) -> Any:
        """The ONNX Runtime session; on one thread, as one forecast is too little work to share."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(self.onnx, options, providers=["CPUExecutionProvider"])

    def document(self) -> dict[str, list[float]]:
        """Return what is not in the ONNX model as plain values."""
        return {"mean": self.scaler.mean.tolist(), "deviation": self.scaler.deviation.tolist()}

    def save(self, folder: Path) -> None:
        """Write the ONNX model to ``folder``."""
        (folder / ONNX_FILE).write_bytes(self.onnx)

    @classmethod
    def load(cls, folder: Path, document: dict[str, list[float]]) -> NeuralQuantiles:
        """Read what `save` wrote and `document` returned."""
        scaler = Scaler(np.array(document["mean"]), np.array(document["deviation"]))
        return cls(scaler, (folder / ONNX_FILE).read_bytes())


def skip_features(samples: Samples) -> Array:
    """Return (n, k) features of the newest day, as the head takes them beside the windows."""
    table = samples.features
    expected = table[EXPECTED_VOLATILITY].to_numpy()
    relative = [expected - table[name].to_numpy() for name in (SLOW_VOLATILITY, "log_ewma_volatility_85")]
    skip: Array = np.c_[
        table[list(SCALE_FEATURES)].to_numpy(float), report_design(table)[:, 1:], np.stack(relative, 1)
    ]
    return skip


def scale(samples: Samples) -> Array:
    """Return (n,) what the network's returns are measured in: the expected volatility of the next session."""
    scales: Array = np.exp(samples.features[EXPECTED_VOLATILITY].to_numpy())
    return scales


def data(samples: Samples, scaler: Scaler) -> Data:
    """Return the inputs and the targets (n, horizons; NaN where unknown) of the fit."""
    import torch

    from nearcast.forecast.fit import Data

    inputs = (samples.windows, scaler.transform(skip_features(samples)))
    target = (samples.log_return / scale(samples)[:, None]).astype(np.float32)
    return Data(tuple(torch.as_tensor(values) for values in inputs), (torch.as_tensor(target),))


def fit_networks(
    samples: Samples,
    recipe: Recipe,
    *,
    start: list[CnnBiLstm] | None = None,
    workers: int = 1,
    home: Path | None = None,
) -> tuple[Scaler, list[CnnBiLstm], list[Epoch]]:
    """Fit the recipe's networks.

    Parameters
    ----------
    samples
        The samples to learn from, with the feature `EXPECTED_VOLATILITY`.
    start
        Networks to begin from, such as a champion's: a fine-tuning, with an epoch at a lower rate (default:
        fresh ones). They keep their base quantiles.
    workers, home
        More than one worker: processes of Ray Train, whose files lie in NEARCAST_HOME.

    Returns
    -------
    tuple
        The scaler, the networks, and the losses of each epoch of each network, one after the other.
    """
    from nearcast.forecast.fit import fit

    scaler = Scaler.fit(skip_features(samples))
    learn = data(samples, scaler)
    loss = horizon_loss(learn.targets[0])
    networks = start or fresh_networks(recipe, learn)
    history: list[Epoch] = []
    for number, network in enumerate(networks):
        settings = fit_settings(recipe, number, tuning=start is not None)
        if workers == 1 or home is None:
            history += fit(network, loss, learn, settings)
        else:
            from nearcast.forecast.ray_train import fit_with_workers

            history += fit_with_workers(network, loss, learn, settings, None, workers, home)
    return scaler, networks, history


def fit_settings(recipe: Recipe, number: int = 0, tuning: bool = False) -> FitSettings:
    """Return how a recipe's network is fitted, or tuned further."""
    from nearcast.forecast.fit import FitSettings

    return FitSettings(
        epochs=FINE_TUNING_EPOCHS if tuning else recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate * (FINE_TUNING_RATE if tuning else 1),
        weight_decay=recipe.weight_decay,
        gradient_clip=recipe.gradient_clip,
        seed=recipe.seed + number,
    )


def fresh_networks(recipe: Recipe, learn: Data) -> list[CnnBiLstm]:
    """Return untrained networks that answer the training days' own quantiles, one for each seed."""
    import torch

    from nearcast.forecast.network import CnnBiLstm

    windows, skip = learn.inputs
    base = np.nanquantile(learn.targets[0].numpy().astype(float), QUANTILE_LEVELS, axis=0).T.tolist()
    networks = []
    with torch.random.fork_rng():
        for number in range(recipe.network_seeds):
            torch.manual_seed(recipe.seed + number)
            networks.append(CnnBiLstm(recipe, windows.shape[1], skip.shape[1], base))
    return networks


def horizon_loss(targets: torch.Tensor) -> Any:
    """Return the loss: the pinball loss of each horizon relative to its usual size, the next session's half of it."""
    from nearcast.forecast.horizon_pinball import HorizonPinball

    size = targets.abs().nanmean(dim=0)
    weight = np.r_[0.5, np.full(len(size) - 1, 0.5 / max(len(size) - 1, 1))]
    return HorizonPinball(QUANTILE_LEVELS, (weight / size.numpy()).tolist())


def to_onnx(networks: list[CnnBiLstm], recipe: Recipe, skip: int) -> bytes:
    """Return the mean of the networks as an ONNX model for any number of samples."""
    import torch

    from nearcast.forecast.network import Mean

    model = Mean(networks).eval()
    example = (torch.zeros(2, len(CHANNELS), recipe.window), torch.zeros(2, skip))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on LSTMs of a variable batch, which is what is asked for
        torch.onnx.export(
            model,
            example,
            str(path := Path(folder) / ONNX_FILE),
            input_names=["windows", "skip"],
            output_names=["quantiles"],
            dynamic_axes={name: {0: "samples"} for name in ("windows", "skip", "quantiles")},
            opset_version=OPSET,
            dynamo=False,
        )
        return path.read_bytes()
