"""What `nearcast lake crawl` says of the raw prefix: created, updated, added, or which object is damaged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nearcast.aws import client
from nearcast.errors import LakeError
from nearcast.lake.crawl import CrawlReport, crawl
from nearcast.lake.query import query
from nearcast.schema import DATABASE, RAW_TABLE
from nearcast.settings import Settings
from tests.lake.objects import put, remove

LINE = {"stock_symbol": "CRAWL", "date": "1999-01-04", "open_price": 1.5, "volume": 10, "version": 1}


@pytest.fixture
def raw(deployed: Settings) -> Iterator[Settings]:
    """The deployed world without a raw table, before and after the test."""

    def drop() -> None:
        remove(deployed, "prices/")
        glue = client("glue", deployed)
        if RAW_TABLE in (table["Name"] for table in glue.get_tables(DatabaseName=DATABASE)["TableList"]):
            glue.delete_table(DatabaseName=DATABASE, Name=RAW_TABLE)

    drop()
    yield deployed
    drop()


def put_line(settings: Settings, key: str, line: dict[str, Any]) -> None:
    """Put a raw object of one line."""
    put(settings, f"prices/{key}", json.dumps(line).encode() + b"\n")


def test_each_crawl_says_what_it_created_updated_and_added(raw: Settings) -> None:
    put_line(raw, "year=1999/month=01/one", LINE)
    deletion = {**LINE, "date": "1999-02-01", "open_price": None, "volume": None, "deleted": True}
    put_line(raw, "year=1999/month=02/one", deletion)
    assert crawl(raw) == CrawlReport([RAW_TABLE], 2, created=[RAW_TABLE], updated=[], new_partitions=2)
    assert crawl(raw) == CrawlReport([RAW_TABLE], 2, created=[], updated=[], new_partitions=0)
    put_line(raw, "year=1999/month=03/one", deletion)
    assert crawl(raw) == CrawlReport([RAW_TABLE], 3, created=[], updated=[], new_partitions=1)
    put_line(raw, "year=1999/month=03/two", {**LINE, "date": "1999-03-01", "currency": "USD"})
    assert crawl(raw) == CrawlReport([RAW_TABLE], 3, created=[], updated=[RAW_TABLE], new_partitions=0)
    rows = query(
        raw, f"SELECT date, open_price, volume, currency, month FROM {RAW_TABLE} ORDER BY date, volume, month"
    ).rows
    assert rows == [
        ["1999-01-04", 1.5, 10, None, "01"],
        ["1999-02-01", None, None, None, "02"],
        ["1999-02-01", None, None, None, "03"],
        ["1999-03-01", 1.5, 10, "USD", "03"],
    ]


def test_a_damaged_object_is_named_and_the_next_crawl_is_right(raw: Settings) -> None:
    put_line(raw, "year=1999/month=01/one", LINE)
    put(raw, "prices/year=1999/month=02/damaged", json.dumps(LINE).encode() + b"\n{damaged\n")
    with pytest.raises(LakeError, match=r"year=1999/month=02/damaged .*line 2") as failed:
        crawl(raw)
    assert failed.value.kept and failed.value.todo
    put_line(raw, "year=1999/month=02/damaged", LINE)
    assert crawl(raw) == CrawlReport([RAW_TABLE], 2, created=[RAW_TABLE], updated=[], new_partitions=2)
