"""The local copy of the Hudi table: the files of its newest snapshot, brought up to date commit by commit.

A commit names the files that it wrote, so the cost is that of the change and not of the table. The table is
listed as a whole only the first time, or when the copy's commits were archived, rolled back or replaced.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nearcast.errors import LakeError
from nearcast.lake.file_slices import committed, data_files, snapshot_files
from nearcast.lake.objects import download, missing_as, table_files, write
from nearcast.lake.timeline import (
    COMPLETED,
    clean_plans,
    completed,
    instant_of,
    timeline_file,
    timeline_files,
    write_stats,
)
from nearcast.schema import HUDI_TABLE
from nearcast.settings import Settings

THREADS = 8
ATTEMPTS = 5
PROPERTIES = "hoodie.properties"
T = TypeVar("T")


@dataclass(frozen=True)
class SyncReport:
    """What one synchronisation did.

    Parameters
    ----------
    files, bytes
        How many files came, and how large they were together.
    removed
        How many files went: those that a newer version replaced, and commits that the table archived.
    commit
        Instant of the newest commit that the copy holds; None when the table is empty.
    """

    files: int
    bytes: int
    removed: int
    commit: str | None


class _MovedError(Exception):
    """The table changed while it was read: a file that was wanted is gone."""


def table_folder(settings: Settings) -> Path:
    """Return the folder of the local copy."""
    return settings.home / "lake" / HUDI_TABLE


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Keep the files of a local copy where they are while it is read."""
    with _locked(folder.with_suffix(".reading"), fcntl.LOCK_SH):
        yield


def sync(settings: Settings) -> SyncReport:
    """Bring the local copy up to the table on S3; safe to interrupt and to run twice at the same time.

    Raises
    ------
    LakeError
        When the table changes faster than it can be copied.
    """
    folder = table_folder(settings)
    (folder / ".hoodie").mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock"), fcntl.LOCK_EX):
        for _ in range(ATTEMPTS):
            try:
                return _bring_up(settings, folder)
            except _MovedError:
                continue
    raise LakeError(
        f"The table changed {ATTEMPTS} times while it was being copied.",
        kept="The local copy is the snapshot that it was.",
        todo="Run `nearcast lake sync` again; if it happens again, raise hoodie.clean.commits.retained in the job.",
    )


def _bring_up(settings: Settings, folder: Path) -> SyncReport:
    names = timeline_files(settings)
    active = completed(names)
    held = {path.name for path in (folder / ".hoodie").iterdir() if path.suffix in COMPLETED}
    newest = instant_of(active[-1]) if active else None
    new, archived = [name for name in active if name not in held], sorted(held - set(active))
    if not new and not archived:
        return SyncReport(0, 0, 0, newest)
    timeline = _timeline(settings, new) if active else {}
    if _continues(active, held):
        written = [str(stats["path"]) for name in new for stats in write_stats(timeline[name])]
        partitions = {path.rpartition("/")[0] for path in written}
        present = [path for partition in partitions for path in _files(folder, folder / partition)]
        candidates = {*written, *present}
    else:
        present = [path for entry in folder.rglob("*") if entry.is_dir() for path in _files(folder, entry)]
        candidates = set(table_files(settings))
        if clean_plans(names) != clean_plans(timeline_files(settings)):
            raise _MovedError  # the cleaner may have removed files while they were listed
    wanted = snapshot_files(committed(data_files(candidates), names))
    # Data before timeline: a commit is only seen once its files are here.
    missing = [path for path in wanted if not (folder / path).exists()]
    size = sum(_each(lambda path: _fetch(settings, folder, path), missing))
    changed = {name: body for name, body in timeline.items() if body != _content(folder / ".hoodie" / name)}
    for name, body in changed.items():
        write(folder / ".hoodie" / name, body)
    replaced = [path for path in present if path not in wanted]
    with _locked(folder.with_suffix(".reading"), fcntl.LOCK_EX):
        # The oldest commit first: what is older than the timeline counts as committed, what is between does not.
        for path in [*(f".hoodie/{name}" for name in archived), *replaced]:
            (folder / path).unlink(missing_ok=True)
    return SyncReport(
        files=len(missing) + len(changed),
        bytes=size + sum(map(len, changed.values())),
        removed=len(archived) + len(replaced),
        commit=newest,
    )


def _continues(active: list[str], held: set[str]) -> bool:
    """Tell whether the new commits alone say what changed: none was archived unseen, rolled back or replaced."""
    known = held & set(active)
    rolled_back = (
        [name for name in held - known if instant_of(name) > instant_of(active[0])] if active else []
    )
    return bool(known) and not rolled_back and not any(name.endswith(".replacecommit") for name in active)


def _timeline(settings: Settings, commits: list[str]) -> dict[str, bytes]:
    """Return the content of the table's properties and of these commits, in the order in which to write them."""
    names = [PROPERTIES, *commits]
    with missing_as(_MovedError):
        return dict(zip(names, _each(lambda name: timeline_file(settings, name), names), strict=True))


def _fetch(settings: Settings, folder: Path, path: str) -> int:
    with missing_as(_MovedError):
        return download(settings, path, folder / path)


def _each(do: Callable[[str], T], names: list[str]) -> list[T]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(do, names))


def _files(folder: Path, partition: Path) -> list[str]:
    """Return the data files of a partition of the local copy, relative to the copy."""
    if not partition.is_dir():
        return []
    paths = (entry.relative_to(folder).as_posix() for entry in partition.iterdir())
    return [file.path for file in data_files(paths)]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, kind)
        yield
