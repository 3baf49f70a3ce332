"""An S3 client whose bucket is a folder: what the lake's readers ask of S3, with every request counted."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nearcast.settings import Settings

BUCKET = "lake"


class FolderS3:
    """Answers list_objects_v2 (by its paginator), get_object, head_object and put_object.

    Parameters
    ----------
    root
        The folder that is the bucket; may be changed from one request to the next.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests: Counter[str] = Counter()
        self.before_get: Callable[[str], None] = lambda key: None

    def get_paginator(self, operation: str) -> FolderS3:
        """Return the paginator of list_objects_v2."""
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **asked: str) -> Iterator[dict[str, Any]]:
        """Yield pages of a thousand keys, in S3's order."""
        assert asked["Bucket"] == BUCKET
        prefix, delimiter = asked["Prefix"], asked.get("Delimiter", "")
        keys = sorted(path.relative_to(self.root).as_posix() for path in self._files())
        keys = [key for key in keys if key.startswith(prefix) and key > asked.get("StartAfter", "")]
        if delimiter:
            keys = [key for key in keys if delimiter not in key.removeprefix(prefix)]
        for start in range(0, max(len(keys), 1), 1000):
            self.requests["list"] += 1
            yield {"Contents": [{"Key": key} for key in keys[start : start + 1000]]}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        """Return an object, or raise NoSuchKey."""
        assert Bucket == BUCKET
        self.requests["get"] += 1
        self.before_get(Key)
        try:
            return {"Body": io.BytesIO((self.root / Key).read_bytes())}
        except FileNotFoundError as error:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject") from error

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        """Return when an object was stored, or raise 404."""
        assert Bucket == BUCKET
        path = self.root / Key
        if not path.exists():
            raise ClientError({"Error": {"Code": "404"}}, "HeadObject")
        return {"LastModified": datetime.fromtimestamp(path.stat().st_mtime, UTC)}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        """Store an object."""
        assert Bucket == BUCKET
        (self.root / Key).parent.mkdir(parents=True, exist_ok=True)
        (self.root / Key).write_bytes(Body)

    def _files(self) -> Iterator[Path]:
        return (path for path in self.root.rglob("*") if path.is_file() and path.suffix != ".crc")


def folder_s3(root: Path, monkeypatch: pytest.MonkeyPatch) -> FolderS3:
    """Return such a client, which from now on is everybody's client of S3."""
    s3 = FolderS3(root)

    def only_s3(service: str, *_: object) -> FolderS3:
        assert service == "s3"
        return s3

    monkeypatch.setattr("nearcast.aws._client", only_s3)
    monkeypatch.setattr("nearcast.aws.check_target", lambda settings: None)
    return s3


def settings_of(home: Path) -> Settings:
    """Return settings of a home that name the bucket."""
    return Settings(home=home, hudi_bucket=BUCKET)
