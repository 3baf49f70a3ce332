"""`nearcast demo`: the whole path on real prices."""

from __future__ import annotations

import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearcast.cli import json_option

if TYPE_CHECKING:
    from nearcast.output import Output


@click.command()
@click.option("--csv", type=click.Path(path_type=Path), help="Your own prices (default: the bundled ones).")
@click.option("--symbol", "symbols", multiple=True, help="Symbols to take (default of the bundled: NFLX).")
@click.option("--live-rows", type=click.IntRange(min=1), default=60, show_default=True)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Live rows a second.",
)
@click.option("--no-airflow", is_flag=True, help="A quick run: the live rows are published without Airflow.")
@click.option("--exit", "leave", is_flag=True, help="End after the report (default: keep the dashboard up).")
@json_option
def demo(
    csv: Path | None,
    symbols: tuple[str, ...],
    live_rows: int,
    rate: float,
    no_airflow: bool,
    leave: bool,
    as_json: bool,
) -> None:
    """Run the whole path: prices to forecasts, with a live dashboard and a report at the end.

    It starts what is needed, publishes the history as fast as it can and has Airflow publish the last rows one
    by one. Ctrl-C stops everything; the next run goes on where this one stopped.

    \b
    Examples:
      nearcast demo
      nearcast demo --exit --json
      nearcast demo --no-airflow
      nearcast demo --csv prices.csv --symbol ACME --live-rows 30 --rate 0.5
    """
    from nearcast.demo.run import Options, run
    from nearcast.local.airflow import airflow_login
    from nearcast.local.supervise import Supervisor
    from nearcast.local.world import stop
    from nearcast.output import Output
    from nearcast.settings import load_settings

    output = Output(as_json)
    home = load_settings().home
    # A polite kill is to leave as little behind as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started_here = not Supervisor(home).alive()
    try:
        report = run(home, Options(csv, symbols, live_rows, rate, airflow=not no_airflow), output)
        output.result(report, lambda _: _show(output, report))
        if not leave and sys.stdin.isatty():
            if not no_airflow:
                output.note(f"Airflow: {report['urls']['airflow']}   {airflow_login(home)}")
            _wait(output, report["urls"]["dashboard"])
        elif not leave:
            output.note("Standard input is no terminal: ending. `nearcast up` keeps the dashboard up.")
        if report["rejected_input"]:
            # As with `nearcast load`: good rows went their way, and the exit code tells of the others.
            raise SystemExit(1)
    except KeyboardInterrupt:
        output.note("Interrupted. What was published and stored stays; the next run goes on from there.")
        raise click.exceptions.Exit(130) from None
    finally:
        if started_here:
            # A second Ctrl-C must not leave half of them running.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            output.note("Stopping the services …")
            stop(home)


def _wait(output: Output, url: str) -> None:
    output.note(f"The dashboard stays up: {url}   (Ctrl-C ends it)")
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def _show(output: Output, report: dict[str, Any]) -> None:
    """Print the report for people."""
    output.table("Rows", ["at", "rows"], report["rows"].items())
    fresh = report["freshness_s"].items()
    output.table(
        "Seconds from the push of a live row",
        ["to", "p50", "p95", "max"],
        ([name, *(values[key] for key in ("p50", "p95", "max"))] for name, values in fresh),
    )
    output.table("Forecasts of live rows", ["", ""], report["forecasts"].items())
    score = report["score"]
    between = score["interval"] and f"{score['interval']['low']:.3f} to {score['interval']['high']:.3f}"
    output.table(
        "Score on the days that came",
        ["pinball loss ÷ last close's", "95 % interval", "within 80 %", "within 95 %", "days"],
        [
            (
                _figure(score["pinball_ratio"]),
                between or "too few days",
                _figure(score["coverage80"]),
                _figure(score["coverage95"]),
                score["scored"],
            )
        ],
    )
    if report["freshness_s"]["lake"]["p50"] is None:
        output.note("No live rows this time: all were published before. Another NEARCAST_HOME begins anew.")
    output.table("Stages", ["stage", "seconds"], ([one["name"], one["seconds"]] for one in report["stages"]))
    output.note(f"total {report['total_s']} s, prices on the dashboard after {report['dashboard_ready_s']} s")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
