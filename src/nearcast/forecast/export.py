"""The stored forecasts on S3, where Athena's table `forecasts` reads them: an object an as-of day, a line a horizon."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from nearcast.aws import client
from nearcast.schema import FORECASTS_TABLE, QUANTILE_COLUMNS
from nearcast.settings import Settings

PREFIX = f"{FORECASTS_TABLE}/"
COLUMNS = (
    "stock_symbol",
    "date",
    "horizon",
    "as_of_date",
    "made_at",
    "model_version",
    "commit_time",
    "last_close",
    *QUANTILE_COLUMNS,
    "marks",
)
KEY_COLUMNS = ("stock_symbol", "date", "horizon", "as_of_date", "model_version")
TOGETHER = ("stock_symbol", "as_of_date", "model_version")
"""Columns whose values the horizons of one object share."""

Row = tuple[Any, ...]


def export_forecasts(settings: Settings, connection: Any) -> int:
    """Put every stored forecast on S3 that is not there yet; return how many objects that were.

    An object's key is the primary key of its next session, so putting one again changes nothing.

    Parameters
    ----------
    settings
        Names the bucket.
    connection
        A psycopg connection that may read nearcast.forecasts.
    """
    s3, bucket = client("s3", settings), settings.need("hudi_bucket")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX)
    there = {item["Key"] for page in pages for item in page.get("Contents", [])}
    keys = connection.execute(
        f"SELECT {', '.join(KEY_COLUMNS)} FROM nearcast.forecasts WHERE horizon = 1"
    ).fetchall()
    missing = [key for key in keys if object_key(key) not in there]
    if not missing:
        return 0
    wanted = [[key[KEY_COLUMNS.index(name)] for key in missing] for name in TOGETHER]
    rows = connection.execute(
        f"SELECT {', '.join(COLUMNS)} FROM nearcast.forecasts"
        f" JOIN unnest(%s::text[], %s::date[], %s::text[]) AS wanted ({', '.join(TOGETHER)})"
        f" USING ({', '.join(TOGETHER)}) ORDER BY {', '.join(TOGETHER)}, horizon",
        wanted,
    ).fetchall()
    for _, horizons in groupby(rows, key=lambda row: (row[0], row[3], row[5])):
        put_forecasts(settings, list(horizons))
    return len(missing)


def put_forecasts(settings: Settings, rows: Sequence[Row]) -> None:
    """Put the stored forecasts of one as-of day, by horizon, each with its values in the order of COLUMNS, on S3."""
    client("s3", settings).put_object(
        Bucket=settings.need("hudi_bucket"),
        Key=object_key([rows[0][COLUMNS.index(name)] for name in KEY_COLUMNS]),
        Body=b"".join(json.dumps(_document(row)).encode() + b"\n" for row in rows),
    )


def object_key(key: Sequence[Any]) -> str:
    """Return the key of the object with the forecast of this primary key as its first."""
    symbol, *rest = (str(value).replace("/", "-") for value in key)
    return f"{PREFIX}{symbol}/{'_'.join(rest)}.json"


def _document(row: Row) -> dict[str, Any]:
    return {name: _plain(value) for name, value in zip(COLUMNS, row, strict=True)}


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
