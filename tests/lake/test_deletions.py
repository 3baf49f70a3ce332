"""A deleted row disappears for Athena, hudi-rs and the local copy; the raw table shows it as deleted."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

from nearcast.aws import client
from nearcast.lake.counts import raw_rows
from nearcast.lake.crawl import crawl
from nearcast.lake.query import query
from nearcast.lake.snapshot import read_snapshot
from nearcast.lake.sync import sync, table_folder
from nearcast.lake.upsert import upsert
from nearcast.settings import Settings
from tests.conftest import eventually
from tests.lake.objects import lines, remove

PRICES = ("open_price", "high_price", "low_price", "close_price")
SYMBOL = "DELETED.Ä"


def put(settings: Settings, day: str, version: int) -> None:
    """Put a row into DynamoDB, as the publisher does."""
    numbers = dict.fromkeys(PRICES, "1.5") | {"volume": "10", "version": str(version)}
    item = key(day) | {name: {"N": value} for name, value in numbers.items()}
    client("dynamodb", settings).put_item(TableName=settings.need("prices_table"), Item=item)


def delete(settings: Settings, day: str, version: int) -> None:
    """Delete a row from DynamoDB, as the publisher does: its mark, then the item."""
    dynamodb, table = client("dynamodb", settings), settings.need("prices_table")
    mark = {**key(day), "version": {"N": str(version)}, "deleted": {"BOOL": True}}
    dynamodb.put_item(TableName=table, Item=mark)
    dynamodb.delete_item(TableName=table, Key=key(day))


def key(day: str) -> dict[str, Any]:
    """Return DynamoDB's key of a day."""
    return {"stock_symbol": {"S": SYMBOL}, "date": {"S": day}}


def lake(settings: Settings, raw_lines: int) -> list[tuple[date, int]]:
    """Wait for so many raw lines, run the job; return days and versions, the same by Athena and by hudi-rs."""
    eventually(lambda: len(lines(settings, "prices/")) == raw_lines)
    upsert(settings)
    sync(settings)
    copied = read_snapshot(settings).to_pylist()
    rows = sorted((row["date"], row["version"]) for row in copied if row["stock_symbol"] == SYMBOL)
    statement = f"SELECT date, version FROM prices WHERE stock_symbol = '{SYMBOL}' ORDER BY date"
    assert [tuple(row) for row in query(settings, statement).rows] == rows
    return rows


def test_a_deleted_row_disappears_and_only_a_newer_one_comes_back(deployed: Settings) -> None:
    first, second = date(2020, 12, 31), date(2021, 1, 4)
    put(deployed, "2020-12-31", 1)
    put(deployed, "2021-01-04", 2)
    assert lake(deployed, 2) == [(first, 1), (second, 2)]
    delete(deployed, "2021-01-04", 3)
    assert lake(deployed, 3) == [(first, 1)]
    put(deployed, "2021-01-04", 2)
    assert lake(deployed, 4) == [(first, 1)]
    put(deployed, "2021-01-04", 4)
    assert lake(deployed, 5) == [(first, 1), (second, 4)]
    assert raw_rows(deployed, [SYMBOL]) == 2

    crawl(deployed)
    rows = query(
        deployed, "SELECT version, deleted, close_price, volume FROM raw_prices ORDER BY version"
    ).rows
    assert rows == [
        [1, False, 1.5, 10],
        [2, False, 1.5, 10],
        [2, False, 1.5, 10],
        [3, True, None, None],
        [4, False, 1.5, 10],
    ]
    remove(deployed, "prices/")


def test_a_table_from_before_deletions_takes_them_and_its_untouched_files_are_read(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    folder = table_folder(settings)
    subprocess.run([sys.executable, "-m", "tests.lake.make_old_table", str(folder)], check=True)
    rows = read_snapshot(settings).to_pylist()
    assert sorted((row["stock_symbol"], row["date"], row["version"]) for row in rows) == [
        ("A", date(2020, 1, 2), 1),
        ("A", date(2021, 1, 5), 5),
        ("B", date(2020, 1, 2), 3),
    ]
    assert {(row["close_price"], row["volume"]) for row in rows} == {(1.5, 10)}
