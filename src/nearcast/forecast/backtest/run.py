"""The walk-forward run: every model in every fold, those answers that are kept not again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.backtest.answers import Answer, answer_path, load
from nearcast.forecast.backtest.code_version import code_version
from nearcast.forecast.backtest.days import ForecastDays, fold_start, forecast_days
from nearcast.forecast.backtest.fold import seen_in_fold
from nearcast.forecast.backtest.models import REFERENCE, is_leaking, model_named
from nearcast.forecast.backtest.pool import Progress, Task, run_tasks

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.forecast.backtest.model import Array


@dataclass(frozen=True)
class Answered:
    """A model's answers over all folds.

    Parameters
    ----------
    name, leaking
        Its name, and whether it saw the future when it learnt.
    horizons
        It forecasts the sessions 1 … horizons ahead.
    quantiles
        (n, 10, 7) quantiles of log returns for the n days; NaN where it did not answer.
    seconds
        Wall time of its fits and forecasts.
    histories
        Losses of each epoch, by fold.
    """

    name: str
    leaking: bool
    horizons: int
    quantiles: Array
    seconds: float
    histories: dict[int, list[dict[str, float]]]


@dataclass(frozen=True)
class Run:
    """What the models of a backtest answered on its days."""

    days: ForecastDays
    models: list[Answered]


def walk_forward(
    home: Path,
    bars: pd.DataFrame,
    names: Sequence[str],
    first: np.datetime64,
    *,
    jobs: int = 1,
    fresh: bool = False,
    progress: Progress = lambda running, done, tasks: None,
) -> Run:
    """Fit every model before every fold and return its forecasts from the fold's days.

    A fold is a calendar year of forecast sessions. Answers are kept in ``home`` as they come, and the next
    run with the same bars, fold and code of the model takes them from there.

    Parameters
    ----------
    bars
        Daily bars by symbol and date, up to the last day of the backtest.
    names
        The models, by what `model_named` knows; the last close is added when it is not among them.
    first
        The first session to forecast.
    fresh
        Answer again what is kept.

    Raises
    ------
    ForecastError
        When there are too few bars or no days, and when a model is unknown or fails.
    """
    days = forecast_days(bars, first)
    years = [int(year) for year in np.unique(days.fold)]
    chosen = list(dict.fromkeys([*names, REFERENCE]))
    _check_names(chosen)
    with tempfile.TemporaryDirectory(prefix="nearcast-backtest-") as folder:
        pickled = Path(folder) / "bars.pkl"
        bars.to_pickle(pickled)
        tasks = _tasks(home, bars, chosen, years, first, pickled)
        run_tasks([task for task in tasks if fresh or not task.path.exists()], jobs, progress)
    kept = {(task.model, task.year): load(task.path) for task in tasks}
    models = [_joined(name, days, {year: kept[name, year] for year in years}) for name in chosen]
    return Run(days, models)


def _check_names(chosen: Sequence[str]) -> None:
    """Raise when a model is unknown, or two are of one name."""
    names = [model_named(name).name for name in chosen]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ForecastError(
            f"Two models have the name {', '.join(sorted(twice))}.", todo="Give one of them another `name`."
        )


def _tasks(
    home: Path,
    bars: pd.DataFrame,
    names: Sequence[str],
    years: Sequence[int],
    first: np.datetime64,
    pickled: Path,
) -> list[Task]:
    """Return every task, the longest folds first: a last one alone would leave the other cores idle."""
    code = {name: code_version(model_named(name)) for name in names}
    tasks = []
    for year in sorted(years, reverse=True):
        seen, wanted = seen_in_fold(bars, year, first)
        for name in names:
            path = answer_path(home, name, code[name], seen, wanted, f"{year} {fold_start(year, first)}")
            tasks.append(Task(name, year, first, pickled, path))
    return tasks


def _joined(name: str, days: ForecastDays, answers: dict[int, Answer]) -> Answered:
    model = model_named(name)
    quantiles = np.empty((len(days), *next(iter(answers.values())).quantiles.shape[1:]))
    for year, one in answers.items():
        mine = days.fold == year
        if mine.sum() != len(one.quantiles):
            raise ForecastError(
                f"What is kept of {name} in the fold {year} is of other days.", todo="Run again with --fresh."
            )
        quantiles[mine] = one.quantiles
    return Answered(
        name=model.name,
        leaking=is_leaking(model),
        horizons=model.horizons,
        quantiles=quantiles,
        seconds=sum(one.seconds for one in answers.values()),
        histories={year: one.history for year, one in sorted(answers.items()) if one.history},
    )
