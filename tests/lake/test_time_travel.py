"""Snapshots, as-of reads and changes of tables that Spark wrote, cleaned, compacted and archived.

What must come out follows from what was committed: of each key the largest version, unless it is a deletion.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from nearcast.errors import LakeError
from nearcast.lake.kept_snapshots import keep_snapshot, kept_commits
from nearcast.lake.snapshot import HUDI_COMMIT_TIME, read_copy, read_snapshot
from nearcast.lake.sync import sync, table_folder
from nearcast.lake.time_travel import commit_at, parse_instant, read_as_of, read_changes
from nearcast.lake.timeline import commits_after, rows_written
from tests.lake.folder_s3 import folder_s3, settings_of
from tests.lake.make_history import NEW_COLUMN_FROM, values

COMMITS = 8
DAYS = ("2020-01-02", "2020-01-03", "2021-01-04")
Snapshot = dict[tuple[str, str], tuple[Any, ...]]


def drawn_history(merge_on_read: bool) -> dict[str, Any]:
    """Draw commits whose rows are often late; copy-on-write ones delete too, and one is rolled back."""
    draw = random.Random(3)
    commits = []
    for index in range(COMMITS):
        symbols = "AB" if index else "ABC"  # C is written once, and its commit is archived
        keys = {(draw.choice(symbols), draw.choice(DAYS)) for _ in range(4)} | (
            {("C", DAYS[0])} if not index else set()
        )
        rows = []
        for number, (symbol, day) in enumerate(sorted(keys)):
            version = max(1, 10 * index + number - draw.choice([0, 0, 0, 25]))
            rows.append([symbol, day, version, not merge_on_read and index > 1 and draw.random() < 0.2])
        commits.append(rows)
    return {"merge_on_read": merge_on_read, "commits": commits, "rolled_back": [] if merge_on_read else [3]}


@dataclass(frozen=True)
class History:
    """A table after each of its commits, and what it then has to hold."""

    states: Path
    snapshots: list[Snapshot]
    """By index of the commit: version, adjusted close and index of the commit that wrote it, by key."""

    def instants(self, index: int) -> list[str]:
        """Return the instants of the active timeline after a commit, oldest first."""
        timeline = self.states / str(index) / "prices" / ".hoodie"
        return sorted(path.stem for path in timeline.iterdir() if path.suffix in (".commit", ".deltacommit"))


def lawful_snapshots(history: dict[str, Any]) -> list[Snapshot]:
    """Return the rows that each commit has to leave."""
    held: dict[tuple[str, str], tuple[Any, ...]] = {}
    snapshots = []
    for index, rows in enumerate(history["commits"]):
        before = dict(held)
        for symbol, day, version, deleted in rows:
            if version >= held.get((symbol, day), (0,))[0]:
                adjusted = float(version) if index >= NEW_COLUMN_FROM else None
                held[symbol, day] = (version, adjusted, index)
                if deleted:
                    del held[symbol, day]
        if index in history["rolled_back"]:
            held = before
        snapshots.append(dict(held))
    return snapshots


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, History]:
    """The two histories, written by one Spark session."""
    folder = tmp_path_factory.mktemp("histories")
    drawn = {"cow": drawn_history(False), "mor": drawn_history(True)}
    (folder / "histories.json").write_text(json.dumps(drawn))
    command = [sys.executable, "-m", "tests.lake.make_history", str(folder), str(folder / "histories.json")]
    subprocess.run(command, check=True)
    return {name: History(folder / name, lawful_snapshots(one)) for name, one in drawn.items()}


@pytest.fixture(params=["cow", "mor"], ids=["copy on write", "merge on read"])
def history(request: pytest.FixtureRequest, histories: dict[str, History]) -> History:
    """One of the histories."""
    chosen: History = histories[request.param]
    return chosen


def rows_of(table: pyarrow.Table) -> Snapshot:
    """Return version and adjusted close by key, once the prices were found to be the version's."""
    found: Snapshot = {}
    for row in table.to_pylist():
        key = (row["stock_symbol"], row["date"].isoformat())
        assert key not in found
        bar = tuple(row[name] for name in ("open_price", "high_price", "low_price", "close_price", "volume"))
        assert bar == values(*key, row["version"], False)[2:7]
        found[key] = (row["version"], row.get("adjusted_close"))
    return found


def without_commit(snapshot: Snapshot) -> Snapshot:
    return {key: row[:2] for key, row in snapshot.items()}


def test_the_histories_have_what_they_are_for(histories: dict[str, History]) -> None:
    for history in histories.values():
        final = history.states / str(COMMITS - 1) / "prices"
        assert list(final.glob(".hoodie/*.clean"))
        assert not {history.instants(1)[0], history.instants(1)[-1]} & set(history.instants(COMMITS - 1))
    assert list((histories["cow"].states / "4" / "prices").glob(".hoodie/*.rollback"))
    assert list((histories["mor"].states / "4" / "prices").glob("*/*/.*.log.*"))
    assert any(
        history.snapshots[-1][key][1] is None for key in [("C", DAYS[0])] for history in histories.values()
    )


def test_the_copy_of_every_commit_reads_as_what_was_committed(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    for index, snapshot in enumerate(history.snapshots):
        folder_s3(history.states / str(index), monkeypatch)
        assert sync(settings).commit == history.instants(index)[-1]
        assert rows_of(read_copy(table_folder(settings))) == without_commit(snapshot)
    mine = read_snapshot(settings, ["stock_symbol", "date", "version"], ["B", "C"]).to_pylist()
    assert {(row["stock_symbol"], str(row["date"])): row["version"] for row in mine} == {
        key: row[0] for key, row in snapshot.items() if key[0] in "BC"
    }
    assert read_snapshot(settings, symbols=["ZZZZ"]).num_rows == 0


def test_an_older_commit_reads_as_it_was_or_is_refused(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last commit: what the cleaner retained is right, and nothing else is answered."""
    folder_s3(history.states / str(COMMITS - 1), monkeypatch)
    settings, active = settings_of(tmp_path), history.instants(COMMITS - 1)
    read, refused = [], []
    for index, snapshot in enumerate(history.snapshots):
        instant = history.instants(index)[-1]
        try:
            rows = rows_of(read_as_of(settings, instant))
        except LakeError as error:
            assert "can not be read as of" in error.happened
            refused.append(instant)
            continue
        assert instant in active
        assert {key: row[0] for key, row in rows.items()} == {key: row[0] for key, row in snapshot.items()}
        read.append(instant)
    assert len(set(read)) >= 2 and set(refused) & set(active) and set(refused) - set(active)
    assert not list(tmp_path.glob("lake/as-of-*"))


def test_changes_bring_an_older_snapshot_up_to_a_newer_one(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From any commit, archived ones too: its rows updated with the changes are the newer rows, but for deletions."""
    folder_s3(history.states / str(COMMITS - 1), monkeypatch)
    settings, newest = settings_of(tmp_path), history.snapshots[-1]
    for index, older in enumerate(history.snapshots):
        start = history.instants(index)[-1]
        changes = read_changes(settings, start, "latest")
        assert (changes.start, changes.end) == (start, history.instants(COMMITS - 1)[-1])
        times = changes.rows[HUDI_COMMIT_TIME].to_pylist()
        assert all(start < time <= changes.end for time in times)
        updated = {key: row[0] for key, row in older.items()} | {
            key: row[0] for key, row in rows_of(changes.rows).items()
        }
        assert {key: updated[key] for key in newest} == {key: row[0] for key, row in newest.items()}
        assert len(times) == sum(row[2] > index for row in newest.values())


def test_a_kept_snapshot_outlives_cleaning_and_archiving_to_the_bit(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = tmp_path / "bucket"
    folder_s3(bucket, monkeypatch)
    shutil.copytree(history.states / "2" / "prices", bucket / "prices")
    (instant,) = commits_after(settings_of(tmp_path / "first"))[-1:]
    first = keep_snapshot(settings_of(tmp_path / "first"), instant)
    shutil.rmtree(bucket / "prices")
    shutil.copytree(history.states / str(COMMITS - 1) / "prices", bucket / "prices")
    with pytest.raises(LakeError):
        read_as_of(settings_of(tmp_path / "second"), instant)
    again = keep_snapshot(settings_of(tmp_path / "second"), instant)
    assert again.equals(first) and again.schema.equals(first.schema, check_metadata=True)
    assert rows_of(again) == without_commit(history.snapshots[2])
    assert kept_commits(settings_of(tmp_path)) == [instant]


def test_a_commit_tells_how_many_rows_it_wrote_and_a_compaction_wrote_none(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_s3(history.states / "2", monkeypatch)
    settings = settings_of(tmp_path)
    first, *_, last = commits_after(settings)
    assert rows_written(settings, first) == len(history.snapshots[0])
    compacted = list((history.states / "2" / "prices" / ".hoodie").glob("*.compaction.requested"))
    assert (rows_written(settings, last) == 0) == bool(compacted)


def test_moments_name_the_newest_commit_up_to_them(
    histories: dict[str, History], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_s3(histories["cow"].states / str(COMMITS - 1), monkeypatch)
    settings, active = settings_of(tmp_path), histories["cow"].instants(COMMITS - 1)
    assert commit_at(settings, "latest") == active[-1]
    assert commit_at(settings, active[1]) == active[1]
    assert commit_at(settings, f"{int(active[1]) - 1}") == active[0]
    text = active[1]
    iso = f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}.{text[14:]}"
    assert commit_at(settings, iso) == commit_at(settings, f"{iso}+00:00") == active[1]
    for early in ("1999-12-31", f"{int(active[0]) - 1}"):
        with pytest.raises(LakeError, match=f"no commit at or before .*oldest commit is {active[0]}"):
            commit_at(settings, early)
    assert parse_instant("2026-01-31T13:30:00.5+01:00") == "20260131123000500"
    with pytest.raises(LakeError, match="'yesterday' is no instant"):
        parse_instant("yesterday")
