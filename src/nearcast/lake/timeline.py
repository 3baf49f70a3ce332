"""The Hudi table's timeline on S3: which commits there are, and what they wrote.

Table version 6: a completed commit is the object ``.hoodie/<instant>.commit``, instant yyyyMMddHHmmssSSS (UTC).
"""

from __future__ import annotations

import json

from nearcast.aws import client
from nearcast.schema import HUDI_TABLE
from nearcast.settings import Settings

TIMELINE = f"{HUDI_TABLE}/.hoodie/"
COMPLETED = (".commit", ".deltacommit", ".replacecommit")


def commits_after(settings: Settings, instant: str | None = None) -> list[str]:
    """Return the instants of the commits completed after ``instant`` (None: of all), oldest first."""
    s3 = client("s3", settings)
    start = f"{TIMELINE}{instant}~" if instant else TIMELINE
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=settings.need("hudi_bucket"), Prefix=TIMELINE, StartAfter=start
    )
    names = (item["Key"].removeprefix(TIMELINE) for page in pages for item in page.get("Contents", []))
    return sorted(name.partition(".")[0] for name in names if "/" not in name and name.endswith(COMPLETED))


def newest_commit(settings: Settings, after: str | None = None) -> str | None:
    """Return the newest commit's instant, or None when there is none after ``after``."""
    commits = commits_after(settings, after)
    return commits[-1] if commits else None


def rows_written(settings: Settings, instant: str) -> int:
    """Return how many rows a commit inserted and updated, from its own statistics."""
    key = f"{TIMELINE}{instant}.commit"
    body = client("s3", settings).get_object(Bucket=settings.need("hudi_bucket"), Key=key)["Body"].read()
    stats = json.loads(body)["partitionToWriteStats"].values()
    return sum(int(one["numInserts"]) + int(one["numUpdateWrites"]) for part in stats for one in part)
