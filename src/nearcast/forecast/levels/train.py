"""`nearcast train --recipe levels`: the classic method on the lake, logged and registered as what it is."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.forecast.levels.recipe import LEAKING, LevelsRecipe

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.levels.model import LevelForecaster
    from nearcast.forecast.levels.windows import LevelWindows
    from nearcast.settings import Settings

    Array = npt.NDArray[np.float64]

REGISTERED_MODEL = "nearcast-levels"
"""A model of its own, without a champion: it makes no forecasts that are stored."""

ARTIFACT = "forecaster"
REQUIREMENTS = ("mlflow", "numpy", "pandas", "torch", "lightning", "nearcast")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class LevelsReport:
    """What a training left behind.

    Parameters
    ----------
    run_id, model_version, metrics
        The MLflow run, the version of `REGISTERED_MODEL`, and its figures over the test part; the names of
        a leaking split's begin with ``leaking_``.
    split, leaking
        How train and test were split, and whether that tells the training about the test days.
    commit, training_set_sha256
        The Hudi commit that it was trained on, and the SHA-256 of those rows as an Arrow IPC stream.
    seconds
        Wall time.
    """

    run_id: str
    model_version: str
    metrics: dict[str, float]
    split: str
    leaking: bool
    commit: str
    training_set_sha256: str
    seconds: float


@dataclass(frozen=True)
class FittedLevels:
    """A trained network with its figures over the test part."""

    forecaster: LevelForecaster
    history: list[dict[str, float]]
    test: LevelWindows
    forecast: Array
    metrics: dict[str, float]


def fit_on_part(
    bars: pd.DataFrame, recipe: LevelsRecipe
) -> tuple[LevelForecaster, list[dict[str, float]], LevelWindows]:
    """Train on the one part of the windows; return the forecaster, its losses and the other part.

    Raises
    ------
    ForecastError
        When there are fewer than 100 windows with a known outcome.
    """
    # spinning OpenMP threads would starve the other services of a small machine; read when torch loads
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import numpy as np

    from nearcast.forecast.levels.model import LevelForecaster
    from nearcast.forecast.levels.network import fit
    from nearcast.forecast.levels.windows import level_windows, split

    windows = level_windows(bars, recipe.window)
    windows = windows.take(np.flatnonzero(np.isfinite(windows.actual)))
    learn, test = (windows.take(rows) for rows in split(windows, recipe))
    network, history = fit(learn, recipe)
    return LevelForecaster(recipe, network), history, test


def fit_and_judge(bars: pd.DataFrame, recipe: LevelsRecipe) -> FittedLevels:
    """Train on the one part of the windows and judge on the other.

    Raises
    ------
    ForecastError
        When there are fewer than 100 windows with a known outcome.
    """
    from nearcast.forecast.levels.evaluate import evaluate

    forecaster, history, test = fit_on_part(bars, recipe)
    forecast = forecaster.next_closes(test)
    mark = f"{LEAKING}_" if recipe.leaking else ""
    metrics = {f"{mark}{name}": value for name, value in evaluate(test, forecast).items()}
    return FittedLevels(forecaster, history, test, forecast, metrics)


def train(
    settings: Settings,
    recipe: LevelsRecipe,
    symbols: Sequence[str] | None = None,
    progress: Progress = lambda step: None,
    commit: str | None = None,
) -> LevelsReport:
    """Train the classic method on the lake as of one commit, log it to MLflow and register it.

    Parameters and errors are those of `nearcast.forecast.train.train`.
    """
    from nearcast.forecast.bars import as_bars
    from nearcast.forecast.tracking import answering, connect
    from nearcast.forecast.training_set import commit_to_train_on, sha256, training_set

    started = time.monotonic()
    tracking = settings.need("mlflow_tracking_uri")
    with answering(settings):  # before the work, not after it
        connect(settings).search_experiments(max_results=1)
    progress("Reading the lake")
    commit = commit or commit_to_train_on(settings)
    rows = training_set(settings, commit, symbols or ())
    bars, digest = as_bars(rows), sha256(rows)
    progress("Fitting")
    fitted = fit_and_judge(bars, recipe)
    progress(f"Logging to MLflow at {tracking}")
    tags = {
        "hudi_commit": commit,
        "training_set_sha256": digest,
        "split": recipe.split,
        LEAKING: str(recipe.leaking).lower(),
    }
    with answering(settings):
        run_id, version = _log(bars, tags, fitted)
    return LevelsReport(
        run_id=run_id,
        model_version=version,
        metrics=fitted.metrics,
        split=recipe.split,
        leaking=recipe.leaking,
        commit=commit,
        training_set_sha256=digest,
        seconds=round(time.monotonic() - started, 2),
    )


def _log(bars: pd.DataFrame, tags: dict[str, str], fitted: FittedLevels) -> tuple[str, str]:
    """Log a run with parameters, metrics, figures, data and model; return run id and model version."""
    import mlflow

    from nearcast.forecast.levels import plots
    from nearcast.forecast.train import EXPERIMENT

    recipe, symbols = fitted.forecaster.recipe, sorted(bars["stock_symbol"].unique())
    mlflow.set_experiment(EXPERIMENT)
    name = f"{recipe.name} ({LEAKING.upper()})" if recipe.leaking else recipe.name
    with mlflow.start_run(run_name=name) as run, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on integer columns with missing values; there are none
        mlflow.log_params(asdict(recipe) | {"symbols": len(symbols)})
        mlflow.log_text("\n".join(symbols), "symbols.txt")  # a parameter holds 6000 characters at most
        mlflow.set_tags(tags)
        mlflow.log_metrics(fitted.metrics)
        for epoch, losses in enumerate(fitted.history, start=1):
            mlflow.log_metrics({f"epoch_{name}": value for name, value in losses.items()}, step=epoch)
        data = mlflow.data.from_pandas(bars, source="nearcast.prices", name=f"prices@{tags['hudi_commit']}")
        mlflow.log_input(data, context="training")
        mlflow.log_figure(plots.forecasts(fitted.test, fitted.forecast, recipe.leaking), "forecasts.png")
        mlflow.log_figure(plots.errors(fitted.test, fitted.forecast, recipe.leaking), "errors.png")
        mlflow.log_figure(plots.training_curve(fitted.history, recipe.leaking), "training.png")
        version = _register(fitted.forecaster, bars, tags)
    return run.info.run_id, version


def _register(forecaster: LevelForecaster, bars: pd.DataFrame, tags: dict[str, str]) -> str:
    """Log the model with its signature and an input example, and register it; return its version."""
    import mlflow
    from mlflow.models import infer_signature

    from nearcast.forecast.bars import COLUMNS

    newest = bars.groupby("stock_symbol").tail(forecaster.recipe.window)
    example = newest[newest["stock_symbol"] == newest["stock_symbol"].iloc[0]][COLUMNS].reset_index(drop=True)
    answer = example[["stock_symbol", "date", "close_price"]].tail(1).rename(columns={"date": "as_of_date"})
    with tempfile.TemporaryDirectory() as folder:
        forecaster.save(Path(folder) / ARTIFACT)
        logged: Any = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("pyfunc.py")),
            artifacts={ARTIFACT: str(Path(folder) / ARTIFACT)},
            pip_requirements=list(REQUIREMENTS),
            signature=infer_signature(example, answer),
            input_example=example,
            registered_model_name=REGISTERED_MODEL,
        )
    version = str(logged.registered_model_version)
    client = mlflow.MlflowClient()
    for key in ("split", LEAKING):
        client.set_model_version_tag(REGISTERED_MODEL, version, key, tags[key])
    return version
