"""The local copy of the Hudi table: only new files come, replaced ones go."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nearcast.aws import client
from nearcast.lake.timeline import COMPLETED
from nearcast.schema import HUDI_TABLE
from nearcast.settings import Settings

THREADS = 8


@dataclass(frozen=True)
class SyncReport:
    """What one synchronisation did.

    Parameters
    ----------
    files, bytes
        How many files came, and how large they were together.
    removed
        How many files went because the table no longer has them.
    commit
        Instant of the newest commit that the copy holds; None when the table is empty.
    """

    files: int
    bytes: int
    removed: int
    commit: str | None


def table_folder(settings: Settings) -> Path:
    """Return the folder of the local copy."""
    return settings.home / "lake" / HUDI_TABLE


def sync(settings: Settings) -> SyncReport:
    """Bring the local copy up to the table on S3; safe to interrupt and to run twice at the same time."""
    folder = table_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        wanted = _listing(settings)
        manifest_file = folder.with_suffix(".manifest")
        held = json.loads(manifest_file.read_text()) if manifest_file.exists() else {}
        new = [key for key, (etag, _) in wanted.items() if held.get(key) != etag]
        # Data before timeline: a commit is only seen once its files are here.
        for part in ([k for k in new if ".hoodie/" not in k], [k for k in new if ".hoodie/" in k]):
            _download(settings, folder, part)
        gone = [key for key in held if key not in wanted]
        for key in gone:
            (folder / key).unlink(missing_ok=True)
        if new or gone:
            temporary = manifest_file.with_suffix(".tmp")
            temporary.write_text(json.dumps({key: etag for key, (etag, _) in wanted.items()}))
            temporary.replace(manifest_file)
    commits = [key.removeprefix(".hoodie/").partition(".")[0] for key in wanted if key.endswith(COMPLETED)]
    return SyncReport(len(new), sum(wanted[key][1] for key in new), len(gone), max(commits, default=None))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _listing(settings: Settings) -> dict[str, tuple[str, int]]:
    """Return the table's files (relative key to ETag and size), without folder markers and work files."""
    prefix = f"{HUDI_TABLE}/"
    pages = (
        client("s3", settings)
        .get_paginator("list_objects_v2")
        .paginate(Bucket=settings.need("hudi_bucket"), Prefix=prefix)
    )
    return {
        item["Key"].removeprefix(prefix): (item["ETag"], item["Size"])
        for page in pages
        for item in page.get("Contents", [])
        if not item["Key"].endswith("/") and ".hoodie/.temp/" not in item["Key"]
    }


def _download(settings: Settings, folder: Path, keys: list[str]) -> None:
    s3 = client("s3", settings)
    bucket = settings.need("hudi_bucket")

    def fetch(key: str) -> None:
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        body = s3.get_object(Bucket=bucket, Key=f"{HUDI_TABLE}/{key}")["Body"].read()
        temporary = target.with_name(target.name + ".part")
        temporary.write_bytes(body)
        temporary.replace(target)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fetch, keys))
