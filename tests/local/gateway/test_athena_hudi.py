"""A Hudi table is its latest snapshot: old versions of its files are never read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nearcast.lake.hudi_job import Columns, Job, register
from tests.local.gateway.athena_client import BUCKET, DATABASE, bars, run

CHANGED = "2013-06-03"
CHANGED_CLOSE = 1234.5


def row(bar: dict[str, Any], version: int, **changed: Any) -> list[Any]:
    """Return a bar as a row of the Glue job."""
    bar = {**bar, **changed}
    prices = [bar[f"{name}_price"] for name in ("open", "high", "low", "close")]
    return [bar["stock_symbol"], bar["date"], *prices, bar["volume"], version, bar["date"][:4]]


@pytest.fixture(scope="module")
def hudi_table(athena: Any, gateway: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bars of 2013 and 2014, then a correction and a late older event: made by Spark, put into S3."""
    folder = tmp_path_factory.mktemp("hudi")
    first = [row(bar, version) for version, bar in enumerate(bars(), 100)]
    by_day = {bar["date"]: bar for bar in bars()}
    second = [
        row(by_day[CHANGED], 9000, close_price=CHANGED_CLOSE),
        row(by_day["2014-06-03"], 1, close_price=0.25),
    ]
    (folder / "rows.json").write_text(json.dumps([first, second]))
    table = folder / "prices"
    subprocess.run(
        [sys.executable, "-m", "tests.local.gateway.make_hudi_table", str(table), str(folder / "rows.json")],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    s3 = gateway.client("s3")
    for file in table.rglob("*"):
        if file.is_file() and not file.name.endswith(".crc"):
            s3.upload_file(str(file), BUCKET, f"hudi/{file.relative_to(table).as_posix()}")
    job = Job("", f"s3://{BUCKET}/hudi", DATABASE, "prices")
    register(gateway.client("glue"), job, Columns({}), {("NFLX", "2013"), ("NFLX", "2014")})
    return table


def test_a_corrected_row_is_there_once_and_an_older_event_changes_nothing(
    athena: Any, hudi_table: Path
) -> None:
    expected = {bar["date"]: str(bar["close_price"]) for bar in bars()} | {CHANGED: str(CHANGED_CLOSE)}
    answer = run(athena, "SELECT date, close_price FROM prices ORDER BY date")
    assert answer.columns == {"date": "date", "close_price": "double"}
    assert answer.rows == [[day, close] for day, close in sorted(expected.items())]


def test_the_folder_does_hold_the_older_version(athena: Any, hudi_table: Path) -> None:
    files = [file for file in hudi_table.rglob("*.parquet") if ".hoodie" not in file.parts]
    assert len(files) > 2
    live = run(athena, 'SELECT DISTINCT "$path" AS p FROM prices').rows
    assert len(live) == 2


def test_its_partitions_are_pruned(athena: Any, hudi_table: Path) -> None:
    whole = run(athena, "SELECT count(*) FROM prices")
    half = run(athena, "SELECT count(*) FROM prices WHERE year = '2014' AND stock_symbol = 'NFLX'")
    none = run(athena, "SELECT count(*) FROM prices WHERE stock_symbol = 'META'")
    assert (whole.rows, half.rows, none.rows) == ([["504"]], [["252"]], [["0"]])
    assert 0 == none.scanned < half.scanned < whole.scanned


def test_raw_events_and_the_table_join(athena: Any, hudi_table: Path) -> None:
    answer = run(
        athena,
        "SELECT r.date, r.close_price, p.close_price FROM raw_prices r JOIN prices p"
        " ON p.stock_symbol = r.stock_symbol AND p.date = r.date WHERE p.close_price <> r.close_price",
    )
    was = next(bar["close_price"] for bar in bars() if bar["date"] == CHANGED)
    assert answer.lines[1:] == [[CHANGED, str(was), str(CHANGED_CLOSE)]]
