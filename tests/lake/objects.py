"""Objects of the raw bucket, as the lake's tests write, read and remove them."""

from __future__ import annotations

from nearcast.aws import client
from nearcast.settings import Settings


def bodies(settings: Settings, prefix: str) -> dict[str, bytes]:
    """Return the objects of the raw bucket under a prefix."""
    s3, bucket = client("s3", settings), settings.need("raw_bucket")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def lines(settings: Settings, prefix: str) -> list[bytes]:
    """Return the lines of the objects under a prefix."""
    return [line for body in bodies(settings, prefix).values() for line in body.splitlines()]


def put(settings: Settings, key: str, body: bytes) -> None:
    """Store an object in the raw bucket."""
    client("s3", settings).put_object(Bucket=settings.need("raw_bucket"), Key=key, Body=body)


def remove(settings: Settings, prefix: str) -> None:
    """Delete the objects under a prefix, and the notifications of them that nobody took."""
    for key in bodies(settings, prefix):
        client("s3", settings).delete_object(Bucket=settings.need("raw_bucket"), Key=key)
    client("sqs", settings).purge_queue(QueueUrl=settings.need("raw_queue_url"))
