"""`nearcast lake …`: crawling, the Hudi job, the local copy, queries, reconciliation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nearcast.cli import json_option

if TYPE_CHECKING:
    from datetime import datetime

    from nearcast.output import Output


@click.group()
def lake() -> None:
    """The lake: filled, queried, compared with the source, checked, repaired.

    \b
    Examples:
      nearcast lake upsert
      nearcast lake query "SELECT max(date), count(*) FROM prices"
      nearcast lake reconcile
    """


@lake.command()
@json_option
def crawl(as_json: bool) -> None:
    """Start the crawler over the raw objects and wait for it; say what it created, updated and added.

    It reads only what it has not seen before. An object that it cannot read is named; the catalog then stays as
    it was.

    \b
    Example:
      nearcast lake crawl
    """
    from dataclasses import asdict

    from nearcast.lake.crawl import crawl as run_crawler
    from nearcast.output import Output
    from nearcast.settings import load_settings

    output = Output(as_json)
    with output.progress("crawling"):
        report = run_crawler(load_settings())
    output.result(asdict(report))


@lake.command()
@json_option
def upsert(as_json: bool) -> None:
    """Run the Hudi job once: it drains the queue of new raw objects.

    While the local services run, they do this by themselves; what they took first counts as theirs.

    \b
    Example:
      nearcast lake upsert --json
    """
    from nearcast.lake.upsert import upsert as run_upsert
    from nearcast.output import Output
    from nearcast.settings import load_settings

    output = Output(as_json)
    with output.progress("running the Hudi job"):
        report = run_upsert(load_settings())
    output.result({"commit": report.commit, "upserted": report.upserted})


@lake.command()
@click.option("--year", type=click.IntRange(1, 9999), help="Only prices of this year (default: all).")
@json_option
def backfill(year: int | None, as_json: bool) -> None:
    """Commit the raw objects again that the Hudi job was not told of: their notifications were lost.

    The job lists the raw prefix and reads every object; rows that the table has already change nothing.

    \b
    Examples:
      nearcast lake backfill
      nearcast lake backfill --year 2024 --json
    """
    from nearcast.lake.backfill import backfill as run_backfill
    from nearcast.output import Output
    from nearcast.settings import load_settings

    output = Output(as_json)
    with output.progress("reading the raw objects again"):
        report = run_backfill(load_settings(), year)
    output.result({"commit": report.commit, "upserted": report.upserted})


@lake.command()
@json_option
def sync(as_json: bool) -> None:
    """Bring the local copy of the Hudi table up to date: fetch what the new commits wrote, remove what it replaced.

    \b
    Example:
      nearcast lake sync
    """
    from nearcast.lake.snapshot import read_snapshot
    from nearcast.lake.sync import sync as run_sync
    from nearcast.output import Output
    from nearcast.settings import load_settings

    output = Output(as_json)
    settings = load_settings()
    with output.progress("synchronising"):
        report = run_sync(settings)
    rows = read_snapshot(settings, ["date"]).num_rows
    output.result(
        {
            "files": report.files,
            "bytes": report.bytes,
            "removed": report.removed,
            "rows": rows,
            "commit": report.commit,
        }
    )


@lake.command()
@click.argument("sql", required=False)
@click.option("--saved", metavar="NAME", help="Run a saved query: `nearcast lake queries` lists them.")
@click.option(
    "--as-of",
    "as_of",
    metavar="INSTANT",
    help="With `prices` as it was at a commit's instant, at an ISO time (UTC), or at the `latest` commit.",
)
@json_option
def query(sql: str | None, saved: str | None, as_of: str | None, as_json: bool) -> None:
    """Run SQL on Athena over the tables prices, raw_prices and forecasts.

    Athena itself reads a Hudi table's newest commit only: for --as-of the rows of the commit are put on S3 as
    Parquet and stand in for `prices`. How far back that goes is up to the cleaner, which keeps the files of
    the last commits; the commits that models were trained on are kept for ever.

    \b
    Examples:
      nearcast lake query "SELECT stock_symbol, count(*) FROM prices GROUP BY 1"
      nearcast lake query "SELECT max(date) FROM prices" --as-of 2026-01-31T12:00
      nearcast lake query "SHOW PARTITIONS raw_prices"
      nearcast lake query --saved monthly_candles
    """
    from nearcast.lake.query import query as run_query
    from nearcast.lake.query_as_of import query_as_of
    from nearcast.lake.saved import saved_query
    from nearcast.output import Output
    from nearcast.settings import load_settings

    if (sql is None) == (saved is None):
        raise click.UsageError("Name either SQL or --saved.")
    sql = sql or saved_query(saved or "")
    output, settings = Output(as_json), load_settings()
    if as_of is None:
        result, commit = run_query(settings, sql), {}
    else:
        result, instant = query_as_of(settings, sql, as_of)
        commit = {"commit": instant}
    output.result(
        {"columns": result.columns, "rows": result.rows, **commit},
        lambda _: output.table(commit.get("commit", ""), result.columns, result.rows),
    )


@lake.command()
@click.option("--from", "start", required=True, metavar="INSTANT", help="Rows written after this.")
@click.option("--to", "end", default="latest", show_default=True, metavar="INSTANT", help="And up to this.")
@json_option
def changes(start: str, end: str, as_json: bool) -> None:
    """Show the rows that the commits after one and up to another wrote: Hudi's incremental query.

    Each row is in the version that it has at --to; a row that was written more than once in between comes once.
    Deletions are not visible: a deleted row is in no version at all. An INSTANT is a commit's (17 digits), an
    ISO time (UTC), or `latest`; --from may be older than the cleaner reaches.

    \b
    Examples:
      nearcast lake changes --from 20260131120000000
      nearcast lake changes --from 2026-01-31T12:00 --to 2026-01-31T13:00 --json
    """
    from nearcast.lake.time_travel import read_changes
    from nearcast.output import Output
    from nearcast.settings import load_settings

    output = Output(as_json)
    found = read_changes(load_settings(), start, end)
    rows = [list(row.values()) for row in found.rows.to_pylist()]
    output.result(
        {"from": found.start, "to": found.end, "columns": found.rows.column_names, "rows": rows},
        lambda _: output.table(f"After {found.start}, up to {found.end}", found.rows.column_names, rows),
    )


@lake.command()
@json_option
def queries(as_json: bool) -> None:
    """List the saved queries, and what each gives.

    \b
    Example:
      nearcast lake queries
    """
    from nearcast.lake.saved import saved_queries
    from nearcast.output import Output

    output, found = Output(as_json), saved_queries()
    output.result(found, lambda _: output.table("", ["query", "gives"], found.items()))


@lake.command()
@click.option("--symbol", "symbols", multiple=True, help="Only these symbols (default: all).")
@click.option(
    "--repair",
    "mend",
    is_flag=True,
    help="Publish missing and different rows, and the deletion of extra ones, again.",
)
@json_option
def reconcile(symbols: tuple[str, ...], mend: bool, as_json: bool) -> None:
    """Compare the published rows of PostgreSQL with the Hudi table, bit by bit.

    Exits with 1 when they differ and were not repaired. Rows that were published a moment ago may still be
    on their way: they count as missing until they have arrived.

    \b
    Examples:
      nearcast lake reconcile
      nearcast lake reconcile --repair --symbol NFLX
    """
    from nearcast.lake.reconcile import reconcile as compare
    from nearcast.lake.reconcile import repair
    from nearcast.output import Output
    from nearcast.settings import load_settings

    output = Output(as_json)
    settings = load_settings()
    difference = compare(settings, symbols)
    repaired = repair(settings, difference, output.note) if mend else 0
    if repaired:
        difference = compare(settings, symbols)
    document = {
        "source": difference.source_rows,
        "lake": difference.lake_rows,
        "pending": difference.pending,
        "missing": difference.missing,
        "extra": difference.extra,
        "different": difference.different,
        "duplicates": difference.duplicates,
        "repaired": repaired,
    }
    output.result(document, lambda _: _show_difference(output, document))
    if difference:
        raise click.exceptions.Exit(1)


def _show_difference(output: Output, document: dict[str, Any]) -> None:
    rows = []
    for name, value in document.items():
        keys = value if isinstance(value, list) else []
        shown = ", ".join(f"{symbol} {day}" for symbol, day in keys[:5])
        rows.append((name, len(keys) if isinstance(value, list) else value, shown + " …" * (len(keys) > 5)))
    output.table("Source and lake", ["", "rows", ""], rows)


@lake.command()
@json_option
def check(as_json: bool) -> None:
    """Check the lake's data, keep every result, and quarantine the rows that are wrong.

    Quarantined rows stay in the lake; they are left out of training and forecasts. That is no failure: the exit
    code is 1 only when the lake differs from its source, or the checks cannot run.

    \b
    Examples:
      nearcast lake check
      NEARCAST_CALENDAR=XLON nearcast lake check --json
    """
    from dataclasses import asdict

    from nearcast.lake.checks.run import run_checks
    from nearcast.output import Output
    from nearcast.settings import load_settings

    output = Output(as_json)
    with output.progress("checking"):
        run = run_checks(load_settings())
    output.result(asdict(run), lambda _: _show_checks(output, asdict(run)))
    if run.failures:
        raise click.exceptions.Exit(1)


def _show_checks(output: Output, run: dict[str, Any]) -> None:
    rows = [
        (one["name"], one["severity"], f"{one['findings']:,}", one["example"] or one["rule"])
        for one in run["results"]
    ]
    output.table("Data checks", ("check", "severity", "findings", "the first of them, else the rule"), rows)
    output.stdout.print(
        f"{run['rows']:,} rows, {run['quarantined']:,} of them quarantined, {run['new']:,} since the last run"
    )


@lake.command()
@json_option
def quarantine(as_json: bool) -> None:
    """List the quarantined rows, each with every reason.

    A correction leaves by itself: load and publish the row with its true values. A false alarm: see
    `nearcast lake release`.

    \b
    Example:
      nearcast lake quarantine
    """
    from dataclasses import asdict

    from nearcast.lake.quarantine import quarantined
    from nearcast.output import Output
    from nearcast.settings import load_settings
    from nearcast.source.database import connect

    output = Output(as_json)
    with connect(load_settings().need("postgres_dsn")) as link:
        found = [asdict(one) for one in quarantined(link)]
    output.result({"quarantined": found}, lambda _: _show_quarantine(output, found))


def _show_quarantine(output: Output, found: list[dict[str, Any]]) -> None:
    rows = [
        (
            f"{one['stock_symbol']} {one['date']}",
            one["version"],
            one["check_name"],
            one["reason"],
            f"{one['first_seen_at']:%Y-%m-%d %H:%M} UTC",
        )
        for one in found
    ]
    output.table("Quarantine", ("row", "version", "check", "reason", "since"), rows)


@lake.command()
@click.argument("symbol")
@click.argument("date", type=click.DateTime(["%Y-%m-%d"]))
@json_option
def release(symbol: str, date: datetime, as_json: bool) -> None:
    """Release a row from the quarantine: the checks were wrong about it.

    That is remembered for this version of the row. What no forecast can be computed from (a missing value, a
    price of 0, a high below the close …) is not released: correct the row instead.

    \b
    Example:
      nearcast lake release GME 2021-01-28
    """
    from dataclasses import asdict

    from nearcast.lake.quarantine import release as run_release
    from nearcast.output import Output
    from nearcast.settings import load_settings

    output = Output(as_json)
    released = run_release(load_settings(), symbol, date.date())
    for one in released:
        output.note(f"{one.check_name}: {one.reason}")
    output.result({"released": [asdict(one) for one in released]}, lambda stdout: stdout.print("released"))


@lake.command()
@json_option
def redrive(as_json: bool) -> None:
    """Send failed records through again, once their cause is mended; what still fails stays, with its reason.

    Change records that the Lambda refused go back to the stream, lines that the Hudi job could not read become
    raw objects again, and messages of the dead-letter queue return to the job's queue.

    \b
    Example:
      nearcast lake redrive
    """
    from dataclasses import asdict

    from nearcast.lake.redrive import error_objects
    from nearcast.lake.redrive import redrive as run_redrive
    from nearcast.output import Output
    from nearcast.settings import load_settings

    output = Output(as_json)
    settings = load_settings()
    with output.progress("sending failed records again", len(error_objects(settings))) as advance:
        report = run_redrive(settings, advance)
    document = asdict(report)
    output.result(document, lambda _: _show_redrive(output, document))


def _show_redrive(output: Output, document: dict[str, Any]) -> None:
    output.stdout.print(f"sent again: {document['redriven']}\nstill failing: {document['still_failing']}")
    if document["reasons"]:
        rows = [(one["records"], one["reason"], one["example"]) for one in document["reasons"][:20]]
        output.table("Still failing", ["records", "reason", "for example in"], rows)


@lake.command()
def follow() -> None:
    """Keep a continuous run of the Hudi job going, which commits new raw objects as they come; until it is stopped.

    `nearcast up` runs this as a service.

    \b
    Example:
      nearcast lake follow
    """
    from nearcast.lake.upsert import follow as run_follow
    from nearcast.settings import load_settings

    run_follow(load_settings())
