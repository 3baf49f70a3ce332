"""The whole path on a few hundred real rows, through the command line, against the CSV itself."""

from __future__ import annotations

import struct
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nearcast.bench.airflow_world import wait_until_equal
from nearcast.settings import load_settings
from tests.integration.conftest import LIVE_ROWS, ROWS, World, demo, expected_rows

pytestmark = pytest.mark.timeout(600)


def bits(values: list[float]) -> bytes:
    """Return the exact bits of prices."""
    return struct.pack(f"<{len(values)}d", *values)


def test_every_hop_holds_every_row_once(report: dict[str, Any]) -> None:
    rows = report["rows"]
    assert rows["source"] == rows["dynamodb"] == rows["lake"] == ROWS
    assert rows["raw"] >= ROWS
    assert [rows[name] for name in ("missing", "duplicates", "different", "extra", "rejected")] == [0] * 5
    assert [row["line"] for row in report["rejected_input"]] == [ROWS + 2]


def test_each_live_row_has_a_forecast_from_rows_before_it(report: dict[str, Any]) -> None:
    assert report["forecasts"]["live_rows"] == report["forecasts"]["made"] == LIVE_ROWS
    assert 0 <= report["forecasts"]["before_publication"] <= LIVE_ROWS
    for hop in ("raw", "lake", "forecast"):
        assert 0 < report["freshness_s"][hop]["p50"] <= report["freshness_s"][hop]["max"]


def test_nothing_of_it_runs_afterwards(report: dict[str, Any], world: World) -> None:
    assert world.processes() == []


def test_a_second_demo_takes_nothing_twice_and_ends_with_the_same_table(
    report: dict[str, Any], world: World, csv_file: Path
) -> None:
    again = demo(world, csv_file)
    assert again["rows"] == report["rows"]
    assert again["forecasts"] == report["forecasts"]


def test_the_table_that_athena_shows_is_the_csv_bit_by_bit(report: dict[str, Any], world: World) -> None:
    world.run("up", "--no-airflow")
    columns = "date, open_price, high_price, low_price, close_price, volume"
    answer = world.run("lake", "query", f"SELECT {columns} FROM prices ORDER BY date")
    expected = expected_rows()
    assert [row[0] for row in answer["rows"]] == [row["date"] for row in expected]
    for got, row in zip(answer["rows"], expected, strict=True):
        assert bits(got[1:5]) == bits([float(row[name]) for name in ("open", "high", "low", "close")])
        assert got[5] == int(float(row["volume"]))
    assert world.run("lake", "reconcile")["missing"] == []


def test_the_raw_table_and_the_forecasts_are_there_for_athena(report: dict[str, Any], world: World) -> None:
    world.run("up", "--no-airflow")
    assert world.run("lake", "crawl")["tables"] == ["raw_prices"]
    raw = world.run("lake", "query", "SELECT count(*), count(DISTINCT date) FROM raw_prices")["rows"]
    assert raw == [[report["rows"]["raw"], ROWS]]
    query = "SELECT max(date), max(as_of_date), count(*) FROM forecasts WHERE horizon = 1"
    made = world.run("lake", "query", query)["rows"]
    newest = expected_rows()[-1]["date"]
    assert made[0][1] == newest and date.fromisoformat(made[0][0]) > date.fromisoformat(newest)
    assert made[0][2] == LIVE_ROWS + 1


def test_a_corrected_price_replaces_the_old_one_and_repair_brings_back_a_lost_row(
    report: dict[str, Any], world: World, tmp_path: Path
) -> None:
    world.run("up", "--no-airflow")
    correction = tmp_path / "correction.csv"
    correction.write_text("Date,Open,High,Low,Close,Volume\n2023-09-20,390,400,380,395.5,123\n")
    loaded = world.run("load", str(correction), "--symbol", "NFLX")
    assert (loaded["inserted"], loaded["updated"]) == (0, 1)
    before = world.run("lake", "reconcile")
    assert (before["pending"], before["different"], before["extra"]) == (1, [], [])
    assert world.run("publish")["published"] == 1
    world.run("lake", "reconcile", "--repair")
    query = "SELECT close_price, volume FROM prices WHERE date = DATE '2023-09-20'"
    assert world.run("lake", "query", query)["rows"] == [[395.5, 123]]


def test_a_deleted_row_leaves_the_lake_and_comes_back_when_it_is_loaded_again(
    report: dict[str, Any], world: World, csv_file: Path
) -> None:
    world.run("up", "--no-airflow")
    day = expected_rows()[-20]["date"]
    query = f"SELECT close_price FROM prices WHERE date = DATE '{day}'"
    settings = load_settings(world.home)
    assert len(world.run("lake", "query", query)["rows"]) == 1
    assert world.run("delete", "--symbol", "NFLX", "--date", day) == {"deleted": 1}
    assert world.run("publish")["published"] == 1
    wait_until_equal(settings)
    assert world.run("lake", "query", query)["rows"] == []
    assert world.run("load", str(csv_file), "--symbol", "NFLX", code=1)["inserted"] == 1
    assert world.run("publish")["published"] >= 1
    wait_until_equal(settings)
    assert len(world.run("lake", "query", query)["rows"]) == 1
