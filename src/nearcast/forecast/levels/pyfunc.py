"""The registered model's script: MLflow runs this file when it loads the model, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

from nearcast.forecast.levels.model import LevelForecaster

ARTIFACT = "forecaster"


class LevelsModel(PythonModel):  # type: ignore[misc]
    """The next close of each symbol, from its daily bars; a point forecast that does not beat the last close."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read recipe and weights."""
        self.forecaster = LevelForecaster.load(Path(context.artifacts[ARTIFACT]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Return a row for each symbol with a full window: its newest date and the next close in US dollars."""
        bars = model_input.sort_values(["stock_symbol", "date"], ignore_index=True)
        windows = self.forecaster.windows(bars)
        newest = windows.take(np.flatnonzero(np.isnan(windows.actual)))
        return pd.DataFrame(
            {
                "stock_symbol": newest.symbol,
                "as_of_date": newest.date.astype("datetime64[ns]"),
                "close_price": self.forecaster.next_closes(newest),
            }
        )


mlflow.models.set_model(LevelsModel())
