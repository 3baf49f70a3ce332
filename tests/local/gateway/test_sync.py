"""The local copy follows the table on S3: new files come, replaced ones go, nothing comes twice."""

from __future__ import annotations

from pathlib import Path

from nearcast.aws import client
from nearcast.lake.sync import SyncReport, sync, table_folder
from nearcast.lake.timeline import commits_after, newest_commit
from nearcast.settings import Settings

FIRST, SECOND = "20260101000000000", "20260102000000000"


def put(settings: Settings, **files: bytes) -> None:
    """Put files of the table on S3; __ in a name stands for a slash, and dots for themselves."""
    for name, body in files.items():
        client("s3", settings).put_object(
            Bucket=settings.need("hudi_bucket"), Key=f"prices/{name.replace('__', '/')}", Body=body
        )


def files(settings: Settings) -> dict[str, bytes]:
    """Return the files of the local copy."""
    folder = table_folder(settings)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_new_files_come_and_replaced_ones_go(deployed: Settings, tmp_path: Path) -> None:
    settings = deployed.model_copy(update={"home": tmp_path})
    assert sync(settings) == SyncReport(0, 0, 0, None)
    put(settings, **{"a__1.parquet": b"one", f".hoodie__{FIRST}.commit": b"{}", ".hoodie__.temp__x": b"work"})
    assert sync(settings) == SyncReport(2, 5, 0, FIRST)
    assert files(settings) == {"a/1.parquet": b"one", f".hoodie/{FIRST}.commit": b"{}"}
    assert sync(settings) == SyncReport(0, 0, 0, FIRST)
    put(settings, **{"a__2.parquet": b"two", f".hoodie__{SECOND}.commit": b"{}"})
    client("s3", settings).delete_object(Bucket=settings.need("hudi_bucket"), Key="prices/a/1.parquet")
    assert sync(settings) == SyncReport(2, 5, 1, SECOND)
    assert "a/1.parquet" not in files(settings) and files(settings)["a/2.parquet"] == b"two"
    assert commits_after(settings) == [FIRST, SECOND]
    assert commits_after(settings, FIRST) == [SECOND]
    assert newest_commit(settings, SECOND) is None
    for name in ("a/2.parquet", f".hoodie/{FIRST}.commit", f".hoodie/{SECOND}.commit", ".hoodie/.temp/x"):
        client("s3", settings).delete_object(Bucket=settings.need("hudi_bucket"), Key=f"prices/{name}")
