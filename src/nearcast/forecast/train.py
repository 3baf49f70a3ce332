"""Training: bars from the lake, a chronological split, a fit, a verdict on unseen days, MLflow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nearcast.errors import ForecastError
from nearcast.forecast.recipes import Recipe

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.model import QuantileForecaster
    from nearcast.forecast.windows import Samples
    from nearcast.settings import Settings

EXPERIMENT = "nearcast"
MINIMUM_DAYS = 300
"""Days of samples below which a split leaves no meaningful test."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class TrainReport:
    """What a training left behind.

    Parameters
    ----------
    run_id, model_version, metrics
        The MLflow run, the version of the registered model, and its verdict.
    commit, training_set_sha256
        The Hudi commit that it was trained on, and the SHA-256 of those rows as an Arrow IPC stream.
    seconds
        Wall time.
    """

    run_id: str
    model_version: str
    metrics: dict[str, float]
    commit: str
    training_set_sha256: str
    seconds: float


@dataclass(frozen=True)
class Fitted:
    """A trained forecaster with its verdict over the test days."""

    forecaster: QuantileForecaster
    history: list[dict[str, float]]
    test: Samples
    quantiles: npt.NDArray[np.float64]
    metrics: dict[str, float]


def train(
    settings: Settings,
    recipe: Recipe,
    symbols: Sequence[str] | None = None,
    progress: Progress = lambda step: None,
    commit: str | None = None,
) -> TrainReport:
    """Train ``recipe`` on the lake as of one commit, log it to MLflow and make it the champion.

    Parameters
    ----------
    settings
        The settings; needs the MLflow tracking URI and the lake's bucket.
    recipe
        What to train.
    symbols
        The symbols to train on (default: all in the lake).
    progress
        Is told each step as it begins.
    commit
        The commit to train on, such as one that an earlier model names (default: the newest).

    Raises
    ------
    ForecastError
        When the lake is empty or holds too few days.
    LakeError
        When the commit is not kept, and can no longer be read.
    """
    from nearcast.forecast.bars import as_bars
    from nearcast.forecast.registry import answering, connect
    from nearcast.forecast.training_set import commit_to_train_on, sha256, training_set

    started = time.monotonic()
    tracking = settings.need("mlflow_tracking_uri")
    with answering(settings):  # before the work, not after it
        connect(settings).search_experiments(max_results=1)
    progress("Reading the lake")
    commit = commit or commit_to_train_on(settings)
    rows = training_set(settings, commit, symbols or ())
    bars, tags = as_bars(rows), {"hudi_commit": commit, "training_set_sha256": sha256(rows)}
    progress("Fitting")
    fitted = fit_and_judge(bars, recipe)
    progress(f"Logging to MLflow at {tracking}")
    run_id, version = _log(settings, bars, tags, fitted)
    seconds = round(time.monotonic() - started, 2)
    return TrainReport(run_id, version, fitted.metrics, commit, tags["training_set_sha256"], seconds)


def fit_and_judge(bars: pd.DataFrame, recipe: Recipe) -> Fitted:
    """Fit on the first days, choose the epoch on the next, judge on the last; one seed, one model.

    Raises
    ------
    ForecastError
        When there are fewer than 300 days of samples, or nothing in them to learn from.
    """
    # spinning OpenMP threads would starve the other services of a small machine; read when torch loads
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import numpy as np
    import torch

    from nearcast.forecast.evaluate import baseline_quantiles, evaluate
    from nearcast.forecast.features import MINIMUM_HISTORY, features
    from nearcast.forecast.fit import fit
    from nearcast.forecast.marks import check_learnable
    from nearcast.forecast.model import untrained
    from nearcast.forecast.windows import chronological_split, samples, skip_columns

    check_learnable(bars)
    everything = samples(bars, recipe)
    days = len(np.unique(everything.date))
    if days < MINIMUM_DAYS:
        raise ForecastError(
            f"Training needs {MINIMUM_DAYS} days of samples; there are {days}.",
            todo="Load and publish more history.",
        )
    split = chronological_split(everything.date, recipe.train, recipe.validation)
    learn, judge, test = (everything.take(rows) for rows in split)
    torch.manual_seed(recipe.seed)
    forecaster = untrained(recipe, learn, skip_columns(features(bars.head(MINIMUM_HISTORY))))
    history = fit(forecaster, learn, judge)
    quantiles = forecaster.log_return_quantiles(test)
    metrics = evaluate(test, quantiles, baseline_quantiles(bars, test))
    losses = [epoch["validation_loss"] for epoch in history]
    metrics["best_epoch"] = float(np.argmin(losses) + 1)
    metrics["validation_loss"] = min(losses)
    return Fitted(forecaster, history, test, quantiles, metrics)


def _log(settings: Settings, bars: pd.DataFrame, tags: dict[str, str], fitted: Fitted) -> tuple[str, str]:
    """Log a run with its parameters, metrics, figures, data and model; return run id and model version."""
    from nearcast.forecast.reference import FILE as REFERENCE_FILE
    from nearcast.forecast.reference import measure
    from nearcast.forecast.registry import answering, connect, register

    client = connect(settings)
    import mlflow

    recipe = fitted.forecaster.recipe
    with answering(settings), _run(recipe) as run:
        symbols = sorted(bars["stock_symbol"].unique())
        mlflow.log_params(asdict(recipe) | {"symbols": len(symbols)})
        mlflow.log_text("\n".join(symbols), "symbols.txt")  # a parameter holds 6000 characters at most
        mlflow.log_dict(measure(bars).document(), REFERENCE_FILE)
        mlflow.set_tags(tags)
        mlflow.log_metrics(fitted.metrics)
        _log_history(client, run.info.run_id, fitted.history)
        _log_data(bars, tags["hudi_commit"])
        _log_figures(fitted)
        version = register(fitted.forecaster, client)
    return run.info.run_id, version


@contextmanager
def _run(recipe: Recipe) -> Iterator[Any]:
    """Open a run of the experiment."""
    import mlflow

    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=recipe.name) as run:
        yield run


def _log_history(client: Any, run_id: str, history: list[dict[str, float]]) -> None:
    """Log every epoch's losses in one request."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        [
            Metric(f"epoch_{name}", value, now, epoch)
            for epoch, losses in enumerate(history, start=1)
            for name, value in losses.items()
        ],
    )


def _log_data(bars: pd.DataFrame, commit: str) -> None:
    """Log which bars were used: symbols, days and the Hudi commit that they were read from."""
    import warnings

    import mlflow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on integer columns with missing values; there are none
        data = mlflow.data.from_pandas(bars, source="nearcast.prices", name=f"prices@{commit}")
        mlflow.log_input(data, context="training")


def _log_figures(fitted: Fitted) -> None:
    """Log the fan over the test days, the calibration and the training curve."""
    import mlflow
    import numpy as np

    from nearcast.forecast import plots

    test, levels = fitted.test, np.array(fitted.forecaster.recipe.levels)
    mlflow.log_figure(plots.fan(test, fitted.quantiles), "fan.png")
    mlflow.log_figure(plots.calibration(test.log_return, fitted.quantiles, levels), "calibration.png")
    mlflow.log_figure(plots.training_curve(fitted.history), "training.png")
