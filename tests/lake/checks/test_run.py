"""What a run stores, what it quarantines, and how a row leaves the quarantine again."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from nearcast.cli import cli
from nearcast.errors import LakeError
from nearcast.forecast.bars import read_bars
from nearcast.lake.checks.catalog import CHECKS
from nearcast.lake.checks.run import CheckRun, run_checks
from nearcast.lake.quarantine import quarantined, release
from nearcast.lake.snapshot import read_snapshot
from nearcast.schema import BAR
from nearcast.settings import Settings
from nearcast.source.load import load_csv
from tests.forecast.hudi_table import HudiTable

PRICES = Path(__file__).parents[3] / "data" / "stocks_daily.csv"
ROWS = 600
SPIKE = datetime.date(2022, 11, 16)
TIMES_100 = "SET {} WHERE date = '2022-11-16'".format(
    ", ".join(f"{name}_price = {name}_price * 100" for name in ("open", "high", "low", "close"))
)
BACK = TIMES_100.replace("*", "/")


class World:
    """A source with the newest rows of NFLX, and a lake that holds what was published of it.

    Parameters
    ----------
    settings
        A home whose local copy is always up to date, and the tests' database.
    table
        The local copy.
    """

    def __init__(self, settings: Settings, table: HudiTable) -> None:
        self.settings = settings
        self.table = table
        self.commits = 0

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement as the writer; return its rows."""
        with psycopg.connect(self.settings.need("postgres_dsn")) as link:
            cursor = link.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def change(self, what: str) -> None:
        """Update prices of the source, publish everything, and bring it to the lake."""
        self.query(f"UPDATE nearcast.prices {what}")
        self.arrive()

    def arrive(self) -> None:
        """Bring all rows of the source to the lake, as published an hour ago."""
        self.query("DELETE FROM nearcast.outbox")
        self.query(
            "INSERT INTO nearcast.publications SELECT stock_symbol, date, version, now(), now(), now() - interval '1 h'"
            " FROM nearcast.prices ON CONFLICT (stock_symbol, date) DO UPDATE SET version = excluded.version"
        )
        names = [column.name for column in BAR]
        rows = pd.DataFrame(self.query(f"SELECT {', '.join(names)} FROM nearcast.prices"), columns=names)
        self.commit(rows.assign(date=pd.to_datetime(rows["date"])))

    def commit(self, rows: pd.DataFrame) -> None:
        """Write rows to the lake alone."""
        self.commits += 1
        self.table.commit(f"2023092520000{self.commits}000", rows)

    def quarantined(self) -> list[tuple[str, str]]:
        """Return day and check of what is quarantined now."""
        with psycopg.connect(self.settings.need("postgres_reader_dsn")) as link:
            return [(str(one.date), one.check_name) for one in quarantined(link)]


def findings(run: CheckRun) -> dict[str, int]:
    """Return how much each check found, without those that found nothing."""
    return {one.name: one.findings for one in run.results if one.findings}


@pytest.fixture
def world(
    empty_database: Settings, home: Settings, lake: HudiTable, monkeypatch: pytest.MonkeyPatch
) -> World:
    """The world with all rows in the lake."""

    def newest(settings: Settings) -> Any:
        return SimpleNamespace(commit=max(path.stem for path in (lake.path / ".hoodie").glob("*.commit")))

    monkeypatch.setattr("nearcast.lake.sync.sync", newest)
    lines = PRICES.read_text().splitlines()
    newest_rows = [lines[0], *[line for line in lines if line.startswith("NFLX,")][-ROWS:]]
    file = home.home / "prices.csv"
    file.write_text("\n".join(newest_rows))
    load_csv(empty_database, file)
    made = World(empty_database.model_copy(update={"home": home.home}), lake)
    made.arrive()
    return made


def test_a_clean_lake_has_a_stored_result_of_every_check_and_no_alert(world: World) -> None:
    run = run_checks(world.settings)
    run.raise_for_failures()
    assert (run.rows, run.quarantined, run.new, run.commit) == (ROWS, 0, 0, "20230925200001000")
    assert [one.name for one in run.results] == [check.name for check in CHECKS]
    assert findings(run) == {"jump": 1}
    stored = world.query(
        "SELECT check_name, severity, findings, example FROM nearcast.check_results WHERE run_id = %s", run.id
    )
    assert sorted(stored) == sorted(
        (one.name, one.severity, one.findings, one.example) for one in run.results
    )
    kept = world.query("SELECT id, commit_time, rows, quarantined FROM nearcast.check_runs")
    assert kept == [(run.id, run.commit, ROWS, 0)]
    assert world.query("SELECT text FROM nearcast.alerts") == []


def test_a_wrong_row_is_quarantined_once_and_nothing_is_computed_from_it(world: World) -> None:
    world.change(TIMES_100)
    first = run_checks(world.settings)
    first.raise_for_failures()
    assert findings(first) == {"spike": 1, "jump": 1}
    assert (first.quarantined, first.new) == (1, 1)
    bars = read_bars(world.settings)
    assert len(bars) + first.quarantined == first.rows == ROWS
    assert pd.Timestamp(SPIKE) not in set(bars["date"])
    again = run_checks(world.settings)
    assert (again.quarantined, again.new, again.results) == (1, 0, first.results)
    entries = world.query(
        "SELECT date, check_name, run_id, first_seen_at < last_seen_at FROM nearcast.quarantine"
    )
    assert entries == [(SPIKE, "spike", again.id, True)]
    alerts = world.query("SELECT source, text FROM nearcast.alerts")
    assert len(alerts) == 1 and alerts[0][0] == "lake.check"
    assert alerts[0][1].startswith("rows newly quarantined: 1, such as NFLX 2022-11-16: close 30")


def test_a_corrected_version_leaves_at_once_and_its_past_stays_on_record(world: World) -> None:
    world.change(TIMES_100)
    run_checks(world.settings)
    world.change(BACK)
    assert len(read_bars(world.settings)) == ROWS
    corrected = run_checks(world.settings)
    assert (corrected.quarantined, findings(corrected), world.quarantined()) == (0, {"jump": 1}, [])
    assert world.query("SELECT date, check_name FROM nearcast.quarantine") == [(SPIKE, "spike")]
    world.change(TIMES_100)
    assert run_checks(world.settings).new == 1


def test_a_released_version_stays_released_and_a_new_one_does_not(world: World) -> None:
    world.change(TIMES_100)
    run_checks(world.settings)
    (released,) = release(world.settings, "NFLX", SPIKE)
    assert released.check_name == "spike"
    assert len(read_bars(world.settings)) == ROWS
    run = run_checks(world.settings)
    assert (run.quarantined, run.new, world.quarantined()) == (0, 0, [])
    assert findings(run) == {"jump": 1, "unadjusted_split": 2}
    with pytest.raises(LakeError, match="No row of NFLX on 2022-11-16"):
        release(world.settings, "NFLX", SPIKE)
    world.change("SET volume = volume + 1 WHERE date = '2022-11-16'")
    assert run_checks(world.settings).quarantined == 1


def test_a_difference_fails_the_run_and_what_it_found_is_stored(world: World) -> None:
    rows = world.table.rows[world.table.rows["date"] == "2022-11-16"].assign(volume=-1)
    world.commit(rows[[column.name for column in BAR]])
    run = run_checks(world.settings)
    assert findings(run) == {"different": 1, "negative_volume": 1, "jump": 1}
    with pytest.raises(LakeError, match="Data checks failed: 1 different"):
        run.raise_for_failures()
    assert world.quarantined() == [("2022-11-16", "negative_volume")]
    with pytest.raises(LakeError, match="cannot be released: volume -1"):
        release(world.settings, "NFLX", SPIKE)
    assert world.quarantined() == [("2022-11-16", "negative_volume")]


def test_each_of_two_rows_with_one_key_is_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = read_snapshot(world.settings)
    twice = pa.concat_tables([table, table.slice(7, 1)])
    monkeypatch.setattr("nearcast.lake.snapshot.read_snapshot", lambda *given: twice)
    run = run_checks(world.settings)
    assert findings(run) == {"duplicates": 1, "duplicate_key": 2, "jump": 1}
    assert (run.rows, run.quarantined) == (ROWS + 1, 2)
    assert len(read_bars(world.settings)) == ROWS - 1


def test_checks_that_cannot_run_leave_the_last_results(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.change(TIMES_100)
    run_checks(world.settings)
    table = read_snapshot(world.settings)
    other = table.set_column(6, "volume", table["volume"].cast(pa.string()))
    monkeypatch.setattr("nearcast.lake.reconcile.lake_rows", lambda settings, symbols: [])
    monkeypatch.setattr("nearcast.lake.snapshot.read_snapshot", lambda *given: other)
    with pytest.raises(LakeError, match="column volume"):
        run_checks(world.settings)
    assert world.query("SELECT count(*) FROM nearcast.check_runs") == [(1,)]
    assert world.quarantined() == [("2022-11-16", "spike")]


def test_an_empty_lake_can_be_checked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.query("DELETE FROM nearcast.prices")
    empty = pa.table({column.name: [] for column in BAR})
    monkeypatch.setattr("nearcast.lake.snapshot.read_snapshot", lambda *given: empty)
    run = run_checks(world.settings)
    assert (run.rows, findings(run)) == (0, {})


@pytest.fixture
def nearcast(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `nearcast lake …` in the world."""
    monkeypatch.setattr("nearcast.settings.load_settings", lambda: world.settings)
    return lambda *words: CliRunner().invoke(cli, ["lake", *words])


def test_the_commands_check_list_and_release(world: World, nearcast: Callable[..., Result]) -> None:
    world.change(TIMES_100)
    run_checks(world.settings)
    checked = nearcast("check", "--json")
    assert checked.exit_code == 0
    document = json.loads(checked.stdout)
    assert {"rows": ROWS, "quarantined": 1, "new": 0}.items() <= document.items()
    assert {one["name"]: one["findings"] for one in document["results"]}["spike"] == 1
    (listed,) = json.loads(nearcast("quarantine", "--json").stdout)["quarantined"]
    assert (listed["stock_symbol"], listed["date"], listed["check_name"]) == ("NFLX", "2022-11-16", "spike")
    assert "NFLX 2022-11-16" in nearcast("quarantine").stdout
    assert "1 of them quarantined, 0 since the last run" in nearcast("check").stdout
    assert nearcast("release", "NFLX", "16 November").exit_code == 2
    released = json.loads(nearcast("release", "NFLX", "2022-11-16", "--json").stdout)["released"]
    assert [one["check_name"] for one in released] == ["spike"]
    assert json.loads(nearcast("quarantine", "--json").stdout) == {"quarantined": []}


def test_the_check_command_fails_when_the_lake_differs(world: World, nearcast: Callable[..., Result]) -> None:
    world.query("DELETE FROM nearcast.prices WHERE date = '2022-11-16'")
    world.query(
        "UPDATE nearcast.publications SET version = deletions.version, deleted = true FROM nearcast.deletions"
        " WHERE publications.date = deletions.date"
    )
    checked = nearcast("check", "--json")
    assert checked.exit_code == 1
    assert {one["name"]: one["findings"] for one in json.loads(checked.stdout)["results"]}["extra"] == 1
