"""``nearcast train`` and ``nearcast tune``."""

from __future__ import annotations

import datetime
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearcast.cli import json_option
from nearcast.commands.forecast import SYMBOLS
from nearcast.output import Output
from nearcast.settings import Settings, load_settings

if TYPE_CHECKING:
    from nearcast.forecast.tune import TuneReport


@click.command()
@click.option("--recipe", "recipe_name", help="What to train.  [default: quantile]")
@SYMBOLS
@click.option(
    "--commit",
    metavar="INSTANT",
    help="Train on the rows of this commit, such as the one that a model names (default: the newest).",
)
@click.option("--again", metavar="RUN_ID", help="Make an MLflow run again: its recipe, symbols and commit.")
@click.option(
    "--fine-tune", is_flag=True, help="Begin with the champion's networks and tune them on the new days."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="With more than one: processes of Ray Train, on this machine or at RAY_ADDRESS.",
)
@click.option(
    "--from-tune", "tuned", metavar="RUN_ID", help="With the settings of this trial, or tuning's best."
)
@click.option(
    "--split",
    type=click.Choice(["chronological", "shuffled"]),
    help="levels: how to draw the test part (default: chronological). A shuffled one leaks.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="levels: passes over the windows (default: 40).")
@json_option
def train(
    recipe_name: str | None,
    symbols: tuple[str, ...],
    commit: str | None,
    again: str | None,
    fine_tune: bool,
    workers: int,
    tuned: str | None,
    split: str | None,
    epochs: int | None,
    as_json: bool,
) -> None:
    """Train on the lake's prices, log the run to MLflow, and promote the model if it is better.

    Every model is registered as challenger. It becomes the champion when its pinball loss is smaller on days that
    neither learned from, with the whole interval of the ratio; or equal, and it is simpler (`nearcast models`).

    The recipe levels is the classic method, to compare with: it never becomes the champion. Its shuffled
    split reproduces what papers and tutorials report; wherever such figures appear, they are marked as
    leaking.

    The commit's rows are kept on S3: a model's tag hudi_commit, given to --commit, makes its training set
    again, with the same training_set_sha256. --again makes the whole run again and says what is different.

    \b
    Examples:
      nearcast train                          every symbol of the lake
      nearcast train --symbol NFLX --json
      nearcast train --commit 20260131120000000
      nearcast train --again 4f0c2d7be5f84e5c8a7b7a3c5a0b1e2d
      nearcast train --fine-tune              from the champion, in less time
      nearcast train --workers 2
      nearcast train --recipe levels --symbol NFLX --split shuffled
    """
    from nearcast.forecast.recipes import recipe_named
    from nearcast.forecast.train import train as run
    from nearcast.forecast.train import train_again

    output, settings = Output(as_json), load_settings()

    def progress(step: str) -> None:
        output.note(f"{step} …")

    if again and (recipe_name or symbols or commit or tuned or fine_tune):
        raise click.UsageError("--again takes recipe, symbols and commit from the run.")
    if recipe_name == "levels":
        return _train_levels(output, settings, symbols, commit, split, epochs)
    if split or epochs:
        raise click.UsageError("--split and --epochs belong to the recipe levels.")
    if again:
        report = train_again(settings, again, progress)
    else:
        recipe = recipe_named(recipe_name or "quantile")
        if tuned is not None:
            from nearcast.forecast.tune import tuned_recipe

            recipe = tuned_recipe(settings, recipe, tuned)
        report = run(settings, recipe, symbols or None, progress, commit, workers, fine_tune)
    return output.result(asdict(report), lambda _: _render_report(output, asdict(report)))


def _train_levels(
    output: Output,
    settings: Settings,
    symbols: tuple[str, ...],
    commit: str | None,
    split: str | None,
    epochs: int | None,
) -> None:
    """Train the classic method."""
    from nearcast.forecast.levels.recipe import CHRONOLOGICAL, LEAKING, LevelsRecipe
    from nearcast.forecast.levels.train import train as run

    recipe = LevelsRecipe(split=split or CHRONOLOGICAL, epochs=epochs or LevelsRecipe.epochs)
    report = run(settings, recipe, symbols or None, lambda step: output.note(f"{step} …"), commit)
    mark = f"{LEAKING.upper()} (shuffled split): not a forecast of days to come. " if recipe.leaking else ""
    output.result(asdict(report), lambda _: _render_report(output, asdict(report), mark))


@click.command()
@click.option("--recipe", "recipe_name", default="quantile", show_default=True, help="What to tune.")
@click.option(
    "--trials", type=click.IntRange(min=1), default=20, show_default=True, help="Configurations to try."
)
@click.option("--max-epochs", type=click.IntRange(min=1), help="Of a trial (default: the recipe's).")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the configurations.")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Use no day from this one on (default: the first test day of the recipe's own split).",
)
@SYMBOLS
@click.option("--csv", type=click.Path(path_type=Path), help="Prices from this file instead of the lake.")
@click.option(
    "--resume", "again", is_flag=True, help="Go on with the newest tuning that was stopped, as it began."
)
@json_option
def tune(
    recipe_name: str,
    trials: int,
    max_epochs: int | None,
    seed: int,
    before: datetime.datetime | None,
    symbols: tuple[str, ...],
    csv: Path | None,
    again: bool,
    as_json: bool,
) -> None:
    """Try other settings of a recipe with Ray Tune, judged on days before the test; each is a run in MLflow.

    Trials run side by side, one a CPU, on this machine or at RAY_ADDRESS; those that fall behind end early
    (ASHA). The recipe as it is comes first.

    \b
    Examples:
      nearcast tune --trials 20
      nearcast tune --csv prices.csv --before 2020-01-01 --json
      nearcast tune --resume
    """
    from nearcast.forecast.recipes import recipe_named
    from nearcast.forecast.tune import TunePlan, resume
    from nearcast.forecast.tune import tune as run

    output, settings = Output(as_json), load_settings()

    def progress(step: str) -> None:
        output.note(f"{step} …")

    if again:
        report = resume(settings, recipe_named, progress)
    else:
        recipe = recipe_named(recipe_name)
        plan = TunePlan(
            recipe=recipe_name,
            trials=trials,
            max_epochs=max_epochs or recipe.epochs,
            seed=seed,
            symbols=symbols,
            csv=str(csv.absolute()) if csv else None,
            before=f"{before:%Y-%m-%d}" if before else None,
        )
        report = run(settings, recipe, plan, progress)
    output.result(asdict(report), lambda _: _render_trials(output, report))


def _render_report(output: Output, report: dict[str, Any], mark: str = "") -> None:
    rows = [(name, f"{value:.4g}") for name, value in report["metrics"].items()]
    output.table(f"{mark}Model {report['model_version']}, {report['seconds']} s", ("metric", "value"), rows)
    output.stdout.print(f"commit: {report['commit']}\ntraining set: sha256 {report['training_set_sha256']}")
    if again := report.get("again"):
        same = (
            "the same metrics, to the bit" if not again["metrics"] else f"other metrics: {again['metrics']}"
        )
        output.stdout.print(f"run {again['run_id']} again: {same}")
        if again["packages"]:
            output.stdout.print(f"packages then and now: {again['packages']}")
    if decision := report.get("promotion"):
        output.stdout.print(f"{decision['decision']}: {decision['reason']}")


def _render_trials(output: Output, report: TuneReport) -> None:
    days = report.validation
    rows = [
        (
            trial["run_id"],
            None if trial["score"] is None else f"{trial['score']:.4f}",
            trial["epochs"],
            trial["status"],
            ", ".join(f"{name} {value}" for name, value in trial["config"].items()),
        )
        for trial in sorted(report.trials, key=lambda trial: (trial["score"] is None, trial["score"]))
    ]
    title = f"Pinball loss ÷ last close's, {days['from']} to {days['to']}; {report.seconds} s"
    output.table(title, ("run", "ratio", "epochs", "status", "settings"), rows)
    output.stdout.print(f"train with it: nearcast train --from-tune {report.best['run_id']}")
