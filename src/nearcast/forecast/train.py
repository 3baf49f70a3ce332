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
from nearcast.forecast.windows import NO_SCHEDULE, Schedule
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.again import Differences, Origin
    from nearcast.forecast.evaluate import HeldOut
    from nearcast.forecast.fit import Epoch
    from nearcast.forecast.model import QuantileForecaster
    from nearcast.forecast.promotion import Decision
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
    promotion
        Whether the version became the champion, and why.
    again
        What differs from the run that was made again; None: no run was.
    """

    run_id: str
    model_version: str
    metrics: dict[str, float]
    commit: str
    training_set_sha256: str
    seconds: float
    promotion: Decision
    again: Differences | None = None


@dataclass(frozen=True)
class Fitted:
    """A trained forecaster with its verdict over the test days."""

    forecaster: QuantileForecaster
    history: list[Epoch]
    test: HeldOut
    quantiles: npt.NDArray[np.float64]
    metrics: dict[str, float]


def train(
    settings: Settings,
    recipe: Recipe,
    symbols: Sequence[str] | None = None,
    progress: Progress = lambda step: None,
    commit: str | None = None,
    workers: int = 1,
    fine_tune: bool = False,
) -> TrainReport:
    """Train ``recipe`` on the lake as of one commit, log it to MLflow, and promote it if it is better.

    Parameters
    ----------
    settings
        The settings; needs the MLflow tracking URI and the lake's bucket.
    recipe
        What to train.
    symbols
        The symbols to train on (default: all in the lake). The champion is compared on all of them.
    progress
        Is told each step as it begins.
    commit
        The commit to train on, such as one that an earlier model names (default: the newest).
    workers
        More than one: processes of Ray Train that share each batch.
    fine_tune
        Begin with the champion's networks, and tune them further on the new days.

    Raises
    ------
    ForecastError
        When the lake is empty or holds too few days, or there is no champion to tune further that fits the recipe.
    LakeError
        When the commit is not kept, and can no longer be read.
    """
    from nearcast.forecast.tracking import answering, connect
    from nearcast.forecast.training_set import commit_to_train_on

    with answering(settings):  # before the work, not after it
        connect(settings).search_experiments(max_results=1)
    progress("Reading the lake")
    commit = commit or commit_to_train_on(settings)
    return _train(settings, recipe, symbols or (), commit, progress, workers, fine_tune)


def train_again(settings: Settings, run_id: str, progress: Progress = lambda step: None) -> TrainReport:
    """Train with the recipe, the symbols and the commit of an earlier run; say what came out differently.

    Raises
    ------
    ForecastError
        There is no such run, it does not name what it was made from, or its rows are not the same any more.
    LakeError
        When the commit is not kept, and can no longer be read.
    """
    from nearcast.forecast.again import origin

    first = origin(settings, run_id)
    progress(f"Reading the lake as of {first.commit}")
    return _train(settings, first.recipe, first.symbols, first.commit, progress, first=first)


def _train(
    settings: Settings,
    recipe: Recipe,
    symbols: Sequence[str],
    commit: str,
    progress: Progress,
    workers: int = 1,
    fine_tune: bool = False,
    first: Origin | None = None,
) -> TrainReport:
    from nearcast.forecast.again import check_rows, differences
    from nearcast.forecast.bars import as_bars
    from nearcast.forecast.champions import promote_if_better
    from nearcast.forecast.registry import champion_version, load_with_networks, registered_model
    from nearcast.forecast.report_days import report_dates
    from nearcast.forecast.tracking import tracking_uri
    from nearcast.forecast.training_set import sha256, training_set

    started = time.monotonic()
    rows = training_set(settings, commit, symbols)
    tags = {"hudi_commit": commit, "training_set_sha256": sha256(rows)}
    if first is not None:
        check_rows(first, tags["training_set_sha256"])
        tags["again_of"] = first.run_id
    bars = as_bars(rows)
    schedule: Schedule = report_dates(settings.report_dates) if settings.report_dates else {}
    base = champion_version(settings) if fine_tune else None
    if fine_tune and base is None:
        raise ForecastError(
            "There is no champion whose networks could be tuned further.",
            todo="Train from nothing, without --fine-tune.",
        )
    if first is not None:
        schedule, base = first.schedule, first.fine_tuned_from
    start = None
    if base is not None:
        progress(f"Beginning with the networks of version {base}")
        start, tags["fine_tuned_from"] = load_with_networks(settings, base), base
        _check_sizes(recipe, start.recipe, base)
    fitted = fit_and_judge(bars, recipe, workers, settings.home, schedule=schedule, start=start, say=progress)
    progress(f"Logging to MLflow at {tracking_uri(settings)}")
    run_id, version = _log(settings, bars, tags, fitted)
    progress("Comparing with the champion")
    everything = as_bars(training_set(settings, commit)) if symbols else bars
    model = registered_model(recipe.name)
    decision = promote_if_better(settings, model, version, everything, fitted.forecaster)
    return TrainReport(
        run_id,
        version,
        fitted.metrics,
        commit,
        tags["training_set_sha256"],
        round(time.monotonic() - started, 2),
        decision,
        differences(first, fitted.metrics) if first else None,
    )


def _check_sizes(recipe: Recipe, of_start: Recipe, version: str) -> None:
    """Refuse to tune networks further that are not of the recipe's sizes: they would stay what they are."""
    sizes = ("channels", "hidden", "head", "network_seeds")
    other = [name for name in sizes if getattr(recipe, name) != getattr(of_start, name)]
    if other:
        raise ForecastError(
            f"The networks of version {version} are of another size than the recipe's: {', '.join(other)}.",
            kept="Nothing was trained.",
            todo="Train from nothing, without --fine-tune.",
        )


def fit_and_judge(
    bars: pd.DataFrame,
    recipe: Recipe,
    workers: int = 1,
    home: Path | None = None,
    *,
    schedule: Schedule = NO_SCHEDULE,
    start: QuantileForecaster | None = None,
    say: Progress = lambda step: None,
) -> Fitted:
    """Fit on all days but the newest, the test; judge on those.

    Parameters
    ----------
    workers, home
        More than one worker: processes of Ray Train, whose files lie in NEARCAST_HOME.
    schedule
        Sessions that react to a symbol's reports, where they are known.
    start
        A forecaster with its networks, to tune those further instead of fitting new ones.
    say
        Is told each step as it begins.

    Raises
    ------
    ForecastError
        When there are fewer than 300 days to learn from, or a price is not a positive number.
    """
    # spinning OpenMP threads would starve the other services of a small machine; read when torch loads
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import numpy as np

    from nearcast.forecast.evaluate import baseline_quantiles, evaluate, held_out
    from nearcast.forecast.marks import check_learnable
    from nearcast.forecast.model import QuantileForecaster

    check_learnable(bars)
    days = np.unique(bars["date"].to_numpy().astype("datetime64[D]"))
    learn = int((1 - recipe.test_share) * len(days))
    if learn < MINIMUM_DAYS:
        raise ForecastError(
            f"Training needs {MINIMUM_DAYS} days to learn from; there are {learn} besides the test's.",
            todo="Load and publish more history.",
        )
    known = bars[bars["date"] < str(days[learn])].reset_index(drop=True)
    forecaster = QuantileForecaster.fit(
        known, recipe, schedule=schedule, start=start, workers=workers, home=home, say=say
    )
    test = held_out(bars, np.datetime64(forecaster.trained_until))
    say("Judging")
    quantiles = forecaster.quantiles(bars, test.rows)[:, 0]
    metrics = evaluate(test, quantiles, baseline_quantiles(bars, test.rows))
    return Fitted(forecaster, forecaster.history, test, quantiles, metrics)


def _log(settings: Settings, bars: pd.DataFrame, tags: dict[str, str], fitted: Fitted) -> tuple[str, str]:
    """Log a run with its parameters, metrics, figures, data and model; return run id and model version."""
    from nearcast.forecast.again import log_origin
    from nearcast.forecast.reference import FILE as REFERENCE_FILE
    from nearcast.forecast.reference import measure
    from nearcast.forecast.registry import register
    from nearcast.forecast.tracking import answering, connect

    client = connect(settings)
    import mlflow

    recipe = fitted.forecaster.recipe
    with answering(settings), _run(recipe) as run:
        symbols = sorted(bars["stock_symbol"].unique())
        mlflow.log_params(asdict(recipe) | {"symbols": len(symbols)})
        mlflow.set_tags(tags)
        log_origin(recipe, symbols, fitted.forecaster.schedule)
        mlflow.log_dict(measure(bars).document(), REFERENCE_FILE)
        mlflow.log_metrics(fitted.metrics)
        _log_history(client, run.info.run_id, fitted.history)
        _log_data(bars, tags["hudi_commit"])
        _log_figures(fitted)
        version = register(fitted.forecaster, bars, client)
    return run.info.run_id, version


@contextmanager
def _run(recipe: Recipe) -> Iterator[Any]:
    """Open a run of the experiment."""
    import mlflow

    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=recipe.name) as run:
        yield run


def _log_history(client: Any, run_id: str, history: list[Epoch]) -> None:
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

    test, levels = fitted.test, np.array(QUANTILE_LEVELS)
    mlflow.log_figure(plots.fan(test, fitted.quantiles), "fan.png")
    mlflow.log_figure(plots.calibration(test.log_return, fitted.quantiles, levels), "calibration.png")
    mlflow.log_figure(plots.training_curve(fitted.history), "training.png")
