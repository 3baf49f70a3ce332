"""The names of a Hudi table's data files: which of them a snapshot needs.

A file group is rewritten as a whole: each of its base files, with the log files that name it, is a slice.
Source: hudi.apache.org/tech-specs (file layout; log files of table version 6 carry their base file's instant).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from nearcast.lake.timeline import completed, instant_of

BASE_FILE = re.compile(r"(?P<group>.+)_[^_]+_(?P<instant>\d+)\.parquet")
LOG_FILE = re.compile(r"\.(?P<group>.+)_(?P<instant>\d+)\.log\.\d+(_[^_]+)?")


@dataclass(frozen=True)
class DataFile:
    """A data file's path in the table, its file group, its slice's instant, and whether it is the base file."""

    path: str
    group: tuple[str, str]
    instant: str
    is_base: bool


def data_file(path: str) -> DataFile | None:
    """Return what a path's name says; None when it is no data file (the timeline, markers, partition metadata)."""
    partition, _, name = path.rpartition("/")
    base = BASE_FILE.fullmatch(name)
    matched = base or LOG_FILE.fullmatch(name)
    if matched is None or partition.startswith(".hoodie"):
        return None
    return DataFile(path, (partition, matched["group"]), matched["instant"], base is not None)


def committed(files: Iterable[DataFile], timeline: Iterable[str]) -> list[DataFile]:
    """Leave out base files of commits that are not complete in the active timeline, whose file names are given.

    What is older than the timeline was archived, which only happens to what is complete.
    """
    names = list(timeline)
    done = {instant_of(name) for name in completed(names)}
    open_ones = {instant_of(name) for name in names} - done
    first = min(done, default="")

    def is_committed(instant: str) -> bool:
        return instant in done or (instant < first and instant not in open_ones)

    return [file for file in files if not file.is_base or is_committed(file.instant)]


def snapshot_files(files: Iterable[DataFile]) -> dict[str, DataFile]:
    """Return, by path, the files of the newest slice of each group; log files that wait for a base file too."""
    newest: dict[tuple[str, str], str] = {}
    files = list(files)
    for file in files:
        if file.is_base:
            newest[file.group] = max(file.instant, newest.get(file.group, ""))
    return {file.path: file for file in files if file.instant >= newest.get(file.group, "")}


def data_files(paths: Iterable[str]) -> list[DataFile]:
    """Return the data files among ``paths``."""
    return [file for path in paths if (file := data_file(path)) is not None]
