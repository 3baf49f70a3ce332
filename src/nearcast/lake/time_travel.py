"""The Hudi table as it was at a commit, and what was written since one.

A file version stays until the cleaner removes it. Its plan says what it retains, and is there before the first
file goes (``.hoodie/<instant>.clean.requested``, Avro); hudi-rs itself would read an older commit without a word
about the rows that are gone.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nearcast.errors import LakeError
from nearcast.lake.file_slices import DataFile, committed, data_files, snapshot_files
from nearcast.lake.objects import download, missing_as, table_files
from nearcast.lake.snapshot import COLUMNS, HUDI_COMMIT_TIME, empty, read_copy
from nearcast.lake.sync import PROPERTIES, THREADS, table_folder
from nearcast.lake.timeline import clean_plans, completed, instant_of, timeline_file, timeline_files
from nearcast.schema import RECORD_KEY
from nearcast.settings import Settings

if TYPE_CHECKING:
    import pyarrow

INSTANT = re.compile(r"\d{17}")
ADVICE = "Ask for a later instant, `latest`, or a commit that `nearcast train` kept."


def parse_instant(text: str) -> str:
    """Return an instant (yyyyMMddHHmmssSSS) from one, or from an ISO 8601 time (UTC unless it says otherwise).

    Raises
    ------
    LakeError
        When the text is neither.
    """
    if INSTANT.fullmatch(text):
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise LakeError(
            f"{text!r} is no instant.",
            todo="Give a commit's instant (17 digits), an ISO time such as 2026-01-31T12:00, or `latest`.",
        ) from error
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{moment:%Y%m%d%H%M%S}{moment.microsecond // 1000:03d}"


def commit_at(settings: Settings, text: str) -> str:
    """Return the instant of the newest commit at an instant, at an ISO time, or of all (``latest``).

    Raises
    ------
    LakeError
        When there is none: before the first commit, or before the oldest that the timeline still has.
    """
    commits = [instant_of(name) for name in completed(timeline_files(settings))]
    upper = "~" if text == "latest" else parse_instant(text)
    found = [instant for instant in commits if instant <= upper]
    if not found:
        oldest = f"its oldest commit is {commits[0]}" if commits else "it has no commit"
        raise LakeError(f"The table's timeline has no commit at or before {text}: {oldest}.", todo=ADVICE)
    return found[-1]


def read_as_of(
    settings: Settings, instant: str, columns: Sequence[str] | None = None, after: str = ""
) -> pyarrow.Table:
    """Return the table's rows as they were once the commit ``instant`` was complete, in no order.

    Parameters
    ----------
    settings
        Name the table; files that the local copy holds are not fetched again.
    instant
        A commit of the active timeline.
    columns
        Their names (default: all but Hudi's own, and ``_hoodie_commit_time``).
    after
        Leave out rows that were not written after this instant, which is before ``instant``.

    Raises
    ------
    LakeError
        When the table has no such commit, or the cleaner has removed files that it needs.
    """
    import pyarrow.compute

    paths = table_files(settings)
    names = timeline_files(settings)  # after the files: a plan to remove one of them is seen
    commits = {instant_of(name): name for name in completed(names)}
    readable = _readable(settings, names, sorted(commits))
    if instant not in readable:
        raise _unreadable(settings, instant, readable)
    files = committed((file for file in data_files(paths) if file.instant <= instant), names)
    wanted = _written_after(after, list(snapshot_files(files).values()))
    with TemporaryDirectory(dir=_scratch(settings), prefix="as-of-") as folder:
        with missing_as(_unreadable(settings, instant, [])):
            _fill(settings, Path(folder), [*(file.path for file in wanted), *_timeline(commits[instant])])
        table = read_copy(Path(folder), columns, as_of=instant)
    return table.filter(pyarrow.compute.field(HUDI_COMMIT_TIME) > after) if after else table


@dataclass(frozen=True)
class Changes:
    """What was written after the instant ``start`` and up to the commit ``end``, by symbol and date."""

    start: str
    end: str
    rows: pyarrow.Table


def read_changes(settings: Settings, start: str, end: str) -> Changes:
    """Return the rows whose newest version at ``end`` was written after ``start``; deletions do not show.

    hudi-rs's own incremental read leaves out, without a word, what archived commits wrote.

    Parameters
    ----------
    settings
        Name the table.
    start, end
        As `commit_at` takes them; ``start`` need not be readable any more.

    Raises
    ------
    LakeError
        When the table can not be read as of ``end``.
    """
    after = commit_at(settings, start) if start == "latest" else parse_instant(start)
    until = commit_at(settings, end)
    columns = [*COLUMNS, HUDI_COMMIT_TIME]
    rows = read_as_of(settings, until, columns, after) if after < until else empty(columns)
    return Changes(after, until, rows.sort_by([(name, "ascending") for name in RECORD_KEY]))


def _readable(settings: Settings, names: list[str], commits: list[str]) -> list[str]:
    """Return the commits whose files the cleaner retains."""
    import fastavro

    plans = clean_plans(names)
    if not plans or not commits:
        return commits
    (plan,) = fastavro.reader(io.BytesIO(timeline_file(settings, plans[-1])))
    retained: Any = plan["earliestInstantToRetain"]
    # A policy that counts file versions instead of commits says nothing about commits.
    oldest = retained["timestamp"] if retained else commits[-1]
    return [instant for instant in commits if instant >= oldest]


def _unreadable(settings: Settings, instant: str, readable: list[str]) -> LakeError:
    oldest = f" The oldest commit that can is {readable[0]}." if readable else ""
    return LakeError(
        f"The table can not be read as of {instant}: it is no commit of its timeline, or its files were cleaned."
        + oldest,
        todo=ADVICE,
    )


def _written_after(instant: str, files: list[DataFile]) -> list[DataFile]:
    """Leave out base files of ``instant`` and before that have no log files: none of their rows is newer."""
    logged = {file.group for file in files if not file.is_base}
    return [file for file in files if file.group in logged or file.instant > instant]


def _timeline(commit: str) -> list[str]:
    """Return what makes data files a table: with one commit, all that is older counts as committed."""
    return [f".hoodie/{PROPERTIES}", f".hoodie/{commit}"]


def _scratch(settings: Settings) -> Path:
    folder = table_folder(settings).parent
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _fill(settings: Settings, folder: Path, paths: list[str]) -> None:
    copy = table_folder(settings)

    def bring(path: str) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(copy / path, folder / path)  # Hudi never changes a file that it has written
        except OSError:
            download(settings, path, folder / path)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(bring, paths))
