"""A trained forecaster: network, scaler and recipe, stored as two files, answering from plain bars."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nearcast.errors import ForecastError
from nearcast.forecast.features import features
from nearcast.forecast.network import CnnBiLstm
from nearcast.forecast.recipes import Recipe
from nearcast.forecast.windows import Samples, samples_of_symbol, skip_columns

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]

RECIPE_FILE = "recipe.json"
WEIGHTS_FILE = "weights.pt"
SKIP_LIMIT = 5.0


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of each skip feature over the training days."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def fit(cls, skip: Array) -> Scaler:
        """Measure (n, k) features; one that never changes keeps a deviation of 1."""
        deviation = skip.std(axis=0)
        return cls(tuple(skip.mean(axis=0)), tuple(np.where(deviation > 1e-12, deviation, 1.0)))

    def transform(self, skip: Array) -> Array:
        """Return the standardised features, within ±5."""
        scaled: Array = np.clip((skip - self.mean) / self.deviation, -SKIP_LIMIT, SKIP_LIMIT)
        return scaled


def tensors(samples: Samples, scaler: Scaler) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return windows, standardised features and scaled returns as float32 tensors."""
    return (
        torch.as_tensor(samples.windows.astype(np.float32)),
        torch.as_tensor(scaler.transform(samples.skip).astype(np.float32)),
        torch.as_tensor((samples.log_return / samples.scale).astype(np.float32)),
    )


@dataclass
class QuantileForecaster:
    """What a registered model holds.

    Parameters
    ----------
    recipe
        The recipe it was trained with.
    scaler
        The scaler of the skip features.
    columns
        Names of the skip features, in order.
    network
        The trained network.
    """

    recipe: Recipe
    scaler: Scaler
    columns: list[str]
    network: CnnBiLstm

    def log_return_quantiles(self, samples: Samples) -> Array:
        """Return (n, 7) quantiles of each sample's next log return, ascending."""
        windows, skip, _ = tensors(samples, self.scaler)
        self.network.eval()
        with torch.inference_mode():
            scaled = self.network(windows, skip).numpy().astype(float)
        return np.asarray(scaled * samples.scale[:, None])

    def predict(self, bars: pd.DataFrame) -> Array:
        """Return the (horizons, 7) quantiles of the closes ahead in US dollars, from one symbol's bars by date.

        Raises
        ------
        ForecastError
            When there are too few bars, or the features differ from those of the training.
        """
        table = features(bars)
        if skip_columns(table) != self.columns:
            raise ForecastError(
                "The model was trained with other features than this version computes.",
                todo="Train again with `nearcast train`.",
            )
        newest = samples_of_symbol(bars, table, self.recipe).take(np.array([-1]))
        quantiles: Array = newest.last_close[0] * np.exp(self.log_return_quantiles(newest))
        return quantiles

    def save(self, folder: Path) -> None:
        """Write the recipe, scaler and weights to ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        document = {
            "recipe": dataclasses.asdict(self.recipe),
            "scaler": dataclasses.asdict(self.scaler),
            "columns": self.columns,
            "base": self.network.head.base.tolist(),
        }
        (folder / RECIPE_FILE).write_text(json.dumps(document, indent=1))
        torch.save(self.network.state_dict(), folder / WEIGHTS_FILE)

    @classmethod
    def load(cls, folder: Path) -> QuantileForecaster:
        """Read what `save` wrote."""
        document = json.loads((folder / RECIPE_FILE).read_text())
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in document["recipe"].items()
        }
        recipe = Recipe(**fields)
        scaler = Scaler(**{name: tuple(values) for name, values in document["scaler"].items()})
        network = CnnBiLstm(recipe, len(document["columns"]), document["base"])
        network.load_state_dict(torch.load(folder / WEIGHTS_FILE, weights_only=True))
        network.eval()
        return cls(recipe, scaler, document["columns"], network)


def untrained(recipe: Recipe, training: Samples, columns: list[str]) -> QuantileForecaster:
    """Return a forecaster before its training: base quantiles and scaler of the training samples."""
    scaled = training.log_return / training.scale
    base = np.quantile(scaled, recipe.levels)
    network = CnnBiLstm(recipe, training.skip.shape[1], base.tolist())
    return QuantileForecaster(recipe, Scaler.fit(training.skip), columns, network)
