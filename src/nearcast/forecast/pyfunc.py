"""The registered model's script: MLflow runs this file when it loads the model, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

from nearcast.forecast.model import QuantileForecaster
from nearcast.schema import QUANTILE_COLUMNS

ARTIFACT = "forecaster"


class QuantileModel(PythonModel):  # type: ignore[misc]
    """Quantiles of each symbol's next closes, from its daily bars."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read recipe, scaler and weights."""
        self.forecaster = QuantileForecaster.load(Path(context.artifacts[ARTIFACT]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Return a row for each symbol of the bars and horizon: the newest date and quantiles in US dollars."""
        bars = model_input.sort_values(["stock_symbol", "date"])
        rows = [
            (symbol, group["date"].iloc[-1], horizon, *quantiles)
            for symbol, group in bars.groupby("stock_symbol")
            for horizon, quantiles in enumerate(self.forecaster.predict(group), start=1)
        ]
        return pd.DataFrame(rows, columns=["stock_symbol", "as_of_date", "horizon", *QUANTILE_COLUMNS])


mlflow.models.set_model(QuantileModel())
