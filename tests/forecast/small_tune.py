"""``python -m tests.forecast.small_tune tune …``: the command line with a small recipe and a small search space."""

from __future__ import annotations

from dataclasses import replace

from nearcast.cli import main
from nearcast.forecast import recipes, search_space
from nearcast.forecast.recipes import QUANTILE
from nearcast.forecast.search_space import Between, OneOf

RECIPE = replace(QUANTILE, channels=(2, 4), hidden=(4, 4), head=4, window=32, network_seeds=1)
SPACE: search_space.SearchSpace = {
    "learning_rate": Between(1e-3, 1e-2, log=True),
    "channels": OneOf(((2, 4), (4, 4))),
}

if __name__ == "__main__":
    recipes.RECIPES[RECIPE.name] = RECIPE
    search_space.SEARCH_SPACES[RECIPE.name] = SPACE
    main()
