"""The write-ahead log: what changed since the last snapshot, a JSON document a line.

A line is in the kernel's hands before the answer that it stands for leaves, so it outlives the process, however
that ends. There is no fsync: a power failure may take the last seconds.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nearcast.log import get_logger

Entry = dict[str, Any]
log = get_logger("wal")


class WriteAheadLog:
    """Numbered files ``wal.N``: number N holds what happened after snapshot N was taken.

    Parameters
    ----------
    folder
        Where the files lie; it is made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lock = threading.Lock()
        self.descriptor = -1
        self.number = max(self.numbers(), default=0)

    def numbers(self) -> list[int]:
        """Return the numbers of the files that there are, in order."""
        return sorted(int(path.suffix[1:]) for path in self.folder.glob("wal.*"))

    def rotate(self, at_least: int = 1) -> int:
        """Begin a new file and return its number; everything before it lies in older ones."""
        with self.lock:
            number = max(self.number + 1, at_least)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(self.folder / f"wal.{number}", flags, 0o600)
            if self.descriptor >= 0:
                os.close(self.descriptor)
            self.descriptor, self.number = descriptor, number
            return number

    def append(self, entry: Entry) -> None:
        """Write an entry. Raises OSError, and leaves no half of it, when there is no room."""
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        with self.lock:
            before = os.fstat(self.descriptor).st_size
            try:
                if os.write(self.descriptor, line) != len(line):
                    raise OSError("The write-ahead log has no room for an entry")
            except OSError:
                os.ftruncate(self.descriptor, before)
                raise

    def entries(self, first: int) -> Iterator[Entry]:
        """Yield the entries of the files from number ``first`` on; what follows a torn line does not count."""
        for number in self.numbers():
            if number < first:
                continue
            with (self.folder / f"wal.{number}").open("rb") as lines:
                for line in lines:
                    try:
                        yield json.loads(line)
                    except ValueError:
                        log.warning("the log ends in a torn line", file=f"wal.{number}", bytes=len(line))
                        break

    def remove_before(self, number: int) -> None:
        """Remove the files older than ``number``."""
        for old in self.numbers():
            if old < number:
                (self.folder / f"wal.{old}").unlink()
