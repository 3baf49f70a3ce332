"""A trained network of the classic method, stored as two files, answering from plain bars."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from nearcast.forecast.levels.network import ClassicCnnBiLstm, next_closes
from nearcast.forecast.levels.recipe import LevelsRecipe
from nearcast.forecast.levels.windows import LevelWindows, level_windows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]

RECIPE_FILE = "recipe.json"
WEIGHTS_FILE = "weights.pt"


@dataclass(frozen=True)
class LevelForecaster:
    """What a registered model holds: the recipe and the trained network."""

    recipe: LevelsRecipe
    network: ClassicCnnBiLstm

    def windows(self, bars: pd.DataFrame) -> LevelWindows:
        """Return the full windows of bars."""
        return level_windows(bars, self.recipe.window)

    def next_closes(self, windows: LevelWindows) -> Array:
        """Return the (n,) forecast next closes in US dollars."""
        return next_closes(self.network, windows)

    def save(self, folder: Path) -> None:
        """Write recipe and weights to ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECIPE_FILE).write_text(json.dumps(dataclasses.asdict(self.recipe), indent=1))
        torch.save(self.network.state_dict(), folder / WEIGHTS_FILE)

    @classmethod
    def load(cls, folder: Path) -> LevelForecaster:
        """Read what `save` wrote."""
        document: dict[str, Any] = json.loads((folder / RECIPE_FILE).read_text())
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
        }
        recipe = LevelsRecipe(**fields)
        network = ClassicCnnBiLstm(recipe)
        network.load_state_dict(torch.load(folder / WEIGHTS_FILE, weights_only=True))
        network.eval()
        return cls(recipe, network)
