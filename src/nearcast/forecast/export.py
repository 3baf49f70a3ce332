"""The stored forecasts on S3, where Athena's table `forecasts` reads them: one JSON object each."""

from __future__ import annotations

import json
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
)
KEY_COLUMNS = ("stock_symbol", "date", "horizon", "as_of_date", "model_version")


def export_forecasts(settings: Settings, connection: Any) -> int:
    """Put every stored forecast on S3 that is not there yet; return how many.

    A forecast's key is its primary key, so putting one again changes nothing.

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
    stored = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM nearcast.forecasts").fetchall()
    missing = [row for row in stored if object_key(row) not in there]
    for row in missing:
        put_forecast(settings, row)
    return len(missing)


def put_forecast(settings: Settings, row: tuple[Any, ...]) -> None:
    """Put one stored forecast, its values in the order of COLUMNS, on S3."""
    document = {name: _plain(value) for name, value in zip(COLUMNS, row, strict=True)}
    client("s3", settings).put_object(
        Bucket=settings.need("hudi_bucket"),
        Key=object_key(row),
        Body=json.dumps(document).encode() + b"\n",
    )


def object_key(row: tuple[Any, ...]) -> str:
    """Return the key of a forecast's object."""
    values = dict(zip(COLUMNS, row, strict=True))
    symbol, *rest = (str(values[name]).replace("/", "-") for name in KEY_COLUMNS)
    return f"{PREFIX}{symbol}/{'_'.join(rest)}.json"


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
