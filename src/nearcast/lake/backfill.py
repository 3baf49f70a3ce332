"""Raw objects into the Hudi table again, when the notifications that tell of them were lost."""

from __future__ import annotations

import json

from nearcast.aws import client
from nearcast.lake.counts import RAW_PREFIX
from nearcast.lake.upsert import UpsertReport, upsert
from nearcast.settings import Settings


def backfill(settings: Settings, year: int | None = None) -> UpsertReport:
    """Have the job read every raw object, of one year's prices or of all, and report what it committed.

    Rows that the table has already stay as they are: their version is not newer. Raises LakeError when the job
    fails.
    """
    location = f"s3://{settings.need('raw_bucket')}/{RAW_PREFIX}" + (f"year={year:04d}/" if year else "")
    body = json.dumps({"backfill": location})
    client("sqs", settings).send_message(QueueUrl=settings.need("raw_queue_url"), MessageBody=body)
    return upsert(settings)
