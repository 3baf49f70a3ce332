"""Snapshots of the Hudi table that outlive its cleaner: one Parquet object for each commit that is kept.

Hudi's own way, the savepoint, is not used: docs/decisions/0017-kept-snapshots.md says why.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from nearcast.aws import client
from nearcast.lake.objects import missing_as
from nearcast.lake.quarantine import Version, versions_now
from nearcast.lake.time_travel import commit_at, read_as_of
from nearcast.schema import HUDI_TABLE, RECORD_KEY
from nearcast.settings import Settings

if TYPE_CHECKING:
    import pyarrow

KEPT = "snapshots/"
"""Prefix in the Hudi bucket of what models were trained on; never removed."""

FOR_QUERIES = "athena/snapshots/"
"""Prefix of what queries as of a commit read; the bucket's lifecycle removes it with the query results."""

REUSE = timedelta(days=1)
"""Age up to which a query's snapshot is taken again: well before the lifecycle removes it."""


class _NotKeptError(Exception):
    """There is no such object."""


def kept_commits(settings: Settings) -> list[str]:
    """Return the instants of the commits whose snapshots are kept, oldest first."""
    pages = (
        client("s3", settings)
        .get_paginator("list_objects_v2")
        .paginate(Bucket=settings.need("hudi_bucket"), Prefix=KEPT)
    )
    keys = (item["Key"] for page in pages for item in page.get("Contents", []))
    return sorted({key.removeprefix(KEPT).partition("/")[0] for key in keys})


def commit_as_of(settings: Settings, moment: str) -> str:
    """Return the instant of the newest commit at a moment, also one that only its kept snapshot remembers.

    Parameters
    ----------
    settings
        Name the table.
    moment
        A commit's instant, an ISO time (UTC unless it says otherwise), or ``latest``.

    Raises
    ------
    LakeError
        When there is none: before the first commit, or before the oldest that the timeline still has.
    """
    return moment if moment in kept_commits(settings) else commit_at(settings, moment)


def keep_snapshot(settings: Settings, instant: str) -> pyarrow.Table:
    """Return the table's rows as of a commit, by symbol and date; from now on they can be had again.

    Returns
    -------
    pyarrow.Table
        The table's columns, and ``_hoodie_commit_time``. The same commit gives the same table, to the bit.

    Raises
    ------
    LakeError
        When it is not kept yet, and can no longer be read.
    """
    import pyarrow.parquet

    try:
        body = _get(settings, _key(KEPT, instant))
    except _NotKeptError:
        body = _put(settings, _key(KEPT, instant), instant)
    return pyarrow.parquet.read_table(io.BytesIO(body))


def keep_quarantined(settings: Settings, instant: str) -> set[Version]:
    """Return the versions of rows that were quarantined when a commit's snapshot was first kept."""
    key = f"{KEPT}{instant}/_quarantined.json"  # hidden from queries, which read the folder
    try:
        found = json.loads(_get(settings, key))
    except _NotKeptError:
        found = sorted([symbol, day.isoformat(), version] for symbol, day, version in versions_now(settings))
        body = json.dumps(found).encode()
        client("s3", settings).put_object(Bucket=settings.need("hudi_bucket"), Key=key, Body=body)
    return {(symbol, date.fromisoformat(day), version) for symbol, day, version in found}


def snapshot_location(settings: Settings, instant: str) -> str:
    """Return the s3:// folder that holds the table's rows as of a commit as Parquet, for a query to read.

    Raises
    ------
    LakeError
        When the commit can no longer be read.
    """
    if instant in kept_commits(settings):
        return _location(settings, KEPT, instant)
    stored_at = _stored_at(settings, _key(FOR_QUERIES, instant))
    if stored_at is None or datetime.now(UTC) - stored_at > REUSE:
        _put(settings, _key(FOR_QUERIES, instant), instant)
    return _location(settings, FOR_QUERIES, instant)


def _key(prefix: str, instant: str) -> str:
    return f"{prefix}{instant}/{HUDI_TABLE}.parquet"


def _location(settings: Settings, prefix: str, instant: str) -> str:
    return f"s3://{settings.need('hudi_bucket')}/{prefix}{instant}/"


def _get(settings: Settings, key: str) -> bytes:
    with missing_as(_NotKeptError):
        answer = client("s3", settings).get_object(Bucket=settings.need("hudi_bucket"), Key=key)
    body: bytes = answer["Body"].read()
    return body


def _stored_at(settings: Settings, key: str) -> datetime | None:
    try:
        with missing_as(_NotKeptError):
            answer: Any = client("s3", settings).head_object(Bucket=settings.need("hudi_bucket"), Key=key)
    except _NotKeptError:
        return None
    moment: datetime = answer["LastModified"]
    return moment


def _put(settings: Settings, key: str, instant: str) -> bytes:
    import pyarrow.parquet

    rows = read_as_of(settings, instant).sort_by([(name, "ascending") for name in RECORD_KEY])
    body = io.BytesIO()
    pyarrow.parquet.write_table(rows, body)
    client("s3", settings).put_object(Bucket=settings.need("hudi_bucket"), Key=key, Body=body.getvalue())
    return body.getvalue()
