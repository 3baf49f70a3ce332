"""A Hudi table is its latest snapshot: old versions of its files are never read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.local.gateway.athena_client import bars, run
from tests.local.gateway.conftest import CHANGED, CHANGED_CLOSE


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
