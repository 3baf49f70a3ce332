"""What `nearcast tune` varies of a recipe."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from nearcast.errors import ForecastError
from nearcast.forecast.recipes import Recipe


@dataclass(frozen=True)
class Between:
    """Any number from ``low`` to ``high``, uniform in itself or, with ``log``, in its logarithm."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class OneOf:
    """One of some values, each as likely as the others."""

    values: tuple[Any, ...]


SearchSpace = dict[str, Between | OneOf]
"""From fields of a recipe to what they may be."""

SEARCH_SPACES: dict[str, SearchSpace] = {
    "quantile": {
        "learning_rate": Between(1e-4, 3e-3, log=True),
        "weight_decay": Between(1e-3, 1e-1, log=True),
        "dropout": Between(0.1, 0.5),
        "channels": OneOf(((32, 64, 32), (64, 128, 64), (64, 64))),
        "hidden": OneOf(((64, 32), (128, 64))),
        "head": OneOf((16, 32, 64)),
        "window": OneOf((32, 64, 100)),
        "batch_size": OneOf((64, 128, 256)),
    }
}


def search_space_of(recipe: Recipe) -> SearchSpace:
    """Return a recipe's search space.

    Raises
    ------
    ForecastError
        When it has none.
    """
    if recipe.name not in SEARCH_SPACES:
        raise ForecastError(
            f"The recipe {recipe.name!r} has no search space.",
            todo=f"Tune one of {', '.join(SEARCH_SPACES)}.",
        )
    return SEARCH_SPACES[recipe.name]


def configurations(recipe: Recipe, space: SearchSpace, count: int, seed: int) -> list[dict[str, Any]]:
    """Return ``count`` configurations: the recipe's own first, the others drawn at random from the seed.

    More of them begin with the same ones. They are as JSON has them, with lists for tuples.
    """
    import json

    import numpy as np

    generator = np.random.default_rng(seed)

    def draw(choices: Between | OneOf) -> Any:
        if isinstance(choices, OneOf):
            return choices.values[generator.integers(len(choices.values))]
        if choices.log:
            return float(np.exp(generator.uniform(np.log(choices.low), np.log(choices.high))))
        return float(generator.uniform(choices.low, choices.high))

    own = {name: getattr(recipe, name) for name in space}
    drawn = [{name: draw(choices) for name, choices in space.items()} for _ in range(count - 1)]
    listed: list[dict[str, Any]] = json.loads(json.dumps([own, *drawn]))
    return listed


def configured(recipe: Recipe, config: dict[str, Any]) -> Recipe:
    """Return a recipe with the fields that a trial's configuration names.

    Raises
    ------
    ForecastError
        When the recipe has no such field.
    """
    if unknown := set(config) - {field.name for field in fields(recipe)}:
        raise ForecastError(
            f"The recipe {recipe.name!r} has no {', '.join(sorted(unknown))}.", todo="Tune again."
        )
    # JSON, in which MLflow and Ray keep a configuration, has no tuples
    changes: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in config.items()
    }
    return replace(recipe, **changes)
