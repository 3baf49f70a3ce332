"""What is trained: the sizes and settings of a model, frozen, so that they can be logged and stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nearcast.errors import ForecastError


@dataclass(frozen=True)
class Recipe:
    """One way to train the quantile forecaster.

    Parameters
    ----------
    name
        Name of the recipe; the registered model is ``nearcast-<name>``.
    window
        Days that a window holds.
    channels, hidden
        Widths of the convolutions and of the two BiLSTM layers (per direction).
    head
        Width of the dense layer before the outputs.
    network_seeds
        Networks that are fitted, from seeds that follow on `seed`; their mean counts.
    test_share
        Share of the newest days that is left out of the training, to judge it by.
    """

    name: str
    window: int = 64
    channels: tuple[int, ...] = (32, 64, 32)
    hidden: tuple[int, int] = (64, 32)
    head: int = 32
    dropout: float = 0.3
    batch_size: int = 128
    epochs: int = 4
    learning_rate: float = 1e-3
    weight_decay: float = 3e-2
    gradient_clip: float = 1.0
    network_seeds: int = 2
    test_share: float = 0.1
    seed: int = 1


QUANTILE = Recipe(name="quantile")
"""Quantiles of the next returns: the recipe whose model makes the forecasts."""

RECIPES = {recipe.name: recipe for recipe in (QUANTILE,)}


def recipe_named(name: str) -> Recipe:
    """Return the recipe ``name``.

    Raises
    ------
    ForecastError
        When there is none of this name.
    """
    if name not in RECIPES:
        raise ForecastError(
            f"There is no recipe {name!r}.", todo=f"Choose one of {', '.join(RECIPES)}, levels."
        )
    return RECIPES[name]


def recipe_of(document: Mapping[str, Any]) -> Recipe:
    """Return the recipe whose fields ``document`` holds, as JSON has them: its lists are tuples."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
    }
    return Recipe(**values)
