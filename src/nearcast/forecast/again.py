"""Making a run again from itself and its Hudi commit: what a run keeps for that, and what came out differently."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.recipes import Recipe, recipe_of
from nearcast.forecast.windows import Schedule

if TYPE_CHECKING:
    from nearcast.settings import Settings

RECIPE_FILE, SYMBOLS_FILE, PACKAGES_FILE = "recipe.json", "symbols.txt", "packages.json"
SCHEDULE_FILE = "report_dates.json"
FILES = (RECIPE_FILE, SYMBOLS_FILE, PACKAGES_FILE, SCHEDULE_FILE)
REVISION_TAG = "mlflow.source.git.commit"
"""MLflow's own name for it."""


@dataclass(frozen=True)
class Origin:
    """What a run was made from, and what came out."""

    run_id: str
    recipe: Recipe
    symbols: tuple[str, ...]
    commit: str
    training_set_sha256: str
    packages: Mapping[str, str]
    metrics: Mapping[str, float]
    schedule: Schedule
    fine_tuned_from: str | None


@dataclass(frozen=True)
class Differences:
    """What differs between a run and the same run made again.

    Parameters
    ----------
    run_id
        The run that was made again.
    metrics, packages
        Then and now of each metric that is not the same to the bit, and of each package of another version.
    """

    run_id: str
    metrics: dict[str, tuple[float | None, float | None]]
    packages: dict[str, tuple[str | None, str | None]]


def log_origin(recipe: Recipe, symbols: Sequence[str], schedule: Schedule) -> None:
    """Log to the active run what `origin` reads, and the revision of the code when it is a checkout."""
    import mlflow

    from nearcast.forecast.registry import packages

    mlflow.log_dict(asdict(recipe), RECIPE_FILE)
    mlflow.log_text("\n".join(symbols), SYMBOLS_FILE)  # a parameter holds 6000 characters at most
    mlflow.log_dict(packages(), PACKAGES_FILE)
    dates = {symbol: [str(day) for day in days] for symbol, days in schedule.items()}
    mlflow.log_dict(dates, SCHEDULE_FILE)
    if (revision := git_revision()) is not None:
        mlflow.set_tag(REVISION_TAG, revision)


def git_revision(file: Path = Path(__file__)) -> str | None:
    """Return the commit of the checkout that ``file`` belongs to; None when no repository has it.

    A package installed into an environment that lies in somebody's checkout does not belong to that.
    """
    git = ["git", "-C", str(file.parent)]
    try:
        subprocess.run([*git, "ls-files", "--error-unmatch", file.name], check=True, capture_output=True)
        done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def origin(settings: Settings, run_id: str) -> Origin:
    """Read from MLflow what a run was made from.

    Raises
    ------
    ForecastError
        There is no such run, it does not name what it was made from, or MLflow does not answer.
    """
    from nearcast.forecast.tracking import answering, connect

    with answering(settings):
        client = connect(settings)
        import mlflow

        run = client.get_run(run_id)
        files = {file.path for file in client.list_artifacts(run_id)}
        tags = run.data.tags
        lacking = [name for name in FILES if name not in files]
        lacking += [name for name in ("hudi_commit", "training_set_sha256") if name not in tags]
        if lacking:
            raise ForecastError(
                f"Run {run_id} does not say what it was made from: it has no {', '.join(lacking)}.",
                kept="Nothing was trained.",
                todo="Name a run of `nearcast train`; one from before recipes were kept needs `--commit`.",
            )
        texts = {name: mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{name}") for name in FILES}
    return Origin(
        run_id,
        recipe_of(json.loads(texts[RECIPE_FILE])),
        tuple(texts[SYMBOLS_FILE].splitlines()),
        tags["hudi_commit"],
        tags["training_set_sha256"],
        json.loads(texts[PACKAGES_FILE]),
        run.data.metrics,
        {
            symbol: np.array(days, "datetime64[D]")
            for symbol, days in json.loads(texts[SCHEDULE_FILE]).items()
        },
        tags.get("fine_tuned_from"),
    )


def check_rows(first: Origin, sha256: str) -> None:
    """Raise a ForecastError when the commit's rows are not those that the run was trained on."""
    if sha256 != first.training_set_sha256:
        raise ForecastError(
            f"The rows of commit {first.commit} are not those of run {first.run_id}: their SHA-256 is"
            f" {sha256}, not {first.training_set_sha256}.",
            kept="Nothing was trained.",
            todo="Look at snapshots/ in the Hudi bucket: the commit's snapshot was changed.",
        )


def differences(first: Origin, metrics: Mapping[str, float]) -> Differences:
    """Return what is not the same as in the first run."""
    from nearcast.forecast.registry import packages

    now = packages()
    return Differences(
        first.run_id,
        {
            name: (first.metrics.get(name), value)
            for name, value in metrics.items()
            if first.metrics.get(name) != value
        },
        {name: (then, now.get(name)) for name, then in first.packages.items() if now.get(name) != then},
    )
