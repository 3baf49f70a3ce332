"""Configurations are drawn from the seed alone, stay within their space, and make recipes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, fields, replace

import numpy as np
import pytest

from nearcast.errors import ForecastError
from nearcast.forecast.recipes import QUANTILE, RECIPES, Recipe
from nearcast.forecast.search_space import (
    SEARCH_SPACES,
    Between,
    OneOf,
    SearchSpace,
    configurations,
    configured,
    search_space_of,
)

SPACE = SEARCH_SPACES["quantile"]


@pytest.mark.parametrize("name", SEARCH_SPACES)
def test_a_space_names_fields_of_its_recipe_and_holds_the_recipe_itself(name: str) -> None:
    recipe, space = RECIPES[name], search_space_of(RECIPES[name])
    assert set(space) <= {field.name for field in fields(recipe)}
    for field, choices in space.items():
        own = getattr(recipe, field)
        held = own in choices.values if isinstance(choices, OneOf) else choices.low <= own <= choices.high
        assert held, field


def test_the_same_seed_gives_the_same_configurations_and_the_recipe_is_the_first() -> None:
    drawn = configurations(QUANTILE, SPACE, 20, seed=1)
    assert drawn == configurations(QUANTILE, SPACE, 20, seed=1)
    assert drawn[:7] == configurations(QUANTILE, SPACE, 7, seed=1)
    assert drawn[1:] != configurations(QUANTILE, SPACE, 20, seed=2)[1:]
    assert configured(QUANTILE, drawn[0]) == QUANTILE


def test_draws_are_spread_over_their_space() -> None:
    space: SearchSpace = {
        "learning_rate": Between(1e-4, 1e-2, log=True),
        "dropout": Between(0.1, 0.5),
        "head": OneOf((8, 16)),
    }
    drawn = configurations(QUANTILE, space, 4001, seed=1)[1:]
    rates = np.log10([one["learning_rate"] for one in drawn])
    shares = np.array([one["dropout"] for one in drawn])
    assert -4 <= rates.min() < -3.95 and -2.05 < rates.max() <= -2
    assert rates.mean() == pytest.approx(-3, abs=0.05)  # not log10 of the mean, which is -2.3
    assert shares.mean() == pytest.approx(0.3, abs=0.01) and shares.max() <= 0.5
    assert Counter(one["head"] for one in drawn)[8] == pytest.approx(2000, rel=0.1)


def test_a_configuration_makes_the_same_recipe_after_json() -> None:
    for config in configurations(QUANTILE, SPACE, 10, seed=3):
        recipe = configured(QUANTILE, json.loads(json.dumps(config)))
        assert isinstance(recipe, Recipe) and hash(recipe)
        assert {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(recipe).items()
                if name in config} == config  # fmt: skip


def test_a_recipe_without_a_space_and_an_unknown_field_are_named() -> None:
    with pytest.raises(ForecastError, match="no search space"):
        search_space_of(replace(QUANTILE, name="levels"))
    with pytest.raises(ForecastError, match="has no depth"):
        configured(QUANTILE, {"depth": 3})
