"""Histories of a Hudi table as its writer leaves them in a bucket, without rows: which files there are when.

The names and the timeline's files are those of table version 6, as Hudi 1.0.2 writes them.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

GROUPS = [f"stock_symbol={symbol}/year={year}" for symbol in "ABC" for year in (2020, 2021)]


@dataclass
class RandomTable:
    """A table whose next step is drawn by chance; it remembers each group's newest slice, which is the oracle.

    Parameters
    ----------
    folder
        Where the table is.
    draw
        Draws the steps.
    merge_on_read
        Write log files, and compact them at times.
    """

    folder: Path
    draw: random.Random
    merge_on_read: bool
    clock: int = 0
    commits: list[str] = field(default_factory=list)
    slices: dict[str, list[list[str]]] = field(default_factory=lambda: defaultdict(list))
    """By group, oldest first: the files of each slice, the base file first if there is one."""

    def __post_init__(self) -> None:
        self.put(".hoodie/hoodie.properties", "hoodie.table.version=6\n")
        self.put(".hoodie/history/.commits_.archive.1_1-0-1", "old")

    def newest_slices(self) -> set[str]:
        """Return the paths of the data files that a snapshot needs."""
        return {path for slices in self.slices.values() if slices for path in slices[-1]}

    def step(self) -> None:
        """Do one thing that a writer does."""
        kinds = ["commit"] * 6 + ["fail", "clean", "archive"]
        kinds += ["compact"] if self.merge_on_read else ["roll back"]
        kind = self.draw.choice(kinds)
        if kind == "commit":
            self._commit()
        elif kind == "fail":
            self._fail()
        elif kind == "clean":
            self.clean()
        elif kind == "archive":
            self._archive()
        elif kind == "compact":
            self._compact()
        elif len(self.commits) > 1:
            self._roll_back()

    def _commit(self) -> None:
        instant, written = self.instant(), {}
        for group in self.draw.sample(GROUPS, self.draw.randint(1, 3)):
            if self.merge_on_read and self.slices[group]:
                written[group] = self.log(group, instant)
            else:
                written[group] = self.base(group, instant)
        self.complete(instant, "deltacommit" if self.merge_on_read else "commit", written)

    def base(self, group: str, instant: str) -> str:
        """Write a base file of a group; return its path."""
        path = f"{group}/{file_id(group)}_0-{self.clock}-1_{instant}.parquet"
        self.put(path, instant)
        self.slices[group].append([path])
        return path

    def log(self, group: str, instant: str) -> str:
        """Add a log file to a group's newest slice; return its path."""
        newest = self.slices[group][-1]
        base_instant = newest[0].rpartition("_")[2].partition(".")[0]
        path = f"{group}/.{file_id(group)}_{base_instant}.log.{len(newest)}_0-{self.clock}-1"
        self.put(path, instant)
        newest.append(path)
        return path

    def _compact(self) -> None:
        logged = [group for group, slices in self.slices.items() if slices and len(slices[-1]) > 1]
        if logged:
            instant = self.instant()
            self.put(f".hoodie/{instant}.compaction.requested", "plan")
            self.complete(instant, "commit", {group: self.base(group, instant) for group in logged})

    def _fail(self) -> None:
        """Die in the middle of a commit; the next start removes what it wrote, or has not done so yet."""
        instant, group = self.instant(), self.draw.choice(GROUPS)
        path = f"{group}/{file_id(group)}_0-{self.clock}-1_{instant}.parquet"
        self.put(path, "half")
        self.put(f".hoodie/{instant}.inflight", "")
        if self.draw.random() < 0.5:
            (self.folder / path).unlink()
            (self.folder / f".hoodie/{instant}.inflight").unlink()
            self.put(f".hoodie/{self.instant()}.rollback", "done")

    def _roll_back(self) -> None:
        """Take back the newest commit, unless the cleaner took what was before it."""
        written = [slices for slices in self.slices.values() if slices and self.commits[-1] in slices[-1][0]]
        if any(len(slices) == 1 for slices in written):
            return
        instant = self.commits.pop()
        for slices in written:
            (self.folder / slices.pop()[0]).unlink()
        (self.folder / f".hoodie/{instant}.commit").unlink()
        self.put(f".hoodie/{self.instant()}.rollback", "done")

    def clean(self) -> None:
        """Remove all slices but the newest of each group."""
        instant = self.instant()
        self.put(f".hoodie/{instant}.clean.requested", "plan")
        for slices in self.slices.values():
            while len(slices) > 1:
                for path in slices.pop(0):
                    (self.folder / path).unlink()
        self.put(f".hoodie/{instant}.clean", "done")

    def _archive(self) -> None:
        """Keep one to four commits, as what is uncommitted is never older than the oldest of them."""
        keep = self.draw.randint(1, 4)
        pending = [path.name.partition(".")[0] for path in (self.folder / ".hoodie").glob("*.inflight")]
        while len(self.commits) > keep and self.commits[1] < min(pending, default="~"):
            for path in (self.folder / ".hoodie").glob(f"{self.commits.pop(0)}.*"):
                path.unlink()

    def complete(self, instant: str, action: str, written: dict[str, str]) -> None:
        """Write the timeline's files of a commit that wrote these files."""
        stats = {group: [{"fileId": file_id(group), "path": path}] for group, path in written.items()}
        self.put(f".hoodie/{instant}.{action}.requested", "")
        self.put(f".hoodie/{instant}.{action}", json.dumps({"partitionToWriteStats": stats}))
        self.commits.append(instant)

    def instant(self) -> str:
        """Return the next instant."""
        self.clock += 1
        return f"20260101{self.clock:09d}"

    def put(self, path: str, content: str) -> None:
        """Write a file of the table."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(content)


def file_id(group: str) -> str:
    """Return the id of a group's files."""
    return f"0000-{GROUPS.index(group)}-0"
