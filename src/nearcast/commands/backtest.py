"""``nearcast backtest``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearcast.cli import json_option
from nearcast.output import Output
from nearcast.settings import Settings, load_settings

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from nearcast.forecast.backtest.run import Run

DAY = click.DateTime(["%Y-%m-%d"])
YEARS = 4
"""Calendar years that are judged unless --from says otherwise: the last bar's and those before it."""

FILE = click.Path(path_type=Path)


@click.command()
@click.option(
    "--from", "first", type=DAY, metavar="DATE", help="First session to forecast (default: 4 years)."
)
@click.option(
    "--to", "last", type=DAY, metavar="DATE", help="Last day that is looked at (default: the newest)."
)
@click.option("--symbol", "symbols", multiple=True, metavar="S", help="A symbol; may be repeated.")
@click.option(
    "--model", "names", multiple=True, metavar="NAME", help="A model; may be repeated; `all`: every one."
)
@click.option("--csv", "csv", type=FILE, metavar="FILE", help="Prices from a CSV file, not from the lake.")
@click.option(
    "--export", "export", type=FILE, metavar="FILE", help="Write every forecast of the next day as CSV."
)
@click.option(
    "--report", "report", type=FILE, metavar="FOLDER", help="Write a report with plots: HTML, Markdown."
)
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Folds at a time (default: one a core).")
@click.option(
    "--resume/--fresh", default=True, help="Take finished folds from an earlier run (default), or not."
)
@click.option("--log", "log", is_flag=True, help="Log the figures and the report to MLflow.")
@json_option
def backtest(
    first: datetime | None,
    last: datetime | None,
    symbols: tuple[str, ...],
    names: tuple[str, ...],
    csv: Path | None,
    export: Path | None,
    report: Path | None,
    jobs: int | None,
    resume: bool,
    log: bool,
    as_json: bool,
) -> None:
    """Judge models walk-forward: refitted each year, on the same days, against the last close.

    Each model is fitted on the bars before a calendar year and forecasts from each of the year's days. A
    finished fold is kept: after a stop the same command goes on where it was.

    \b
    Examples:
      nearcast backtest --from 2020-01-01 --report report/
      nearcast backtest --symbol NFLX --model champion --export forecasts.csv
      nearcast backtest --csv data/stocks_daily.csv --model all --jobs 2 --json
    """
    from nearcast.forecast.backtest.export import check_writable, write_export
    from nearcast.forecast.backtest.judge import judge
    from nearcast.forecast.backtest.mlflow_log import check_mlflow
    from nearcast.forecast.backtest.report.write import check_folder

    output, settings, started = Output(as_json), load_settings(), time.monotonic()
    if export is not None:
        check_writable(export)
    if report is not None:
        check_folder(report)
    if log:
        check_mlflow(settings)
    bars = _bars(settings, output, csv, symbols, last.date() if last else None)
    run = _run(settings, output, bars, names, first.date() if first else None, jobs, not resume)
    document = judge(run) | {"seconds": round(time.monotonic() - started, 2)}
    if export is not None:
        document["exported"] = write_export(run, export)
    document |= _report(settings, run, document, report, log)
    output.result(document, lambda _: _render(output, document))


def _report(
    settings: Settings, run: Run, document: dict[str, Any], folder: Path | None, log: bool
) -> dict[str, str]:
    """Write the report to its folder and log it to MLflow, when either is asked for; return where it is."""
    import shutil
    import tempfile

    from nearcast.forecast.backtest.mlflow_log import log_backtest
    from nearcast.forecast.backtest.report.write import write_report

    if folder is None and not log:
        return {}
    places: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        page = write_report(run, document, Path(temporary))
        if folder is not None:
            shutil.copytree(temporary, folder, dirs_exist_ok=True)
            places["report"] = str(folder / page.name)
        if log:
            places["run_id"] = log_backtest(settings, document, page.parent)
    return places


def _bars(
    settings: Settings, output: Output, csv: Path | None, symbols: Sequence[str], last: date | None
) -> pd.DataFrame:
    from nearcast.forecast.backtest.bars import csv_bars, lake_bars, up_to

    bars = lake_bars(settings, symbols) if csv is None else csv_bars(csv, symbols, output.note)
    return up_to(bars, last)


def _run(
    settings: Settings,
    output: Output,
    bars: pd.DataFrame,
    names: Sequence[str],
    first: date | None,
    jobs: int | None,
    fresh: bool,
) -> Run:
    import os

    import numpy as np

    from nearcast.errors import NearcastError
    from nearcast.forecast.backtest.models import chosen_models
    from nearcast.forecast.backtest.progress import progress_bar
    from nearcast.forecast.backtest.run import walk_forward

    start = np.datetime64(first or f"{bars['date'].max().year - YEARS + 1}-01-01", "D")
    chosen = chosen_models(names, output.note)
    at_a_time = jobs or len(os.sched_getaffinity(0))
    kept = f"Finished folds are in {settings.home / 'backtests'}; the same command goes on from there."
    try:
        with progress_bar(output) as progress:
            return walk_forward(
                settings.home, bars, chosen, start, jobs=at_a_time, fresh=fresh, progress=progress
            )
    except KeyboardInterrupt:
        output.note(kept)
        raise
    except NearcastError as error:
        raise type(error)(error.happened, kept=error.kept or kept, todo=error.todo) from error


def _render(output: Output, document: dict[str, Any]) -> None:
    from nearcast.forecast.backtest.claims import claims_of, focal
    from nearcast.forecast.backtest.tables import short

    output.table(*short(document))
    for sentence in claims_of(document, focal(document)):
        output.stdout.print(f"• {sentence}", markup=False)
    for name in ("report", "run_id"):
        if name in document:
            output.stdout.print(f"{name}: {document[name]}", markup=False, soft_wrap=True)
