"""What is trained: the sizes and settings of a model, frozen, so that they can be logged and stored."""

from __future__ import annotations

from dataclasses import dataclass

from nearcast.errors import ForecastError
from nearcast.schema import QUANTILE_LEVELS


@dataclass(frozen=True)
class Recipe:
    """One way to train the CNN-BiLSTM.

    Parameters
    ----------
    name
        Name of the recipe; the registered model is ``nearcast-<name>``.
    window
        Days that a window holds.
    channels, hidden
        Widths of the convolutions and of the two BiLSTM layers (per direction).
    head
        Width of the dense layer before the outputs (0: none).
    train, validation
        Shares of the days; what is left is the test.
    """

    name: str
    window: int
    channels: tuple[int, ...] = (64, 128, 64)
    hidden: tuple[int, int] = (128, 64)
    head: int = 32
    dropout: float = 0.3
    batch_size: int = 128
    epochs: int = 6
    learning_rate: float = 5e-4
    weight_decay: float = 3e-2
    gradient_clip: float = 1.0
    train: float = 0.8
    validation: float = 0.1
    seed: int = 1
    levels: tuple[float, ...] = QUANTILE_LEVELS


QUANTILE = Recipe(name="quantile", window=64)
"""Quantiles of the next return: the recipe whose model makes the forecasts."""

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
