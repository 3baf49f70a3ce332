"""The local copy holds the newest snapshot's files and nothing else, at the price of what changed."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nearcast.errors import LakeError
from nearcast.lake.sync import SyncReport, reading, sync, table_folder
from nearcast.lake.timeline import newest_commit
from nearcast.settings import Settings
from tests.lake.folder_s3 import folder_s3, settings_of
from tests.lake.random_history import GROUPS, RandomTable, file_id


def copied(settings: Settings) -> dict[str, bytes]:
    """Return the files of the local copy."""
    folder = table_folder(settings)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def expected(table: RandomTable) -> dict[str, bytes]:
    """Return the files that the copy of a table should have."""
    timeline = [
        path for path in (table.folder / ".hoodie").iterdir() if path.suffix in (".commit", ".deltacommit")
    ]
    names = {str(path.relative_to(table.folder)) for path in timeline} | table.newest_slices()
    names |= {".hoodie/hoodie.properties"} if table.commits else set()
    return {name: (table.folder / name).read_bytes() for name in names}


@pytest.mark.parametrize("merge_on_read", [False, True], ids=["copy on write", "merge on read"])
@pytest.mark.parametrize("seed", range(5))
def test_after_any_history_the_copy_is_the_newest_snapshot_however_often_it_was_synchronised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, merge_on_read: bool
) -> None:
    draw = random.Random(seed)
    folder_s3(tmp_path / "s3", monkeypatch)
    table = RandomTable(tmp_path / "s3" / "prices", draw, merge_on_read)
    often, seldom = settings_of(tmp_path / "often"), settings_of(tmp_path / "seldom")
    for step in range(40):
        table.step()
        if draw.random() < 0.6:
            report = sync(often)
            assert report.commit == max(table.commits, default=None)
            assert copied(often) == expected(table), f"step {step}"
        if draw.random() < 0.05:
            sync(seldom)
    sync(often), sync(seldom)
    assert copied(often) == copied(seldom) == expected(table)
    assert sync(often) == SyncReport(0, 0, 0, max(table.commits, default=None))


def commit(table: RandomTable, *groups: str) -> str:
    """Write a commit of these groups; return its instant."""
    instant = table.instant()
    table.complete(instant, "commit", {group: table.base(group, instant) for group in groups})
    return instant


@pytest.mark.parametrize("partitions", [10, 200])
def test_the_cost_is_that_of_the_change_and_not_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partitions: int
) -> None:
    s3 = folder_s3(tmp_path / "s3", monkeypatch)
    table = RandomTable(tmp_path / "s3" / "prices", random.Random(0), merge_on_read=False)
    groups = [f"stock_symbol=S{number}/year=2020" for number in range(partitions)]
    monkeypatch.setattr("tests.lake.random_history.GROUPS", groups)
    commit(table, *groups)
    settings = settings_of(tmp_path / "home")
    assert sync(settings).files == partitions + 2
    s3.requests.clear()
    commit(table, groups[7])
    report = sync(settings)
    # the timeline; the table's properties, the commit and the one file
    assert s3.requests == Counter(list=1, get=3)
    assert (report.files, report.removed) == (2, 1)
    s3.requests.clear()
    sync(settings)
    assert s3.requests == Counter(list=1)
    assert copied(settings) == expected(table)


@pytest.mark.parametrize("request_number", range(1, 12))
def test_a_synchronisation_that_dies_leaves_a_snapshot_and_the_next_one_completes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_number: int
) -> None:
    s3 = folder_s3(tmp_path / "s3", monkeypatch)
    table = RandomTable(tmp_path / "s3" / "prices", random.Random(0), merge_on_read=False)
    settings = settings_of(tmp_path / "home")
    commit(table, *GROUPS[:3])
    sync(settings)
    before = copied(settings)
    commit(table, *GROUPS[:2])
    commit(table, *GROUPS[1:4])
    count = iter(range(1, 100))

    def die(key: str) -> None:
        if next(count) == request_number:
            raise InterruptedError(key)

    s3.before_get = die
    died = False
    try:
        sync(settings)
    except InterruptedError:
        died = True
    assert died == (request_number <= 7)  # properties, two commits, four files
    after = copied(settings)
    if died:  # the timeline says that nothing happened, and what it speaks of is there
        assert {name: body for name, body in after.items() if ".hoodie" in name} == {
            name: body for name, body in before.items() if ".hoodie" in name
        }
        assert before.items() <= after.items()
    s3.before_get = lambda key: None
    sync(settings)
    assert copied(settings) == expected(table)


def test_a_file_that_is_cleaned_while_it_is_fetched_is_replaced_by_what_replaced_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = folder_s3(tmp_path / "s3", monkeypatch)
    table = RandomTable(tmp_path / "s3" / "prices", random.Random(0), merge_on_read=False)
    settings = settings_of(tmp_path / "home")
    commit(table, GROUPS[0])

    def overtake(key: str) -> None:
        if key.endswith(".parquet"):
            s3.before_get = lambda key: None
            commit(table, GROUPS[0])
            table.clean()

    s3.before_get = overtake
    assert sync(settings).commit == table.commits[-1]
    assert copied(settings) == expected(table)

    def always(key: str) -> None:
        if key.endswith(".parquet"):
            commit(table, GROUPS[0])
            table.clean()

    s3.before_get = always
    commit(table, GROUPS[0])
    held = copied(settings)
    with pytest.raises(LakeError, match="changed 5 times"):
        sync(settings)
    assert copied(settings) == held


def test_commits_behind_a_compaction_under_way_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_s3(tmp_path / "s3", monkeypatch)
    table = RandomTable(tmp_path / "s3" / "prices", random.Random(0), merge_on_read=True)
    settings = settings_of(tmp_path / "home")
    first = commit(table, GROUPS[0])
    table.log(GROUPS[0], table.instant())
    compaction = table.instant()
    table.put(f".hoodie/{compaction}.compaction.requested", "plan")
    later = table.instant()
    table.put(f"{GROUPS[0]}/.{file_id(GROUPS[0])}_{compaction}.log.1_0-9-1", later)
    table.complete(
        later, "deltacommit", {GROUPS[0]: f"{GROUPS[0]}/.{file_id(GROUPS[0])}_{compaction}.log.1_0-9-1"}
    )
    assert sync(settings).commit == first
    assert newest_commit(settings) == first
    table.complete(compaction, "commit", {GROUPS[0]: table.base(GROUPS[0], compaction)})
    assert sync(settings).commit == later
    assert {Path(name).name for name in copied(settings) if "stock_symbol" in name} == {
        f"{file_id(GROUPS[0])}_0-{table.clock}-1_{compaction}.parquet",
        f".{file_id(GROUPS[0])}_{compaction}.log.1_0-9-1",
    }


def test_a_file_is_not_removed_while_the_copy_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_s3(tmp_path / "s3", monkeypatch)
    table = RandomTable(tmp_path / "s3" / "prices", random.Random(0), merge_on_read=False)
    settings = settings_of(tmp_path / "home")
    commit(table, GROUPS[0])
    sync(settings)
    held = copied(settings)
    commit(table, GROUPS[0])
    with ThreadPoolExecutor(1) as pool:
        with reading(table_folder(settings)):
            ended = pool.submit(sync, settings)
            with pytest.raises(TimeoutError):
                ended.result(0.3)
            assert held.items() <= copied(settings).items()
        assert ended.result(10).removed == 1
    assert copied(settings) == expected(table)
