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
    return sum(
        page["Count"]
        for symbol in symbols
        for page in paginator.paginate(
            TableName=settings.need("prices_table"),
            KeyConditionExpression="stock_symbol = :symbol",
            ExpressionAttributeValues={":symbol": {"S": symbol}},
            Select="COUNT",
        )
    )


def raw_lines(settings: Settings, symbols: list[str], since: datetime | None = None) -> Iterator[RawLine]:
    """Yield the raw lines of ``symbols``, of objects stored at or after ``since`` (UTC)."""
    for body, stored_at in _bodies(settings, RAW_PREFIX, since):
        for line in body.splitlines():
            record = json.loads(line)
            if record["stock_symbol"] in symbols:
                yield RawLine(record, stored_at)


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
