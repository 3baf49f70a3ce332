"""The local copy follows the table on the gateway's S3: new files come, replaced ones go, nothing comes twice."""

from __future__ import annotations

import json
from pathlib import Path

from nearcast.aws import client
from nearcast.lake.sync import SyncReport, sync, table_folder
from nearcast.lake.timeline import commits_after, newest_commit
from nearcast.settings import Settings

FIRST, SECOND = "20260101000000000", "20260102000000000"
OLD, NEW = (f"a/g-0_0-1-1_{instant}.parquet" for instant in (FIRST, SECOND))


def put(settings: Settings, files: dict[str, bytes]) -> int:
    """Put files of the table on S3; return their size together."""
    for name, body in files.items():
        client("s3", settings).put_object(
            Bucket=settings.need("hudi_bucket"), Key=f"prices/{name}", Body=body
        )
    return sum(map(len, files.values()))


def commit(path: str) -> bytes:
    return json.dumps({"partitionToWriteStats": {"a": [{"path": path}]}}).encode()


def files(settings: Settings) -> dict[str, bytes]:
    """Return the files of the local copy."""
    folder = table_folder(settings)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_new_files_come_and_replaced_ones_go(deployed: Settings, tmp_path: Path) -> None:
    settings = deployed.model_copy(update={"home": tmp_path})
    assert sync(settings) == SyncReport(0, 0, 0, None)
    first = {OLD: b"one", f".hoodie/{FIRST}.commit": commit(OLD), ".hoodie/hoodie.properties": b"name=prices"}
    size = put(settings, first)
    work = {".hoodie/.temp/x": b"work", ".hoodie/history/.commits_.archive.1_1-0-1": b"old"}
    put(settings, work)
    assert sync(settings) == SyncReport(3, size, 0, FIRST)
    assert files(settings) == first
    assert sync(settings) == SyncReport(0, 0, 0, FIRST)
    second = {NEW: b"two", f".hoodie/{SECOND}.commit": commit(NEW)}
    size = put(settings, second)
    assert sync(settings) == SyncReport(2, size, 1, SECOND)
    assert files(settings) == {name: body for name, body in first.items() if name != OLD} | second
    assert commits_after(settings) == [FIRST, SECOND]
    assert commits_after(settings, FIRST) == [SECOND]
    assert newest_commit(settings, SECOND) is None
    for name in first | second | work:
        client("s3", settings).delete_object(Bucket=settings.need("hudi_bucket"), Key=f"prices/{name}")
