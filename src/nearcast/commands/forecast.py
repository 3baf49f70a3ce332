"""``nearcast train`` and ``nearcast forecast``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from nearcast.cli import json_option
from nearcast.errors import NearcastError
from nearcast.output import Output
from nearcast.settings import Settings, load_settings

SYMBOLS = click.option("--symbol", "symbols", multiple=True, metavar="S", help="A symbol; may be repeated.")


@click.command()
@click.option("--recipe", "recipe_name", default="quantile", show_default=True, help="What to train.")
@SYMBOLS
@click.option(
    "--commit",
    metavar="INSTANT",
    help="Train on the rows of this commit, such as the one that a model names (default: the newest).",
)
@click.option(
    "--split",
    type=click.Choice(["chronological", "shuffled"]),
    help="levels: how to draw the test part (default: chronological). A shuffled one leaks.",
)
@click.option("--epochs", type=click.IntRange(min=1), help="levels: passes over the windows (default: 40).")
@json_option
def train(
    recipe_name: str,
    symbols: tuple[str, ...],
    commit: str | None,
    split: str | None,
    epochs: int | None,
    as_json: bool,
) -> None:
    """Train on the lake's prices, log the run to MLflow and make the model the champion.

    The recipe levels is the classic method, to compare with: it never becomes the champion. Its shuffled
    split reproduces what papers and tutorials report; wherever such figures appear, they are marked as
    leaking.

    The commit's rows are kept on S3: a model's tag hudi_commit, given to --commit, makes its training set
    again, with the same training_set_sha256.

    \b
    Examples:
      nearcast train                          every symbol of the lake
      nearcast train --symbol NFLX --json
      nearcast train --commit 20260131120000000
      nearcast train --recipe levels --symbol NFLX --split shuffled
    """
    from nearcast.forecast.recipes import recipe_named
    from nearcast.forecast.train import train as run

    output, settings = Output(as_json), load_settings()
    if recipe_name == "levels":
        return _train_levels(output, settings, symbols, commit, split, epochs)
    if split or epochs:
        raise click.UsageError("--split and --epochs belong to the recipe levels.")
    recipe = recipe_named(recipe_name)
    report = run(settings, recipe, symbols or None, lambda step: output.note(f"{step} …"), commit)
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
@SYMBOLS
@click.option(
    "--follow", "keep_following", is_flag=True, help="Store a forecast for each new row, until ended."
)
@json_option
def forecast(symbols: tuple[str, ...], keep_following: bool, as_json: bool) -> None:
    """Forecast the next trading day from the newest row in the lake, with the champion.

    One symbol gives one document; several give a list named `forecasts`.

    \b
    Examples:
      nearcast forecast --symbol NFLX
      nearcast forecast --json                every symbol of the lake
      nearcast forecast --follow              what `nearcast up` runs
    """
    output, settings = Output(as_json), load_settings()
    if keep_following:
        from nearcast.forecast.follow import follow

        return follow(settings)
    _bring_up_to_date(settings)
    documents = _forecasts(settings, symbols, output)
    result = documents[0] if len(documents) == 1 else {"forecasts": documents}
    return output.result(result, lambda _: _render_forecasts(output, documents))


def _bring_up_to_date(settings: Settings) -> None:
    """Fetch the lake's newest commit, when the settings name a lake."""
    if settings.hudi_bucket is not None:
        from nearcast.lake.sync import sync

        sync(settings)


def _forecasts(settings: Settings, symbols: tuple[str, ...], output: Output) -> list[dict[str, Any]]:
    """Return a document for each symbol; one symbol of several that cannot be forecast is only noted."""
    from nearcast.forecast.bars import latest_commit, read_bars
    from nearcast.forecast.registry import load_champion
    from nearcast.forecast.service import bars_up_to, forecast_next

    bars = read_bars(settings, symbols)
    commit, champion = latest_commit(settings), load_champion(settings)
    documents: list[dict[str, Any]] = []
    names = list(symbols) or [str(name) for name in bars["stock_symbol"].unique()]
    for name in names:
        try:
            documents.append(forecast_next(bars_up_to(bars, name), champion).document(commit))
        except NearcastError as error:
            if len(names) == 1:
                raise
            output.note(f"{name}: {error.happened}")
    return documents


def _render_report(output: Output, report: dict[str, Any], mark: str = "") -> None:
    rows = [(name, f"{value:.4g}") for name, value in report["metrics"].items()]
    output.table(f"{mark}Model {report['model_version']}, {report['seconds']} s", ("metric", "value"), rows)
    output.stdout.print(f"commit: {report['commit']}\ntraining set: sha256 {report['training_set_sha256']}")


def _render_forecasts(output: Output, documents: list[dict[str, Any]]) -> None:
    rows = []
    for one in documents:
        q025, q100, _, q500, _, q900, q975 = (f"{price:.2f}" for price in one["quantiles"].values())
        last_close = f"{one['last_close']:.2f}"
        rows.append((one["symbol"], one["date"], last_close, q500, f"{q100}–{q900}", f"{q025}–{q975}"))
    heading = ("symbol", "date", "last close", "median", "80 % band", "95 % band")
    output.table("Next close, US dollars", heading, rows)
