"""How many rows each hop holds, counted at that hop itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nearcast.aws import client
from nearcast.settings import Settings

RAW_PREFIX = "prices/"
ERROR_PREFIX = "errors/"
THREADS = 16


@dataclass(frozen=True)
class RawLine:
    """A line of a raw object, and when its object was stored."""

    record: dict[str, Any]
    stored_at: datetime


def dynamodb_rows(settings: Settings, symbols: list[str]) -> int:
    """Return how many items the table holds of ``symbols``."""
    paginator = client("dynamodb", settings).get_paginator("query")

    def items(symbol: str) -> int:
        pages = paginator.paginate(
            TableName=settings.need("prices_table"),
            KeyConditionExpression="stock_symbol = :symbol",
            ExpressionAttributeValues={":symbol": {"S": symbol}},
            Select="COUNT",
        )
        return sum(page["Count"] for page in pages)

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(items, symbols))


def raw_lines(settings: Settings, symbols: list[str], since: datetime | None = None) -> Iterator[RawLine]:
    """Yield the raw lines of ``symbols``, rows and deletions, of objects stored at or after ``since`` (UTC).

    A line that is no row is left out: the Hudi job puts it under the error prefix, with its reason.
    """
    from nearcast.lake.hudi_job import parse_row

    wanted = frozenset(symbols)
    for body, stored_at in _bodies(settings, RAW_PREFIX, since):
        for line in body.splitlines():
            try:
                symbol = parse_row(line)[0]
            except (ValueError, RecursionError):
                continue
            if symbol in wanted:
                yield RawLine(json.loads(line), stored_at)


def raw_rows(settings: Settings, symbols: list[str]) -> int:
    """Return how many rows of ``symbols`` the raw lines hold: keys whose newest line is no deletion."""
    newest: dict[tuple[str, str], tuple[int, bool]] = {}
    for line in raw_lines(settings, symbols):
        key = (line.record["stock_symbol"], line.record["date"])
        state = (line.record["version"], bool(line.record.get("deleted")))
        newest[key] = max(state, newest.get(key, state))
    return sum(not deleted for _, deleted in newest.values())


def rejected_records(settings: Settings) -> int:
    """Return how many records lie under the error prefix."""
    return sum(len(body.splitlines()) for body, _ in _bodies(settings, ERROR_PREFIX))


def _bodies(
    settings: Settings, prefix: str, since: datetime | None = None
) -> Iterator[tuple[bytes, datetime]]:
    s3 = client("s3", settings)
    bucket = settings.need("raw_bucket")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = [
        (item["Key"], item["LastModified"])
        for page in pages
        for item in page.get("Contents", [])
        if since is None or item["LastModified"] >= since
    ]

    def fetch(item: tuple[str, datetime]) -> tuple[bytes, datetime]:
        return s3.get_object(Bucket=bucket, Key=item[0])["Body"].read(), item[1]

    with ThreadPoolExecutor(THREADS) as pool:
        yield from pool.map(fetch, found)
