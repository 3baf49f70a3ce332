"""`nearcast bench …`: what is measured, as ratios where there is a peer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nearcast.cli import json_option

if TYPE_CHECKING:
    from nearcast.output import Output


@click.group()
def bench() -> None:
    """Measurements, each in a world of its own that is thrown away.

    \b
    Example:
      nearcast bench publish --json
    """


@bench.command()
@click.option(
    "--rows",
    "sizes",
    type=click.IntRange(min=1),
    multiple=True,
    default=(5_800, 20_000, 100_000),
    show_default=True,
    help="How many rows (may be repeated); costs are relative to the first.",
)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Parts of each size."
)
@json_option
def publish(sizes: tuple[int, ...], rounds: int, as_json: bool) -> None:
    """Measure the publisher beside a bare loop of BatchWriteItem and beside a client for each row.

    \b
    Examples:
      nearcast bench publish                  5,800, 20,000 and 100,000 rows; some minutes
      nearcast bench publish --rows 2000 --rounds 2 --json
    """
    from nearcast.bench.publish import bench_publish
    from nearcast.output import Output

    output = Output(as_json)
    document = bench_publish(sizes, output.note, rounds)
    output.result(document, lambda _: _show(output, document))


@bench.command()
@click.option(
    "--rows", type=click.IntRange(min=20), default=600, show_default=True, help="Rows, one a second."
)
@click.option("--first-run", type=click.IntRange(min=10), default=300, show_default=True, help="Seconds.")
@json_option
def airflow(rows: int, first_run: int, as_json: bool) -> None:
    """Measure a row a second through Airflow: lateness within a run, and at the border of two.

    \b
    Examples:
      nearcast bench airflow                  ten minutes, the second run begins after five
      nearcast bench airflow --rows 60 --first-run 20 --json
    """
    from nearcast.bench.airflow import bench_airflow
    from nearcast.output import Output

    output = Output(as_json)
    output.result(bench_airflow(rows, first_run, output.note))


@bench.command()
@click.option("--target", "targets", multiple=True, help="Kill only this (may be repeated).")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random moments.")
@json_option
def faults(targets: tuple[str, ...], seed: int, as_json: bool) -> None:
    """Kill each part with -9 while rows flow through Airflow, a minute each, and compare the lake in the end.

    \b
    Examples:
      nearcast bench faults
      nearcast bench faults --target worker --target gateway --json
    """
    from nearcast.bench.faults import TARGETS, bench_faults
    from nearcast.output import Output

    if unknown := set(targets) - set(TARGETS):
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: choose from {', '.join(TARGETS)}")
    output = Output(as_json)
    document = bench_faults(targets or TARGETS, seed, output.note)
    rows = [(kill["target"], kill["longest_pause_s"]) for kill in document["kills"]]
    output.result(document, lambda _: output.table("Killed", ["", "longest pause (s)"], rows))


@bench.command()
@click.option(
    "--rows",
    "sizes",
    type=click.IntRange(min=1_000, max=550_000),
    multiple=True,
    default=(5_000, 50_000, 500_000),
    show_default=True,
    help="How many rows (may be repeated); growth is relative to the first.",
)
@click.option(
    "--commits", type=click.IntRange(min=4), default=20, show_default=True, help="Of ten rows each."
)
@click.option("--merge-on-read", is_flag=True, help="Instead of copy-on-write.")
@json_option
def lake(sizes: tuple[int, ...], commits: int, merge_on_read: bool, as_json: bool) -> None:
    """Measure commits to the Hudi table, reads, copies and queries as it grows, beside plain Parquet.

    \b
    Examples:
      nearcast bench lake                                  some ten minutes
      nearcast bench lake --rows 5000 --commits 1000       the disk after 1,000 commits
      nearcast bench lake --rows 5000 --merge-on-read --json
    """
    from nearcast.bench.lake import bench_lake
    from nearcast.output import Output

    output = Output(as_json)
    kind = "MERGE_ON_READ" if merge_on_read else "COPY_ON_WRITE"
    document = bench_lake(sizes, commits, kind, output.note)
    columns = ("rows", "commit (s)", "p95", "CPU (s)", "requests", "÷ whole table", "÷ floor", "disk ÷ table")
    rows = [
        (
            one["rows"],
            *one["commit_s"].values(),
            one["commit_cpu_s"],
            one["s3_requests_a_commit"],
            *one["ratios"].values(),
            one["disk"]["ratio"],
        )
        for one in document["sizes"]
    ]
    output.result(document, lambda _: output.table("Ten new rows", columns, rows))


@bench.command()
@click.option("--kills", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the moments and of the rows.")
@json_option
def kills(kills: int, seed: int, as_json: bool) -> None:
    """Kill the Hudi job with -9 at random moments of a commit, and compare the table with an oracle each time.

    \b
    Example:
      nearcast bench kills --kills 20 --json
    """
    from nearcast.bench.kills import bench_kills
    from nearcast.output import Output

    output = Output(as_json)
    output.result(bench_kills(kills, seed, output.note))


@bench.command()
@click.option(
    "--csv",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Daily prices to train on (default: the bundled ones).",
)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Fits of each way.")
@json_option
def train(csv: Path | None, rounds: int, as_json: bool) -> None:
    """Measure Lightning's epoch beside a bare PyTorch loop's, and the whole training; needs no services.

    \b
    Examples:
      nearcast bench train
      nearcast bench train --rounds 3 --json
    """
    from nearcast.bench.rows import PRICES
    from nearcast.bench.train import bench_train
    from nearcast.forecast.recipes import QUANTILE
    from nearcast.output import Output

    output = Output(as_json)
    document = bench_train(csv or PRICES, QUANTILE, rounds, output.note)
    epoch, training = document["epoch"], document["training_s"]
    rows = [
        ("Lightning's epoch ÷ the bare loop's", epoch["ratio"]),
        ("Lightning's epoch · the bare loop's (s)", f"{epoch['lightning_s']} · {epoch['bare_s']}"),
        ("samples a second", epoch["samples_per_s"]),
        (f"training on {training['symbols']} symbols (s)", training["all"]),
        (f"training on {training['one_symbol']} (s)", training["one"]),
    ]
    output.result(document, lambda _: output.table("Training", ("", "figure"), rows))


@bench.command()
@click.option(
    "--csv",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Daily prices to forecast from (default: the bundled ones).",
)
@click.option("--rows", type=click.IntRange(min=2), default=100, show_default=True, help="New rows.")
@click.option(
    "--calls", type=click.IntRange(min=10), default=1000, show_default=True, help="Calls of the network."
)
@json_option
def forecast(csv: Path | None, rows: int, calls: int, as_json: bool) -> None:
    """Measure a forecast from a new row, its parts, and the network by ONNX Runtime beside PyTorch; no services.

    \b
    Examples:
      nearcast bench forecast
      nearcast bench forecast --rows 200 --json
    """
    from nearcast.bench.forecast import bench_forecast
    from nearcast.bench.rows import PRICES
    from nearcast.forecast.recipes import QUANTILE
    from nearcast.output import Output

    output = Output(as_json)
    document = bench_forecast(csv or PRICES, QUANTILE, rows, calls, output.note)
    whole, network = document["forecast_ms"], document["network_ms"]
    shown = [
        ("a forecast from a new row, p50 · p95", f"{whole['p50']} · {whole['p95']}"),
        ("the first one of a process", whole["first"]),
        *((f"its part: {name}", value) for name, value in document["parts_ms"].items()),
        ("the networks, ONNX Runtime · PyTorch, p50", f"{network['onnx']} · {network['pytorch']}"),
    ]
    output.result(document, lambda _: output.table("Forecasting", ("", "ms"), shown))


@bench.command()
@click.option("--records", type=click.IntRange(min=1), default=500, show_default=True, help="In a batch.")
@click.option("--rounds", type=click.IntRange(min=1), default=10, show_default=True, help="New processes.")
@json_option
def transformer(records: int, rounds: int, as_json: bool) -> None:
    """Measure the packaged Lambda in a Python 3.12 that has nothing else: cold start, a batch; no services.

    \b
    Examples:
      nearcast bench transformer
      nearcast bench transformer --records 5000 --json
    """
    from nearcast.bench.transformer import bench_transformer
    from nearcast.output import Output

    output = Output(as_json)
    document = bench_transformer(records, rounds)
    shown = [
        ("from a new process to its first record", *document["cold_ms"].values()),
        (f"a batch of {records:,} records", *document["batch_ms"].values()),
    ]
    output.result(document, lambda _: output.table("The Lambda (ms)", ("", "p50", "max"), shown))


def _show(output: Output, document: dict[str, Any]) -> None:
    rows = []
    for size, growth in zip(document["sizes"], document["growth"], strict=True):
        ours, ratios = size["publisher"], size["ratios"]
        rates = (ours["rows_per_s"][hop] for hop in ("dynamodb", "kinesis", "raw"))
        shown = (ratios["publisher_to_ceiling"], ratios["raw_to_dynamodb"], growth["wall_per_row"])
        memory = ours["peak_rss_mb"]["writer"]
        rows.append((size["rows"], *rates, *shown, growth["cpu_per_row"], memory))
    columns = (
        "rows",
        "to DynamoDB",
        "to Kinesis",
        "to S3",
        "÷ ceiling",
        "S3 ÷ DynamoDB",
        "wall/row",
        "CPU/row",
        "MB",
    )
    output.table("Publisher (rows a second)", columns, rows)
    single = document["one_client"]
    output.note(f"A client for each row: {single['rows_per_s']} rows a second, over {single['rows']} rows.")
