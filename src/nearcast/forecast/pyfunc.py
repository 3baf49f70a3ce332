"""The registered model's script: MLflow runs this file when it loads the model, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext

from nearcast.errors import ForecastError
from nearcast.forecast.model import QuantileForecaster
from nearcast.forecast.sessions import next_sessions
from nearcast.schema import QUANTILE_COLUMNS

ARTIFACT = "forecaster"


class QuantileModel(PythonModel):  # type: ignore[misc]
    """Quantiles of each symbol's closes in the sessions to come, from its daily bars."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read recipe, scaler and weights."""
        self.forecaster = QuantileForecaster.load(Path(context.artifacts[ARTIFACT]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Return a row for each symbol and session ahead: the day it is from, its own, quantiles in US dollars.

        Raises
        ------
        ForecastError
            The model cannot answer for a symbol, such as one of which there are too few bars.
        """
        bars = model_input.sort_values(["stock_symbol", "date"], ignore_index=True)
        newest = ~bars["stock_symbol"].duplicated(keep="last").to_numpy(bool)
        answers = self.forecaster.quantiles(bars, newest)
        last = bars[newest]
        missing = np.flatnonzero(~np.isfinite(answers).all(axis=(1, 2)))
        if unanswered := last["stock_symbol"].iloc[missing].tolist():
            raise ForecastError(
                f"The model has no answer for {', '.join(unanswered)}.",
                todo="Give more of its bars: at least 60.",
            )
        prices = last["close_price"].to_numpy()[:, None, None] * np.exp(answers)
        days = last["date"].to_numpy().astype("datetime64[D]")
        tables = []
        ahead = days
        for horizon in range(1, prices.shape[1] + 1):
            ahead = next_sessions(ahead)
            table = last[["stock_symbol"]].assign(as_of_date=last["date"], horizon=horizon)
            table["date"] = ahead.astype("datetime64[ns]")
            table[list(QUANTILE_COLUMNS)] = prices[:, horizon - 1]
            tables.append(table)
        return pd.concat(tables).sort_values(["stock_symbol", "horizon"], ignore_index=True)


mlflow.models.set_model(QuantileModel())
