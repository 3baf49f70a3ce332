"""A Hudi table is its latest snapshot: old versions of its files are never read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nearcast.lake.hudi_job import Columns, Job, register
from tests.local.gateway.athena_client import BUCKET, DATABASE, bars, run
from tests.local.gateway.conftest import ADDED, CHANGED, CHANGED_CLOSE


@pytest.fixture(scope="module")
def tables(athena: Any, gateway: Any, hudi_table: Path) -> Path:
    """The same bars as a merge-on-read table, and one more: ``merged_ro`` and ``merged_rt``; its folder."""
    folder = hudi_table.with_name("merge-on-read")
    s3 = gateway.client("s3")
    for file in folder.rglob("*"):
        if file.is_file() and not file.name.endswith(".crc"):
            s3.upload_file(str(file), BUCKET, f"merged/{file.relative_to(folder).as_posix()}")
    for name, kind in (("merged_ro", "COPY_ON_WRITE"), ("merged_rt", "MERGE_ON_READ")):
        job = Job("", f"s3://{BUCKET}/merged", DATABASE, name, table_type=kind)
        register(gateway.client("glue"), job, Columns({}), {("NFLX", "2013"), ("NFLX", "2014")})
    return folder


def closes() -> dict[str, str]:
    """Return each day's close as both commits leave it."""
    was = {bar["date"]: str(bar["close_price"]) for bar in bars()}
    return was | {CHANGED: str(CHANGED_CLOSE)}


def test_a_corrected_row_is_there_once_and_an_older_event_changes_nothing(
    athena: Any, hudi_table: Path
) -> None:
    answer = run(athena, "SELECT date, close_price FROM prices ORDER BY date")
    assert answer.columns == {"date": "date", "close_price": "double"}
    assert answer.rows == [[day, close] for day, close in sorted(closes().items())]


def test_the_folder_does_hold_the_older_version(athena: Any, hudi_table: Path) -> None:
    files = [file for file in hudi_table.rglob("*.parquet") if ".hoodie" not in file.parts]
    assert len(files) > 2
    live = run(athena, 'SELECT DISTINCT "$path" AS p FROM prices').rows
    assert len(live) == 2


def test_its_partitions_are_pruned(athena: Any, hudi_table: Path) -> None:
    whole = run(athena, "SELECT count(volume) FROM prices")
    half = run(athena, "SELECT count(volume) FROM prices WHERE year = '2014' AND stock_symbol = 'NFLX'")
    none = run(athena, "SELECT count(volume) FROM prices WHERE stock_symbol = 'META'")
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


def test_a_realtime_table_merges_what_the_log_files_change(athena: Any, tables: Path) -> None:
    assert list(tables.rglob(".*.log.*"))
    answer = run(athena, "SELECT date, close_price FROM merged_rt ORDER BY date")
    assert answer.columns == {"date": "date", "close_price": "double"}
    added = closes() | {ADDED: str(CHANGED_CLOSE)}
    assert answer.rows == [[day, close] for day, close in sorted(added.items())]
    copied = "SELECT date, open_price, high_price, low_price, close_price, volume, year FROM {} ORDER BY date"
    merged = [row for row in run(athena, copied.format("merged_rt")).rows if row[0] != ADDED]
    assert merged == run(athena, copied.format("prices")).rows


def test_a_read_optimised_table_is_its_base_files(athena: Any, tables: Path) -> None:
    answer = run(athena, "SELECT date, close_price FROM merged_ro ORDER BY date")
    assert answer.rows == [[bar["date"], str(bar["close_price"])] for bar in bars()]


def test_a_realtime_tables_partitions_are_pruned_with_their_logs(athena: Any, tables: Path) -> None:
    whole, changed = (
        run(athena, f"SELECT volume FROM merged_rt WHERE {w}") for w in ("true", "year = '2013'")
    )
    assert (len(whole.rows), len(changed.rows)) == (505, 253)
    files = [f for f in tables.rglob("*") if f.is_file() and "year=" in f.parent.name]
    sizes = {
        f: f.stat().st_size for f in files if not f.name.endswith(".crc") and "partition_meta" not in f.name
    }
    assert whole.scanned == sum(sizes.values())
    assert changed.scanned == sum(size for file, size in sizes.items() if file.parent.name == "year=2013")
    none = run(athena, "SELECT count(*) FROM merged_rt WHERE year = '1999'")
    assert none.rows == [["0"]] and none.scanned == 0


def test_the_path_of_a_merged_row_is_its_base_file(athena: Any, tables: Path) -> None:
    paths = {row[0] for row in run(athena, 'SELECT DISTINCT "$path" AS p FROM merged_rt').rows}
    bases = [file.name for file in tables.rglob("*.parquet") if "metadata" not in file.parts]
    assert sorted(str(path).rpartition("/")[2] for path in paths) == sorted(bases)


def test_a_hudi_table_is_not_inserted_into(athena: Any, tables: Path) -> None:
    for table in ("prices", "merged_ro", "merged_rt"):
        reason = run(athena, f"INSERT INTO {table} SELECT * FROM {table}").reason
        assert reason == "NOT_SUPPORTED: Writing to Hudi tables is not supported"
