"""`nearcast load`, `nearcast delete` and `nearcast publish`: the first two steps of a price."""

from __future__ import annotations

import signal
import threading
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nearcast.cli import json_option

if TYPE_CHECKING:
    from nearcast.output import Output
    from nearcast.source.load import LoadReport

DAY = click.DateTime(["%Y-%m-%d"])
SHOWN = 50
"""Rejected rows in the table for people; the JSON has all."""


def _rate(_context: click.Context, _parameter: click.Parameter, value: str) -> float | None:
    """Return rows a second, or None for ``max``; anything else is wrong usage."""
    if value == "max":
        return None
    try:
        rate = float(value)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise click.BadParameter(f"{value!r} is neither a positive number of rows a second nor max.")
    return rate


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--symbol", "symbols", multiple=True, help="Whose prices these are; in a file of many: only these."
)
@json_option
def load(file: Path, symbols: tuple[str, ...], as_json: bool) -> None:
    """Load the daily prices of a CSV FILE into PostgreSQL.

    Columns are found by name, in any order: Date, Open, High, Low, Close, Volume, and optionally Adj Close
    and Symbol. Rows that cannot be true are named and left out; the good ones are loaded, and the exit code
    is 1.

    \b
    Examples:
      nearcast load netflix.csv --symbol NFLX
      nearcast load many.csv                  a file with a Symbol column
      nearcast load many.csv --symbol NFLX --symbol AAPL --json
    """
    from nearcast.output import Output
    from nearcast.settings import load_settings
    from nearcast.source.load import load_csv

    output = Output(as_json)
    with output.progress(f"Loading {file.name}") as advance:
        report = load_csv(load_settings(), file, symbols, advance)
    document = {**asdict(report), "rejected": [asdict(row) for row in report.rejected]}
    output.result(document, lambda _: _show(output, report))
    if report.rejected:
        raise SystemExit(1)


@click.command()
@click.option("--symbol", required=True, help="Whose prices to delete.")
@click.option("--date", "day", type=DAY, help="This day alone.")
@click.option("--from", "first", type=DAY, help="The first day (default: the first there is).")
@click.option("--to", "last", type=DAY, help="The last day (default: the last there is).")
@json_option
def delete(
    symbol: str, day: datetime | None, first: datetime | None, last: datetime | None, as_json: bool
) -> None:
    """Delete prices from PostgreSQL; published, the deletion takes them out of the lake.

    \b
    Examples:
      nearcast delete --symbol NFLX --date 2023-06-30
      nearcast delete --symbol NFLX --from 2023-01-01 --to 2023-01-31 --json
      nearcast publish                        carries the deletions on
    """
    from nearcast.output import Output
    from nearcast.settings import load_settings
    from nearcast.source.csv_file import normalise_symbol
    from nearcast.source.delete import delete_prices

    if day and (first or last):
        raise click.UsageError("Name --date, or --from and --to, not both.")
    output, name = Output(as_json), normalise_symbol(symbol)
    begin, end = (moment.date() if moment else None for moment in (day or first, day or last))
    deleted = delete_prices(load_settings(), name, begin, end)
    if not deleted:
        output.note(f"There is no row of {name} in these days: nothing was deleted.")
    output.result({"deleted": deleted}, lambda console: console.print(f"rows deleted: {deleted:,}"))


@click.command()
@click.option("--symbol", "symbols", multiple=True, help="Only this symbol (may be repeated).")
@click.option("--rate", default="max", callback=_rate, show_default=True, help="Rows a second, or max.")
@click.option("--until", type=DAY, help="The last day to publish.")
@json_option
def publish(symbols: tuple[str, ...], rate: float | None, until: datetime | None, as_json: bool) -> None:
    """Publish the prices and deletions that DynamoDB does not have yet, oldest first.

    What was published is stored: a stopped run goes on where it stopped. SIGTERM ends it after the step it is at.

    \b
    Examples:
      nearcast publish                        all that is pending, as fast as it can
      nearcast publish --symbol NFLX --until 2023-06-30
      nearcast publish --rate 1               a row a second
    """
    from nearcast.output import Output
    from nearcast.settings import load_settings
    from nearcast.source.csv_file import normalise_symbol
    from nearcast.stream.publisher import count_pending
    from nearcast.stream.publisher import publish as push

    settings, output, stopped = load_settings(), Output(as_json), threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopped.set())
    names = [normalise_symbol(symbol) for symbol in symbols]
    last = until.date() if until else None
    total = count_pending(settings, symbols=names, until=last)
    with output.progress("Publishing", total) as advance:
        report = push(
            settings, symbols=names, rate=rate, until=last, stop=stopped.is_set, on_progress=advance
        )
    output.result(
        asdict(report),
        lambda console: console.print(f"{report.published:,} rows published in {report.seconds:.1f} s"),
    )


def _show(output: Output, report: LoadReport) -> None:
    counts = (report.read, report.inserted, report.updated, report.unchanged, len(report.rejected))
    output.table("Rows", ("read", "inserted", "updated", "unchanged", "rejected"), [counts])
    if report.rejected:
        shown = report.rejected[:SHOWN]
        output.table("Rejected", ("line", "reason"), [(row.line, row.reason) for row in shown])
        if len(shown) < len(report.rejected):
            output.note(f"and {len(report.rejected) - len(shown):,} more: --json names them all")
