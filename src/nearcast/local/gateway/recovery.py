"""What a killed gateway left half done: runs that are no longer under way, notifications that nobody has sent."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from nearcast.local.gateway.jobs import ACTIVE
from nearcast.local.gateway.snapshots import Current
from nearcast.log import get_logger

MARGIN_S = 5.0
"""Objects this much older than the snapshot are told of again: their notification may have been on its way."""
RUN_LOST = "The gateway ended while this run was active. What it had not committed is left to the next run."
CRAWL_LOST = "The gateway ended while this crawl was active. Start it again."
log = get_logger("recovery")


def end_lost_runs() -> int:
    """Mark job runs as FAILED that were active when the gateway ended; return how many."""
    from ministack.services import glue

    now, count = time.time(), 0
    for _, runs in glue._job_runs.all_items():
        for run in runs:
            if run["JobRunState"] in ACTIVE:
                run.update(JobRunState="FAILED", ErrorMessage=RUN_LOST, CompletedOn=now, LastModifiedOn=now)
                count += 1
    return count


def end_lost_crawls() -> int:
    """Make crawlers READY again that were running when the gateway ended; return how many."""
    from ministack.services import glue

    count = 0
    for (_, _, name), crawler in glue._crawlers.all_items():
        if crawler["State"] != "READY":
            crawler["State"] = "READY"
            crawler["LastCrawl"] = {
                "Status": "FAILED",
                "ErrorMessage": CRAWL_LOST,
                "LogGroup": "/aws-glue/crawlers",
                "LogStream": name,
                "MessagePrefix": str(uuid.uuid4()),
                "StartTime": time.time(),
            }
            count += 1
    return count


def notify_again(snapshot: Current) -> int:
    """Send the notifications of objects that are newer than the snapshot; return for how many objects.

    Objects lie on the disk from the moment of their put, messages in a snapshot. A second message for an object
    changes nothing downstream.
    """
    from ministack.core.responses import set_request_account_id
    from ministack.services import s3

    if snapshot.clean:
        return 0
    since = datetime.fromtimestamp(snapshot.taken_at, UTC) - timedelta(seconds=MARGIN_S)
    oldest, count = since.strftime("%Y-%m-%dT%H:%M:%S"), 0
    for account, bucket in list(s3._bucket_notifications._data):
        set_request_account_id(account)
        for key, item in list(s3._buckets[bucket]["objects"].items()):
            if item["last_modified"] >= oldest:
                _notify(bucket, key, item)
                count += 1
    return count


def _notify(bucket: str, key: str, item: dict[str, Any]) -> None:
    from ministack.services import s3

    event = "s3:ObjectCreated:Put"
    s3._fire_s3_event(
        bucket,
        key,
        event,
        size=int(item.get("size", 0)),
        etag=item.get("etag", ""),
        version_id=item.get("version_id"),
        sequencer=s3._next_event_sequencer(event),
    )


def recover(snapshot: Current) -> None:
    """Set right what the end of the last gateway left, after the log was replayed."""
    runs, crawls, objects = end_lost_runs(), end_lost_crawls(), notify_again(snapshot)
    if runs or crawls or objects:
        log.info("recovered", runs_failed=runs, crawls_failed=crawls, objects_notified=objects)
