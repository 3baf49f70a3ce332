"""MLflow's registry: storing a trained forecaster, and loading the champion or any other version."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.errors import ForecastError
from nearcast.forecast.report_days import report_dates
from nearcast.forecast.tracking import answering, connect, tracking_uri
from nearcast.schema import BAR, QUANTILE_COLUMNS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.model import QuantileForecaster
    from nearcast.settings import Settings

    Quantiles = npt.NDArray[np.float64]

CHAMPION_ALIAS = "champion"
CHALLENGER_ALIAS = "challenger"
PREVIOUS_ALIAS = "previous"
CHAMPION_MODEL = "nearcast-quantile"
ARTIFACT = "forecaster"
PACKAGES = (
    "mlflow",
    "numpy",
    "pandas",
    "scipy",
    "torch",
    "lightning",
    "lightgbm",
    "onnxruntime",
    "exchange-calendars",
    "nearcast",
)
"""What a forecaster is fitted with and answers with."""
MLFLOW_TYPES = {"text": "string", "date": "datetime", "double precision": "double", "bigint": "long"}
EXAMPLE_BARS = 250
"""Bars of the input example: a year, which is what the slowest of the features look back on."""


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
        The symbols that it was trained on; None when that is not known.
    """

    model_version: str
    predict: Callable[[pd.DataFrame], Quantiles]
    symbols: frozenset[str] | None = None


class UnloadableError(ForecastError):
    """A version was stored by a Nearcast whose models this one cannot read."""


def registered_model(recipe_name: str) -> str:
    """Return the name under which the models of a recipe are registered."""
    return f"nearcast-{recipe_name}"


def packages() -> dict[str, str]:
    """Return the installed version of each of `PACKAGES`."""
    return {name: metadata.version(name) for name in PACKAGES}


def register(forecaster: QuantileForecaster, bars: pd.DataFrame, client: Any) -> str:
    """Log the forecaster to the active run, register it as challenger; return its version.

    Parameters
    ----------
    forecaster
        A trained forecaster.
    bars
        The bars it was trained on; the newest of one symbol become the input example.
    client
        What `connect` returned.
    """
    import mlflow

    name = registered_model(forecaster.recipe.name)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on integer columns with missing values; there are none
        forecaster.save(Path(folder) / ARTIFACT)
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("pyfunc.py")),
            artifacts={ARTIFACT: str(Path(folder) / ARTIFACT)},
            pip_requirements=[f"{package}=={version}" for package, version in packages().items()],
            signature=_signature(),
            input_example=_example(bars),
            registered_model_name=name,
        )
    version = str(logged.registered_model_version)
    client.set_model_version_tag(name, version, "trained_until", str(forecaster.trained_until))
    client.set_model_version_tag(name, version, "complexity", str(forecaster.complexity))
    client.set_registered_model_alias(name, CHALLENGER_ALIAS, version)
    return version


def _signature() -> Any:
    """Return the model's signature: bars in, quantiles out, as the schema has them."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    bars = [ColSpec(MLFLOW_TYPES[column.postgres], column.name) for column in BAR]
    types = {"stock_symbol": "string", "as_of_date": "datetime", "horizon": "long", "date": "datetime"}
    key = [ColSpec(kind, name) for name, kind in types.items()]
    return ModelSignature(Schema(bars), Schema(key + [ColSpec("double", name) for name in QUANTILE_COLUMNS]))


def _example(bars: pd.DataFrame) -> pd.DataFrame:
    """Return the newest bars of the first symbol that has the most of them."""
    symbol = bars["stock_symbol"].value_counts(sort=True).index[0]
    columns = [column.name for column in BAR]
    mine: pd.DataFrame = bars.loc[bars["stock_symbol"] == symbol, columns]
    return mine.tail(EXAMPLE_BARS).reset_index(drop=True)


def aliases(client: Any, model: str) -> dict[str, list[str]]:
    """Return the aliases of each version that has some."""
    registered = _or_none(lambda: client.get_registered_model(model))
    found: dict[str, list[str]] = {}
    for alias, version in sorted(registered.aliases.items()) if registered else ():
        found.setdefault(str(version), []).append(alias)
    return found


def aliased(client: Any, model: str, alias: str) -> Any:
    """Return the version that has an alias, as MLflow describes it; None when none has."""
    return _or_none(lambda: client.get_model_version_by_alias(model, alias))


def version_of(client: Any, model: str, version: str) -> Any:
    """Return a version as MLflow describes it.

    Raises
    ------
    ForecastError
        There is none of this number.
    """
    found = _or_none(lambda: client.get_model_version(model, version))
    if found is None:
        raise ForecastError(
            f"There is no version {version} of {model}.", todo="See the versions with `nearcast models list`."
        )
    return found


def versions(client: Any, model: str) -> list[Any]:
    """Return every version with its tags, the newest first; MLflow leaves out their aliases here."""
    found = client.search_model_versions(f"name='{model}'")
    return sorted(found, key=lambda version: -int(version.version))


def _or_none(ask: Callable[[], Any]) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def champion_version(settings: Settings) -> str | None:
    """Return the champion's version number, or None when nothing was registered yet.

    Raises
    ------
    ForecastError
        MLflow does not answer.
    """
    with answering(settings):
        champion = aliased(connect(settings), CHAMPION_MODEL, CHAMPION_ALIAS)
    return None if champion is None else str(champion.version)


def newest_version(settings: Settings) -> tuple[str, float] | None:
    """Return the version that was registered last, and when (epoch seconds); None when there is none.

    Raises
    ------
    ForecastError
        MLflow does not answer.
    """
    with answering(settings):
        found = versions(connect(settings), CHAMPION_MODEL)
    return (str(found[0].version), found[0].creation_timestamp / 1000) if found else None


def load_champion(settings: Settings) -> Champion:
    """Return the champion; a version is downloaded once a process.

    Raises
    ------
    ForecastError
        When no model was registered yet, or MLflow does not answer.
    """
    version = champion_version(settings)
    if version is None:
        raise ForecastError(
            f"There is no champion of {CHAMPION_MODEL} in MLflow.", todo="Run `nearcast train` first."
        )
    with answering(settings):
        forecaster = _forecaster(tracking_uri(settings), version)
    if settings.report_dates is not None:  # announced since the training
        forecaster.use_schedule(report_dates(settings.report_dates))
    return Champion(f"{CHAMPION_MODEL}/{version}", forecaster.predict, frozenset(forecaster.symbols))


@lru_cache(maxsize=2)
def _forecaster(uri: str, version: str) -> QuantileForecaster:
    return load_forecaster(CHAMPION_MODEL, version)


def load_forecaster(model: str, version: str) -> QuantileForecaster:
    """Return the forecaster of a version, from the server to which `connect` pointed MLflow.

    Raises
    ------
    UnloadableError
        It was stored by a Nearcast whose models this one cannot read.
    mlflow.exceptions.MlflowException
        MLflow does not answer.
    """
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(f"models:/{model}/{version}", dst_path=folder)
        try:
            loaded = mlflow.pyfunc.load_model(path)
            forecaster: QuantileForecaster = loaded.unwrap_python_model().forecaster
        # it runs the script that was stored with the model, against the modules of today
        except Exception as error:
            raise UnloadableError(
                f"Version {version} of {model} cannot be loaded: {error}",
                todo="Train a new one with `nearcast train`, or go back to the Nearcast that stored it.",
            ) from error
    return forecaster


def load_with_networks(settings: Settings, version: str) -> QuantileForecaster:
    """Return a version of the champions' model with the networks behind its ONNX model.

    Raises
    ------
    ForecastError
        MLflow does not answer, or the version has no networks that this Nearcast can read.
    """
    from nearcast.forecast.model import DOCUMENT, QuantileForecaster

    with answering(settings), tempfile.TemporaryDirectory() as folder:
        connect(settings)
        import mlflow

        path = mlflow.artifacts.download_artifacts(f"models:/{CHAMPION_MODEL}/{version}", dst_path=folder)
        found = list(Path(path).rglob(DOCUMENT))
        if not found:
            raise UnloadableError(
                f"Version {version} of {CHAMPION_MODEL} holds no networks to tune further.",
                todo="Train from nothing, without --fine-tune.",
            )
        return QuantileForecaster.load(found[0].parent, with_networks=True)
