"""The Hudi table's objects on S3: listing them and copying one to a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nearcast.aws import client
from nearcast.schema import HUDI_TABLE
from nearcast.settings import Settings


def table_files(settings: Settings) -> list[str]:
    """Return the path, relative to the table, of each of its objects, the timeline's included."""
    prefix = f"{HUDI_TABLE}/"
    pages = (
        client("s3", settings)
        .get_paginator("list_objects_v2")
        .paginate(Bucket=settings.need("hudi_bucket"), Prefix=prefix)
    )
    return [item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", [])]


def download(settings: Settings, path: str, target: Path) -> int:
    """Copy one of the table's objects to ``target``, in one step; return its size in bytes."""
    answer = client("s3", settings).get_object(
        Bucket=settings.need("hudi_bucket"), Key=f"{HUDI_TABLE}/{path}"
    )
    return write(target, answer["Body"].read())


def write(target: Path, body: bytes) -> int:
    """Write a file in one step; return its size in bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".part")
    temporary.write_bytes(body)
    temporary.replace(target)
    return len(body)


@contextmanager
def missing_as(error: Exception | type[Exception]) -> Iterator[None]:
    """Raise ``error`` when an object that is read within this block is not there."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as failure:
        if failure.response["Error"]["Code"] in ("NoSuchKey", "404"):
            raise error from failure
        raise
