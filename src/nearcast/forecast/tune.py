"""Tuning a recipe with Ray Tune: trials of other settings, judged on days before the test, each a run in MLflow."""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.errors import ForecastError
from nearcast.forecast.recipes import Recipe
from nearcast.forecast.search_space import configurations, configured, search_space_of

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.settings import Settings

FOLDER = "tune"
PLAN_FILE = "plan.json"
CONFIGURATION = "configuration"
REDUCTION = 3
"""ASHA goes on with one of so many trials at each rung."""
SAVE_EVERY_S = "1"
"""How often Ray stores the state that a resumed tuning begins from."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class TunePlan:
    """What a tuning does: kept beside its state, so that a resumed one does the same.

    Parameters
    ----------
    recipe
        Name of the recipe.
    trials, max_epochs, seed
        How many configurations are tried, for how many epochs at most, and the seed that they are drawn from.
    symbols, csv, commit
        The bars: of these symbols (none: all), from a CSV file or the lake's commit.
    before
        The first day that no trial may see (None: the first test day of the recipe).
    """

    recipe: str
    trials: int
    max_epochs: int
    seed: int = 1
    symbols: tuple[str, ...] = ()
    csv: str | None = None
    commit: str | None = None
    before: str | None = None


@dataclass(frozen=True)
class TuneReport:
    """What a tuning found.

    Parameters
    ----------
    best, trials
        ``config``, ``score``, ``epochs``, ``status`` and ``run_id`` of each trial. The score is the smallest
        ratio, over its epochs, of its pinball loss to the last close's on the validation days.
    run_id
        The MLflow run whose children the trials are.
    validation
        First and last day that the trials were judged on.
    seconds
        Wall time.
    """

    best: dict[str, Any]
    trials: list[dict[str, Any]]
    run_id: str
    validation: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class Tuning:
    """A tuning under way: what it does, with which bars, and where its state and its runs are."""

    plan: TunePlan
    recipe: Recipe
    configurations: list[dict[str, Any]]
    bars: pd.DataFrame
    run_id: str
    folder: Path

    def keep(self, finished: bool) -> None:
        """Write what `resume` needs, in one step."""
        from nearcast.forecast.csv_bars import digest

        document = {
            "plan": asdict(self.plan),
            "configurations": self.configurations,
            "bars_sha256": digest(self.bars),
            "run_id": self.run_id,
            "finished": finished,
        }
        temporary = self.folder / f"{PLAN_FILE}.tmp"
        temporary.write_text(json.dumps(document, indent=1))
        temporary.replace(self.folder / PLAN_FILE)


def tune(
    settings: Settings, recipe: Recipe, plan: TunePlan, progress: Progress = lambda step: None
) -> TuneReport:
    """Try configurations of a recipe; the recipe itself is the first of them.

    Parameters
    ----------
    settings
        The settings; needs the MLflow tracking URI, and the lake's bucket when the bars are the lake's.
    recipe
        What is tuned.
    progress
        Is told each step as it begins.

    Raises
    ------
    ForecastError
        There are too few days, MLflow does not answer, or every trial failed.
    KeyboardInterrupt
        On Ctrl-C, with the trials so far kept for `resume`.
    """
    from nearcast.forecast.tracking import answering

    tried = configurations(recipe, search_space_of(recipe), plan.trials, plan.seed)
    if plan.csv is None and plan.commit is None:
        from nearcast.forecast.training_set import commit_to_train_on

        plan = replace(plan, commit=commit_to_train_on(settings))
    bars = _bars(settings, plan, progress)
    with answering(settings):
        run_id = _open_run(settings, plan, bars)
    moment = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}"
    folder = settings.home / FOLDER / f"{recipe.name}-{moment}-{run_id[:6]}"
    folder.mkdir(parents=True)
    recipe = replace(recipe, epochs=plan.max_epochs)
    return _run(settings, Tuning(plan, recipe, tried, bars, run_id, folder), progress)


def resume(
    settings: Settings, recipe_named: Callable[[str], Recipe], progress: Progress = lambda step: None
) -> TuneReport:
    """Go on with the newest tuning of the home that was stopped; trials that had not ended begin anew.

    Raises
    ------
    ForecastError
        There is none, or its bars are not what they were.
    """
    from nearcast.forecast.csv_bars import digest

    plans = sorted((settings.home / FOLDER).glob(f"*/{PLAN_FILE}"), key=lambda path: path.stat().st_mtime)
    documents = [(path.parent, json.loads(path.read_text())) for path in plans]
    stopped = [(folder, document) for folder, document in documents if not document["finished"]]
    if not stopped:
        raise ForecastError("No tuning of this home was stopped.", todo="Run `nearcast tune`.")
    folder, document = stopped[-1]
    plan = TunePlan(**document["plan"] | {"symbols": tuple(document["plan"]["symbols"])})
    bars = _bars(settings, plan, progress)
    if digest(bars) != document["bars_sha256"]:
        raise ForecastError(
            "The prices are not those that the tuning began with.",
            kept=f"Its trials are kept in {folder}.",
            todo="Bring the CSV file back, or tune again.",
        )
    recipe = replace(recipe_named(plan.recipe), epochs=plan.max_epochs)
    tuning = Tuning(plan, recipe, document["configurations"], bars, document["run_id"], folder)
    return _run(settings, tuning, progress)


def _run(settings: Settings, tuning: Tuning, progress: Progress) -> TuneReport:
    """Begin a tuning or go on with it, and end its MLflow run however it ends."""
    from nearcast.forecast.ray_cluster import ray_cluster
    from nearcast.forecast.tracking import answering, connect
    from nearcast.forecast.trial import BEST_TAG, SCORE, tuning_days

    began = time.monotonic()
    first, test = tuning_days(tuning.bars, tuning.recipe, tuning.plan.before)
    days = tuning.bars["date"].to_numpy().astype("datetime64[D]")
    validation = {"from": str(first), "to": str(days[days < test].max())}
    tuning.keep(finished=False)
    client = connect(settings)
    with answering(settings):
        client.update_run(tuning.run_id, status="RUNNING")
        for name, day in validation.items():
            client.set_tag(tuning.run_id, f"validation_{name}", day)
    progress(f"{tuning.plan.trials} trials, judged on {validation['from']} to {validation['to']}")
    try:
        with answering(settings), ray_cluster(settings.home):
            trials = _try(settings, tuning)
        scored = [trial for trial in trials if trial["score"] is not None]
        if not scored:
            raise ForecastError("Every trial failed.", todo=f"See error.txt in {tuning.folder}.")
    except KeyboardInterrupt:
        progress("Stopped, with its trials kept: go on with `nearcast tune --resume`")
        client.set_terminated(tuning.run_id, "KILLED")
        raise
    except Exception:
        client.set_terminated(tuning.run_id, "FAILED")
        raise
    tuning.keep(finished=True)
    winner = min(scored, key=lambda trial: trial["score"])
    with answering(settings):
        client.log_metric(tuning.run_id, SCORE, winner["score"])
        client.set_tag(tuning.run_id, BEST_TAG, winner["run_id"])
        client.set_terminated(tuning.run_id, "FINISHED")
    best = {name: winner[name] for name in ("config", "epochs", "run_id")} | {SCORE: winner["score"]}
    return TuneReport(best, trials, tuning.run_id, validation, round(time.monotonic() - began, 2))


def _try(settings: Settings, tuning: Tuning) -> list[dict[str, Any]]:
    """Run the trials that are left, and return all in the order of their configurations.

    Raises
    ------
    KeyboardInterrupt
        When Ray was stopped by Ctrl-C, which it takes as the wish to end in good order.
    """
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", SAVE_EVERY_S)
    from ray import tune as ray_tune

    from nearcast.forecast.trial import fit_and_report
    from nearcast.forecast.trial_runs import TrialRuns

    plan, folder = tuning.plan, tuning.folder
    runs = TrialRuns(settings.need("mlflow_tracking_uri"), tuning.run_id)
    trial = ray_tune.with_parameters(
        fit_and_report, bars=tuning.bars, recipe=tuning.recipe, before=plan.before
    )
    trial = ray_tune.with_resources(trial, {"cpu": 1})
    if ray_tune.Tuner.can_restore(folder):
        tuner = ray_tune.Tuner.restore(str(folder), trial, resume_unfinished=True, restart_errored=True)
    else:
        tuner = ray_tune.Tuner(
            trial,
            param_space={CONFIGURATION: ray_tune.grid_search(tuning.configurations)},
            tune_config=ray_tune.TuneConfig(
                scheduler=_asha(plan), trial_dirname_creator=lambda one: one.trial_id
            ),
            run_config=ray_tune.RunConfig(
                name=folder.name, storage_path=str(folder.parent), callbacks=[runs], verbose=0
            ),
        )
    ended = tuner.fit()._experiment_analysis.trials
    if runs.end_stopped() < plan.trials:
        raise KeyboardInterrupt
    documents = [runs.document(one) for one in ended]
    return sorted(documents, key=lambda document: tuning.configurations.index(document["config"]))


def tuned_recipe(settings: Settings, recipe: Recipe, run_id: str) -> Recipe:
    """Return a recipe with the settings of a trial's run, or of the best trial of a tuning's run.

    Raises
    ------
    ForecastError
        There is no such run, or it is no trial of this recipe.
    """
    from nearcast.forecast.tracking import answering, connect
    from nearcast.forecast.trial import BEST_TAG, CONFIG_TAG

    with answering(settings):
        client = connect(settings)
        tags = client.get_run(run_id).data.tags
        if BEST_TAG in tags:
            tags = client.get_run(tags[BEST_TAG]).data.tags
    if CONFIG_TAG not in tags:
        raise ForecastError(
            f"The run {run_id} is no trial, and no tuning that has ended.", todo="See `nearcast tune --json`."
        )
    return configured(recipe, json.loads(tags[CONFIG_TAG]))


def _asha(plan: TunePlan) -> Any:
    from ray.tune.schedulers import ASHAScheduler

    from nearcast.forecast.trial import SCORE

    grace = max(1, plan.max_epochs // REDUCTION)
    return ASHAScheduler(
        metric=SCORE, mode="min", max_t=plan.max_epochs, grace_period=grace, reduction_factor=REDUCTION
    )


def _bars(settings: Settings, plan: TunePlan, progress: Progress) -> pd.DataFrame:
    """Return the bars of a plan."""
    if plan.csv is not None:
        progress(f"Reading {plan.csv}")
        from nearcast.forecast.csv_bars import bars_of_csv

        return bars_of_csv(Path(plan.csv), plan.symbols)
    from nearcast.forecast.bars import as_bars
    from nearcast.forecast.training_set import training_set

    progress("Reading the lake")
    assert plan.commit is not None
    return as_bars(training_set(settings, plan.commit, plan.symbols))


def _open_run(settings: Settings, plan: TunePlan, bars: pd.DataFrame) -> str:
    """Open the MLflow run whose children the trials are."""
    from mlflow.entities import Param

    from nearcast.forecast.csv_bars import digest
    from nearcast.forecast.tracking import connect
    from nearcast.forecast.train import EXPERIMENT

    client = connect(settings)
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
    run_id: str = client.create_run(experiment, run_name="tune").info.run_id
    params = {name: value for name, value in asdict(plan).items() if name not in ("symbols", "commit")}
    client.log_batch(run_id, params=[Param(name, str(value)) for name, value in params.items()])
    client.log_text(run_id, "\n".join(sorted(bars["stock_symbol"].unique())), "symbols.txt")
    client.set_tag(run_id, "training_set_sha256", digest(bars))
    if plan.commit is not None:
        client.set_tag(run_id, "hudi_commit", plan.commit)
    return run_id
