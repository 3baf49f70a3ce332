"""The follower stores one forecast for each new day, from that day's own past, and only ever adds."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import psycopg
import pytest

from nearcast.forecast.follow import Follower
from nearcast.forecast.registry import Champion
from nearcast.settings import Settings
from tests.forecast.hudi_table import HudiTable

INSTANTS = [f"2023092520000{second}000" for second in range(8)]
START, LIVE = 300, 310
HORIZONS = 3


class RecordingModel:
    """A champion that answers by the last close, and remembers what it was given."""

    def __init__(self, version: str = "nearcast-quantile/1") -> None:
        self.seen: list[pd.DataFrame] = []
        self.champion = Champion(version, self.predict)

    def predict(self, bars: pd.DataFrame) -> npt.NDArray[np.float64]:
        self.seen.append(bars.copy())
        spread = np.sqrt(np.arange(1, HORIZONS + 1))[:, None] * np.linspace(-0.03, 0.03, 7)
        return np.asarray(float(bars["close_price"].iloc[-1]) * (1 + spread))


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the follower put on S3: the as-of days; and ``all`` for an export of everything missing."""
    put: list[object] = []
    monkeypatch.setattr(
        "nearcast.forecast.follow.put_forecasts", lambda settings, rows: put.append(rows[0][3])
    )
    monkeypatch.setattr("nearcast.forecast.follow.export_forecasts", lambda settings, link: put.append("all"))
    return put


@pytest.fixture
def following(
    empty_database: Settings,
    home: Settings,
    lake: HudiTable,
    exported: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], Follower]:
    """Makes followers of the home's lake, where the copy is always up to date with S3."""

    def newest(settings: Settings, after: str | None = None) -> str | None:
        commits = sorted(path.stem for path in (lake.path / ".hoodie").glob("*.commit"))
        return commits[-1] if commits and commits[-1] > (after or "") else None

    monkeypatch.setattr("nearcast.lake.timeline.newest_commit", newest)
    monkeypatch.setattr("nearcast.lake.sync.sync", lambda settings: SimpleNamespace(commit=newest(settings)))
    settings = home.model_copy(update={"postgres_dsn": empty_database.postgres_dsn})
    return lambda: Follower(settings)


def stored(settings: Settings, table: str, columns: str) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.need("postgres_reader_dsn")) as link:
        return link.execute(f"SELECT {columns} FROM nearcast.{table} ORDER BY 1, 2").fetchall()


def as_of_days(settings: Settings) -> list[object]:
    """Return the as-of day of each forecast, of which every horizon must be there."""
    rows = stored(settings, "forecasts", "stock_symbol, as_of_date, horizon")
    assert [row[2] for row in sorted(rows)] == list(range(1, HORIZONS + 1)) * (len(rows) // HORIZONS)
    return [row[1] for row in rows if row[2] == 1]


def days(bars: pd.DataFrame) -> list[datetime.date]:
    return [day.date() for day in bars["date"]]


def test_history_gets_one_forecast_and_each_live_day_its_own_from_its_own_past(
    following: Callable[[], Follower], postgres: Settings, lake: HudiTable, netflix: pd.DataFrame
) -> None:
    model, follower = RecordingModel(), following()
    follower.champion = model.champion
    assert not follower.look()
    lake.commit(INSTANTS[0], netflix[:START])
    assert follower.look()
    assert as_of_days(postgres) == days(netflix[START - 1 : START])
    lake.commit(INSTANTS[1], netflix[START : START + 1])
    lake.commit(INSTANTS[2], netflix[START + 1 : LIVE])
    assert follower.look()
    assert not follower.look()
    assert as_of_days(postgres) == days(netflix[START - 1 : LIVE])
    for bars in model.seen:
        pd.testing.assert_frame_equal(bars[list(netflix)], netflix[: len(bars)], check_dtype=False)
    columns = "stock_symbol, as_of_date, date, last_close, q500, commit_time, horizon"
    everything = stored(postgres, "forecasts", columns)
    for horizon in range(1, HORIZONS + 1):
        mine = [row[2] for row in everything if row[6] == horizon]
        assert mine == days(netflix[START + horizon - 1 : LIVE + horizon])
    rows = [row for row in everything if row[6] == 1]
    closes = netflix["close_price"][START - 1 : LIVE].tolist()
    assert [row[3] for row in rows] == closes
    assert [row[4] for row in rows] == closes
    assert [row[5] for row in rows] == [INSTANTS[0]] + [INSTANTS[2]] * (LIVE - START)


def quarantine(settings: Settings, bar: pd.Series[Any]) -> None:
    """Let a run of the checks find a row wrong."""
    with psycopg.connect(settings.need("postgres_dsn")) as link:
        link.execute("INSERT INTO nearcast.check_runs (started_at, rows, quarantined) VALUES (now(), 1, 1)")
        link.execute(
            "INSERT INTO nearcast.quarantine SELECT %s, %s, %s, 'spike', 'planted', now(), now(), max(id)"
            " FROM nearcast.check_runs",
            (bar["stock_symbol"], bar["date"].date(), int(bar["version"])),
        )


def test_a_quarantined_bar_is_noted_and_neither_forecast_from_nor_looked_back_to(
    following: Callable[[], Follower], postgres: Settings, lake: HudiTable, netflix: pd.DataFrame
) -> None:
    model, follower = RecordingModel(), following()
    follower.champion = model.champion
    lake.commit(INSTANTS[0], netflix[:START])
    follower.look()
    quarantine(postgres, netflix.iloc[START + 1])
    lake.commit(INSTANTS[1], netflix[START : START + 3])
    follower.look()
    assert as_of_days(postgres) == days(netflix.loc[[START - 1, START, START + 2]])
    used = netflix[: START + 3].drop(index=START + 1).reset_index(drop=True)
    newest = max(model.seen, key=len)
    pd.testing.assert_frame_equal(newest[list(netflix)], used, check_dtype=False)
    assert len(stored(postgres, "arrivals", "version, date")) == START + 3
    lake.commit(INSTANTS[2], netflix[START + 1 : START + 2].assign(version=99_999))
    follower.look()
    assert as_of_days(postgres) == days(netflix[START - 1 : START + 3])


def test_arrivals_name_each_version_once_with_the_commit_that_wrote_it(
    following: Callable[[], Follower], postgres: Settings, lake: HudiTable, netflix: pd.DataFrame
) -> None:
    follower = following()
    lake.commit(INSTANTS[0], netflix[:START])
    follower.look()
    corrected = netflix[10:11].assign(close_price=99.0, version=99_999)
    lake.commit(INSTANTS[1], pd.concat([corrected, netflix[START : START + 1]]))
    follower.look()
    following().look()  # a follower that starts again notes nothing twice
    rows = stored(postgres, "arrivals", "version, date, commit_time")
    expected = netflix[: START + 1]["version"].tolist()
    assert sorted(row[0] for row in rows) == sorted([*expected, 99_999])  # type: ignore[type-var]
    assert {row[0] for row in rows if row[2] == INSTANTS[1]} == {99_999, netflix["version"][START]}
    assert stored(postgres, "forecasts", "1, 1") == []


def test_of_a_commit_only_the_rows_of_a_new_version_are_noted(
    following: Callable[[], Follower],
    lake: HudiTable,
    netflix: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noted: list[list[int]] = []
    monkeypatch.setattr(
        "nearcast.forecast.follow.store_arrivals", lambda link, rows: noted.append(rows["version"].tolist())
    )
    follower = following()
    corrected = netflix[10:11].assign(close_price=99.0, version=99_999)
    commits = [netflix[:START], pd.concat([corrected, netflix[START : START + 1]]), netflix[20:25]]
    for instant, bars in zip(INSTANTS, commits, strict=False):
        lake.commit(instant, bars)
        follower.look()
    assert noted == [netflix["version"][:START].tolist(), [99_999, netflix["version"][START]], []]


def test_a_follower_that_starts_again_stores_nothing_twice(
    following: Callable[[], Follower], postgres: Settings, lake: HudiTable, netflix: pd.DataFrame
) -> None:
    lake.commit(INSTANTS[0], netflix[:START])
    kept = []
    for _ in range(2):
        follower = following()
        follower.champion = RecordingModel().champion
        follower.look()
        kept.append(stored(postgres, "forecasts", "*"))
    assert kept[0] == kept[1] != []


def test_a_champion_that_comes_later_begins_with_the_newest_day(
    following: Callable[[], Follower], postgres: Settings, lake: HudiTable, netflix: pd.DataFrame
) -> None:
    follower = following()
    lake.commit(INSTANTS[0], netflix[:START])
    follower.look()
    lake.commit(INSTANTS[1], netflix[START : START + 5])
    follower.look()
    assert as_of_days(postgres) == []
    follower.champion = RecordingModel().champion
    follower.look()
    assert as_of_days(postgres) == days(netflix[START + 4 : START + 5])


def test_a_correction_of_history_makes_no_forecast_and_changes_none(
    following: Callable[[], Follower], postgres: Settings, lake: HudiTable, netflix: pd.DataFrame
) -> None:
    follower = following()
    follower.champion = RecordingModel().champion
    lake.commit(INSTANTS[0], netflix[:START])
    follower.look()
    before = stored(postgres, "forecasts", "*")
    lake.commit(INSTANTS[1], netflix[START - 20 : START].assign(close_price=50.0, version=100_000))
    follower.look()
    assert stored(postgres, "forecasts", "*") == before


def test_days_that_come_out_of_order_are_all_forecast(
    following: Callable[[], Follower], postgres: Settings, lake: HudiTable, netflix: pd.DataFrame
) -> None:
    follower = following()
    follower.champion = RecordingModel().champion
    lake.commit(INSTANTS[0], netflix[:START])
    follower.look()
    lake.commit(INSTANTS[1], netflix[START + 1 : START + 2])
    follower.look()
    lake.commit(INSTANTS[2], netflix[START : START + 1])
    follower.look()
    assert as_of_days(postgres) == days(netflix[START - 1 : START + 2])


def test_what_failed_is_made_up_for_at_the_next_look(
    following: Callable[[], Follower],
    postgres: Settings,
    lake: HudiTable,
    netflix: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    follower = following()
    follower.champion = RecordingModel().champion
    lake.commit(INSTANTS[0], netflix[:START])
    follower.look()
    lake.commit(INSTANTS[1], netflix[START : START + 3])
    for module in ("store_arrivals", "store_forecasts"):
        with monkeypatch.context() as broken:
            broken.setattr(f"nearcast.forecast.follow.{module}", _refuse)
            with pytest.raises(psycopg.OperationalError):
                follower.look()
        follower._disconnect()
    follower.look()
    assert as_of_days(postgres) == days(netflix[START - 1 : START + 3])
    assert len(stored(postgres, "arrivals", "version, date")) == START + 3


def _refuse(*arguments: object) -> None:
    raise psycopg.OperationalError("the server went away")


def test_a_burst_is_forecast_from_its_newest_day_on_and_not_without_end(
    following: Callable[[], Follower],
    postgres: Settings,
    lake: HudiTable,
    netflix: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nearcast.forecast.follow.LARGEST_BURST", 4)
    model, follower = RecordingModel(), following()
    follower.champion = model.champion
    lake.commit(INSTANTS[0], netflix[:START])
    follower.look()
    lake.commit(INSTANTS[1], netflix[START:LIVE])
    follower.look()
    assert as_of_days(postgres)[1:] == days(netflix[LIVE - 4 : LIVE])
    assert [len(bars) for bars in model.seen[1:]] == [LIVE, LIVE - 1, LIVE - 2, LIVE - 3]


def test_a_symbol_with_too_few_bars_holds_up_no_other(
    following: Callable[[], Follower], postgres: Settings, lake: HudiTable, all_bars: pd.DataFrame
) -> None:
    from nearcast.errors import ForecastError

    model, follower = RecordingModel(), following()

    def strict(bars: pd.DataFrame) -> npt.NDArray[np.float64]:
        if len(bars) < 60:
            raise ForecastError("too few")
        return model.predict(bars)

    follower.champion = Champion("nearcast-quantile/1", strict)
    aapl, nflx = (all_bars[all_bars["stock_symbol"] == name] for name in ("AAPL", "NFLX"))
    lake.commit(INSTANTS[0], pd.concat([aapl[:10], nflx[:100]]))
    follower.look()
    assert stored(postgres, "forecasts", "DISTINCT stock_symbol, 1") == [("NFLX", 1)]


def test_a_failing_look_is_logged_and_tried_again(
    following: Callable[[], Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = following()
    looks: list[int] = []

    def look() -> bool:
        looks.append(len(looks))
        if len(looks) == 3:
            raise KeyboardInterrupt
        raise ConnectionError("the gateway is away")

    monkeypatch.setattr(follower, "look", look)
    monkeypatch.setattr(follower, "look_for_champion", lambda: None)
    monkeypatch.setattr("nearcast.forecast.follow.RETRY_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        follower.run()
    assert len(looks) == 3


def test_a_registry_that_is_away_leaves_the_champion_at_hand(
    following: Callable[[], Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    follower, first, second = following(), RecordingModel().champion, RecordingModel("m/2").champion
    answers = iter([first, None, second])

    def load_champion(settings: Settings) -> Champion:
        answer = next(answers)
        if answer is None:
            raise ConnectionError("the registry is away")
        return answer

    monkeypatch.setattr("nearcast.forecast.registry.load_champion", load_champion)
    held = []
    for _ in range(3):
        follower.look_for_champion()
        held.append(follower.champion)
    assert held == [first, first, second]


def test_the_service_waits_without_a_lake_and_ends_at_once_on_sigterm(home: Settings) -> None:
    environment = os.environ | {
        "NEARCAST_HOME": str(home.home),
        "NEARCAST_HUDI_BUCKET": "nowhere",
        "NEARCAST_AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "NEARCAST_MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
    }
    code = (
        "import sys; sys.argv = ['nearcast', 'forecast', '--follow']; from nearcast.cli import main; main()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as service:
        assert service.stderr is not None
        try:
            assert '"event": "following"' in service.stderr.readline()
            began = time.monotonic()
            service.terminate()
            assert service.wait(timeout=10) == 0
            assert time.monotonic() - began < 1
        finally:
            service.kill()


def test_a_day_that_a_killed_follower_left_out_is_made_up_by_the_next(
    following: Callable[[], Follower], postgres: Settings, lake: HudiTable, netflix: pd.DataFrame
) -> None:
    model, first = RecordingModel(), following()
    first.champion = model.champion
    lake.commit(INSTANTS[0], netflix[:START])
    first.look()
    lake.commit(INSTANTS[1], netflix[START:LIVE])
    second = following()
    second.champion = model.champion
    second.look()
    assert as_of_days(postgres) == days(netflix[START - 1 : LIVE])


def test_each_stored_forecast_is_put_on_s3_once_and_the_missing_ones_at_the_start(
    following: Callable[[], Follower], exported: list[object], lake: HudiTable, netflix: pd.DataFrame
) -> None:
    follower = following()
    follower.champion = RecordingModel().champion
    lake.commit(INSTANTS[0], netflix[:START])
    follower.look()
    follower.look()
    assert exported == ["all", *days(netflix[START - 1 : START])]
