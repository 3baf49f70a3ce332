"""Several symbols, odd names among them, through every hop: partitioned by symbol and year, queried together."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from nearcast.aws import client
from nearcast.bench.airflow_world import wait_until_equal
from nearcast.lake.query import query
from nearcast.lake.saved import saved_queries, saved_query
from nearcast.lake.snapshot import read_snapshot
from nearcast.schema import DATABASE
from nearcast.settings import load_settings
from tests.conftest import eventually
from tests.integration.conftest import World, expected_rows
from tests.local.gateway.athena_client import run

pytestmark = pytest.mark.timeout(600)
NAMES = {"AMZN": "AMZN", "GOOG": "GOOG", "META": "META", "BRK.B": "AAPL", "^GSPC": "NVDA", "BF-B": "NFLX"}
"""Symbols, and whose real prices they have here."""
DAYS = 190
"""Back to before the turn of the year."""


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, str]]]:
    """The newest bars of each symbol."""
    return {name: expected_rows(real, DAYS) for name, real in NAMES.items()}


@pytest.fixture(scope="module")
def many(
    report: dict[str, Any], world: World, rows: dict[str, list[dict[str, str]]], tmp_path_factory: Any
) -> World:
    """The world of the demonstration, into whose lake these symbols were published together."""
    world.run("up", "--no-airflow")
    file: Path = tmp_path_factory.mktemp("many") / "many.csv"
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(
            stream, ["symbol", "date", "open", "high", "low", "close", "volume"], extrasaction="ignore"
        )
        writer.writeheader()
        for name, bars in rows.items():
            writer.writerows({**bar, "symbol": name} for bar in bars)
    assert world.run("load", str(file))["inserted"] == len(NAMES) * DAYS
    assert world.run("publish")["published"] >= len(NAMES) * DAYS
    assert set(wait_until_equal(load_settings(world.home)).values()) == {0}
    return world


def test_all_symbols_are_there_in_one_query_by_symbol_and_year(
    many: World, rows: dict[str, list[dict[str, str]]]
) -> None:
    answer = many.run(
        "lake",
        "query",
        'SELECT stock_symbol, year, count(*), count(DISTINCT "$path"), sum(volume), max_by(close_price, date)'
        " FROM prices WHERE stock_symbol <> 'NFLX' GROUP BY 1, 2 ORDER BY 1, 2",
    )
    expected = []
    for name, bars in sorted(rows.items()):
        for year in ("2022", "2023"):
            mine = [bar for bar in bars if bar["date"].startswith(year)]
            volume = sum(int(float(bar["volume"])) for bar in mine)
            expected.append([name, year, len(mine), 1, volume, float(mine[-1]["close"])])
    assert answer["rows"] == expected


def test_an_odd_name_is_a_folder_of_the_table_and_nothing_else_is_read_for_it(many: World) -> None:
    settings = load_settings(many.home)
    athena = client("athena", settings)
    options: dict[str, Any] = {
        "QueryExecutionContext": {"Database": DATABASE},
        "WorkGroup": settings.need("workgroup"),
    }
    closes = "SELECT sum(close_price) FROM prices"
    whole = run(athena, closes, **options)
    for name in ("BRK.B", "^GSPC", "BF-B"):
        condition = f"stock_symbol = '{name}' AND year = '2023'"
        answer = run(athena, f'SELECT DISTINCT "$path" FROM prices WHERE {condition}', **options)
        assert len(answer.rows) == 1
        bucket, _, key = str(answer.rows[0][0]).removeprefix("s3://").partition("/")
        assert f"/stock_symbol={name}/year=2023/" in key
        size = client("s3", settings).head_object(Bucket=bucket, Key=key)["ContentLength"]
        scanned = run(athena, f"{closes} WHERE {condition}", **options).scanned
        assert 0 < scanned < min(size, whole.scanned / len(NAMES))


def test_every_symbol_is_in_the_local_copy_and_has_a_forecast(many: World) -> None:
    settings = load_settings(many.home)
    held = read_snapshot(settings, ["stock_symbol"])["stock_symbol"].to_pylist()
    assert {name: held.count(name) for name in NAMES} == dict.fromkeys(NAMES, DAYS)
    last = expected_rows()[-1]["date"]
    newest = f"SELECT DISTINCT stock_symbol FROM forecasts WHERE as_of_date = DATE '{last}'"
    eventually(lambda: {row[0] for row in query(settings, newest).rows} >= {*NAMES, "NFLX"})
    saved = many.run("lake", "query", "--saved", "symbols")["rows"]
    assert {row[0]: row[3] for row in saved if row[0] in NAMES} == dict.fromkeys(NAMES, DAYS)


def test_every_saved_query_runs_on_the_tables_of_the_crawler_the_job_and_the_forecaster(many: World) -> None:
    settings = load_settings(many.home)
    assert many.run("lake", "crawl")["tables"] == ["raw_prices"]
    answers = {name: query(settings, saved_query(name)).rows for name in saved_queries()}
    assert [name for name, rows in answers.items() if not rows] == []
    hops = {hop.partition(" ")[2]: (rows, p50, p95) for hop, rows, p50, p95, _ in answers["freshness"]}
    assert hops["change to commit"][0] == 1000 and hops["change to forecast"][0] >= len(NAMES)
    assert all(0 < p50 <= p95 for _, p50, p95 in (hops["change to commit"], hops["change to forecast"]))
