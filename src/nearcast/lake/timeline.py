"""The Hudi table's timeline on S3: which commits there are, and what they wrote.

Table version 6: an action is ``.hoodie/<instant>.<action>`` once it is complete, and ``….requested`` or
``….inflight`` before; instant yyyyMMddHHmmssSSS (UTC). Older actions move to ``.hoodie/history/`` (archiving).
Source: hudi.apache.org/docs/1.0.2/timeline
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from nearcast.aws import client
from nearcast.schema import HUDI_TABLE
from nearcast.settings import Settings

TIMELINE = f"{HUDI_TABLE}/.hoodie/"
COMPLETED = (".commit", ".deltacommit", ".replacecommit")
COMPACTION = ".compaction.requested"


def instant_of(name: str) -> str:
    """Return the instant of a timeline file's name."""
    return name.partition(".")[0]


def timeline_files(settings: Settings, after: str | None = None) -> list[str]:
    """Return the names of the active timeline's files, those of ``after`` and before left out."""
    pages = (
        client("s3", settings)
        .get_paginator("list_objects_v2")
        .paginate(
            Bucket=settings.need("hudi_bucket"),
            Prefix=TIMELINE,
            Delimiter="/",
            StartAfter=f"{TIMELINE}{after}~" if after else TIMELINE,
        )
    )
    return [item["Key"].removeprefix(TIMELINE) for page in pages for item in page.get("Contents", [])]


def completed(names: Iterable[str]) -> list[str]:
    """Return the names of the completed commits, oldest first.

    A commit later than a compaction that is still under way is left out until that is complete: its log files
    belong to a base file that is not there yet.
    """
    names = list(names)
    commits = sorted((name for name in names if name.endswith(COMPLETED)), key=instant_of)
    done = {instant_of(name) for name in commits}
    requested = {instant_of(name) for name in names if name.endswith(COMPACTION)}
    pending = min(requested - done, default="~")
    return [name for name in commits if instant_of(name) < pending]


def clean_plans(names: Iterable[str]) -> list[str]:
    """Return the names of the cleaner's plans, oldest first; one is there before its first file is removed."""
    return sorted(name for name in names if name.endswith(".clean.requested"))


def commits_after(settings: Settings, instant: str | None = None) -> list[str]:
    """Return the instants of the commits completed after ``instant`` (None: of all), oldest first."""
    return [instant_of(name) for name in completed(timeline_files(settings, instant))]


def newest_commit(settings: Settings, after: str | None = None) -> str | None:
    """Return the newest commit's instant, or None when there is none after ``after``."""
    commits = commits_after(settings, after)
    return commits[-1] if commits else None


def timeline_file(settings: Settings, name: str) -> bytes:
    """Return the content of a timeline file. Raises botocore's NoSuchKey when it was archived."""
    answer = client("s3", settings).get_object(Bucket=settings.need("hudi_bucket"), Key=f"{TIMELINE}{name}")
    body: bytes = answer["Body"].read()
    return body


def write_stats(commit: bytes) -> list[dict[str, Any]]:
    """Return the statistics of each file that a commit wrote; ``path`` is relative to the table."""
    by_partition = json.loads(commit)["partitionToWriteStats"]
    return [stats for partition in by_partition.values() for stats in partition]


def rows_written(settings: Settings, instant: str) -> int:
    """Return how many rows a commit inserted and updated, from its own statistics; a compaction writes none."""
    (name,) = (name for name in completed(timeline_files(settings)) if instant_of(name) == instant)
    commit = timeline_file(settings, name)
    if json.loads(commit).get("operationType") == "COMPACT":
        return 0
    return sum(int(one["numInserts"]) + int(one["numUpdateWrites"]) for one in write_stats(commit))
