"""MLflow's registry: storing a trained forecaster, and loading the champion."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.errors import ForecastError
from nearcast.schema import BAR, QUANTILE_COLUMNS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.model import QuantileForecaster
    from nearcast.settings import Settings

    Quantiles = npt.NDArray[np.float64]

CHAMPION_ALIAS = "champion"
CHAMPION_MODEL = "nearcast-quantile"
ARTIFACT = "forecaster"
REQUIREMENTS = ("mlflow", "numpy", "pandas", "torch", "exchange-calendars", "nearcast")
MLFLOW_TYPES = {"text": "string", "date": "datetime", "double precision": "double", "bigint": "long"}
RETRIES = 2
TIMEOUT_S = 10


@dataclass(frozen=True)
class Champion:
    """The model whose forecasts are stored.

    Parameters
    ----------
    model_version
        ``<registered model>/<version>``.
    predict
        From one symbol's bars (by date, the newest is the as-of day) to the (horizons, 7) quantiles of its
        next closes in US dollars.
    symbols
        The symbols that it was trained on; None when that was not noted.
    """

    model_version: str
    predict: Callable[[pd.DataFrame], Quantiles]
    symbols: frozenset[str] | None = None


def connect(settings: Settings) -> Any:
    """Point MLflow at the tracking server of the settings and return a client.

    A server that is away is reported after seconds, not after MLflow's default of minutes.
    """
    import os

    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(RETRIES))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(TIMEOUT_S))
    # no bars between log lines, and no lock file of whatever folder the command runs in beside the model
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
    # stdout is for results
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(settings.need("mlflow_tracking_uri"))
    return mlflow.MlflowClient()


@contextmanager
def answering(settings: Settings) -> Iterator[None]:
    """Turn MLflow's failures within this block into a ForecastError."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise ForecastError(
            f"MLflow at {settings.mlflow_tracking_uri} failed: {str(error).splitlines()[0][:300]}",
            kept="The champion is the one it was.",
            todo="See `nearcast status`, start it with `nearcast up`, then try again.",
        ) from error


def register(forecaster: QuantileForecaster, client: Any) -> str:
    """Log the forecaster to the active run, register it and make it the champion; return its version.

    Parameters
    ----------
    forecaster
        A trained forecaster.
    client
        What `connect` returned.
    """
    import mlflow

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on input examples; the signature says it all
        forecaster.save(Path(folder) / ARTIFACT)
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("pyfunc.py")),
            artifacts={ARTIFACT: str(Path(folder) / ARTIFACT)},
            pip_requirements=list(REQUIREMENTS),
            signature=_signature(),
            registered_model_name=f"nearcast-{forecaster.recipe.name}",
        )
    version = str(logged.registered_model_version)
    client.set_registered_model_alias(f"nearcast-{forecaster.recipe.name}", CHAMPION_ALIAS, version)
    return version


def _signature() -> Any:
    """Return the model's signature: bars in, quantiles out, as the schema has them."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    bars = [ColSpec(MLFLOW_TYPES[column.postgres], column.name) for column in BAR]
    key = [ColSpec("string", "stock_symbol"), ColSpec("datetime", "as_of_date"), ColSpec("long", "horizon")]
    return ModelSignature(Schema(bars), Schema(key + [ColSpec("double", name) for name in QUANTILE_COLUMNS]))


def champion_version(settings: Settings) -> str | None:
    """Return the champion's version number, or None when nothing was registered yet."""
    champion = _champion(settings)
    return None if champion is None else str(champion.version)


def champion_trained_at(settings: Settings) -> tuple[str, float] | None:
    """Return the champion's version and when it was registered (epoch seconds); None when there is none.

    Raises
    ------
    ForecastError
        MLflow does not answer.
    """
    with answering(settings):
        champion = _champion(settings)
    return None if champion is None else (str(champion.version), champion.creation_timestamp / 1000)


def _champion(settings: Settings) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return connect(settings).get_model_version_by_alias(CHAMPION_MODEL, CHAMPION_ALIAS)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def load_champion(settings: Settings) -> Champion:
    """Return the champion; a version is downloaded once a process.

    Raises
    ------
    ForecastError
        When no model was registered yet, or MLflow does not answer.
    """
    with answering(settings):
        version = champion_version(settings)
        if version is None:
            raise ForecastError(
                f"There is no champion of {CHAMPION_MODEL} in MLflow.", todo="Run `nearcast train` first."
            )
        return _load(settings.need("mlflow_tracking_uri"), version)


@lru_cache(maxsize=2)
def _load(uri: str, version: str) -> Champion:
    import mlflow

    from nearcast.forecast.champion_state import training_symbols

    model = mlflow.pyfunc.load_model(f"models:/{CHAMPION_MODEL}/{version}")
    forecaster: QuantileForecaster = model.unwrap_python_model().forecaster
    symbols = training_symbols(mlflow.MlflowClient(), version)
    return Champion(f"{CHAMPION_MODEL}/{version}", forecaster.predict, symbols)
