"""Pacing: every tick is on the grid, over runs and outages; late ones are made up; waiting is not made up."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from pydantic import SecretStr

from nearcast.errors import NearcastError
from nearcast.local import postgres as local_postgres
from nearcast.settings import Settings
from nearcast.source.load import load_csv
from nearcast.stream.pace import PaceReport, publish_paced
from nearcast.stream.publisher import count_pending, publish
from tests.conftest import PostgresCluster, free_port
from tests.stream.conftest import PRICES, TABLE, FakeDynamo

TINY = 1e-5
"""Seconds; stored ticks are whole microseconds."""


def ticks(settings: Settings) -> list[float]:
    """Return every due_at in its order, seconds since 1970."""
    with psycopg.connect(settings.need("postgres_dsn")) as link:
        found = link.execute(
            "SELECT extract(epoch FROM due_at)::double precision FROM nearcast.publications"
            " WHERE due_at IS NOT NULL ORDER BY date, stock_symbol"
        ).fetchall()
    return [row[0] for row in found]


def gaps(settings: Settings) -> list[float]:
    due = ticks(settings)
    return [later - earlier for earlier, later in pairwise(due)]


def test_ticks_go_on_over_runs_and_those_missed_between_are_made_up(
    loaded: Settings, fake: FakeDynamo
) -> None:
    first = publish_paced(loaded, rate=20, limit=5)
    time.sleep(0.4)
    second = publish_paced(loaded, rate=20, limit=12)
    assert (first.published, first.caught_up, second.published) == (5, 0, 12)
    assert gaps(loaded) == pytest.approx([0.05] * 16, abs=TINY)
    assert second.caught_up >= 7
    assert max(fake.calls) >= 7, "what fell due in the pause left together"


def test_after_a_long_pause_the_next_row_is_due_at_once(
    loaded: Settings, fake: FakeDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nearcast.stream.pace.CATCH_UP_S", 0.3)
    monkeypatch.setattr("nearcast.stream.cursor.CATCH_UP_S", 0.3)
    publish_paced(loaded, rate=50, limit=5)
    time.sleep(0.5)
    report = publish_paced(loaded, rate=50, limit=5)
    found = gaps(loaded)
    assert found[4] > 0.4 and report.caught_up == 0
    assert found[:4] + found[5:] == pytest.approx([0.02] * 8, abs=TINY)


def test_a_run_waits_for_rows_and_makes_up_no_tick_at_which_nothing_was_pending(
    loaded: Settings, fake: FakeDynamo
) -> None:
    publish(loaded, limit=290)
    done = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(publish_paced, loaded, rate=100, stop=done.is_set)
        while count_pending(loaded):
            time.sleep(0.05)
        time.sleep(0.5)
        with psycopg.connect(loaded.need("postgres_dsn")) as link:
            link.execute("UPDATE nearcast.prices SET volume = volume + 1 WHERE date >= '2013-05-23'")
            waiting = link.execute("SELECT count(*) FROM nearcast.outbox").fetchone()
        while count_pending(loaded):
            time.sleep(0.05)
        done.set()
        report = run.result(timeout=30)
    assert waiting == (6,) and report.published == 16 and report.caught_up == 0
    with psycopg.connect(loaded.need("postgres_dsn")) as link:
        early = link.execute(
            "SELECT count(*) FROM nearcast.publications JOIN nearcast.prices USING (stock_symbol, date, version)"
            " WHERE due_at < loaded_at"
        ).fetchone()
    assert early == (0,), "no tick before its row was there"


def test_what_was_loaded_between_two_runs_is_due_when_it_was_loaded(
    loaded: Settings, fake: FakeDynamo
) -> None:
    with psycopg.connect(loaded.need("postgres_dsn")) as link:
        link.execute("DELETE FROM nearcast.prices WHERE date > '2013-01-03'")
    publish(loaded, rate=100)
    time.sleep(0.5)
    load_csv(loaded, PRICES, ["NFLX"])
    report = publish_paced(loaded, rate=100, limit=5)
    with psycopg.connect(loaded.need("postgres_dsn")) as link:
        early = link.execute(
            "SELECT count(*) FROM nearcast.publications JOIN nearcast.prices USING (stock_symbol, date, version)"
            " WHERE due_at < loaded_at - interval '1 millisecond' * 400"
        ).fetchone()
    assert report.published == 5 and early == (0,)


def test_a_restart_within_an_interval_waits_for_the_next_tick(loaded: Settings, fake: FakeDynamo) -> None:
    for _ in range(3):
        publish_paced(loaded, rate=4, limit=1)
    assert gaps(loaded) == pytest.approx([0.25] * 2, abs=TINY)


def test_no_row_leaves_before_its_tick_and_the_lateness_is_that_of_the_stored_times(
    loaded: Settings, fake: FakeDynamo
) -> None:
    report = publish_paced(loaded, rate=50, limit=40)
    with psycopg.connect(loaded.need("postgres_dsn")) as link:
        stored = link.execute(
            "WITH late AS (SELECT extract(epoch FROM first_published_at - due_at)::double precision AS s"
            " FROM nearcast.publications WHERE due_at IS NOT NULL)"
            " SELECT percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY s), min(s) FROM late"
        ).fetchone()
    assert stored is not None
    reported = [report.lateness_p50_s, report.lateness_p99_s, report.lateness_max_s]
    assert stored[0] == pytest.approx(reported, abs=TINY)
    assert stored[1] > -0.02
    assert report.caught_up == 0


def test_a_run_ends_after_its_seconds_or_when_told(loaded: Settings, fake: FakeDynamo) -> None:
    report = publish_paced(loaded, rate=20, seconds=0.5)
    assert 1 <= report.published <= 11 and report.seconds >= 0.5
    asked: list[int] = []

    def stop() -> bool:
        asked.append(len(fake.taken))
        return len(asked) > 3

    before = len(fake.taken)
    assert publish_paced(loaded, rate=1000, stop=stop).published == len(fake.taken) - before
    none = publish_paced(loaded, rate=20, limit=0)
    assert replace(none, seconds=0) == PaceReport(0, 0, None, None, None, 0)


class Away(FakeDynamo):
    """A DynamoDB whose calls from one on fail, so many times."""

    def __init__(self, first: int, times: float, error: Exception) -> None:
        super().__init__()
        self.first, self.times, self.error = first, times, error

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
        if len(self.calls) >= self.first and self.times > 0:
            self.times -= 1
            raise self.error
        return super().batch_write_item(RequestItems)


def refused(status: int) -> ClientError:
    return ClientError({"ResponseMetadata": {"HTTPStatusCode": status}}, "BatchWriteItem")


@pytest.mark.parametrize("error", [EndpointConnectionError(endpoint_url="http://127.0.0.1"), refused(503)])
def test_a_run_outlasts_a_dynamodb_that_is_away(
    loaded: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    away = Away(4, 2, error)
    monkeypatch.setattr("nearcast.aws.client", lambda _service, _settings, **_options: away)
    report = publish_paced(loaded, rate=20, limit=40)
    assert report.published == 40 and report.caught_up >= 8
    assert len(away.taken) == len(set(away.taken)) == 40
    assert gaps(loaded) == pytest.approx([0.05] * 39, abs=TINY)


@pytest.mark.parametrize(("error", "again"), [(refused(400), False), (refused(503), True)])
def test_a_refusal_and_a_long_outage_are_errors(
    loaded: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception, again: bool
) -> None:
    monkeypatch.setattr("nearcast.stream.pace.OUTAGE_S", 0.6)
    away = Away(2, 1000, error)
    monkeypatch.setattr("nearcast.aws.client", lambda _service, _settings, **_options: away)
    with pytest.raises(NearcastError, match="DynamoDB refused"):
        publish_paced(loaded, rate=100, limit=20)
    assert (away.times < 999) is again
    assert count_pending(loaded) == 300 - len(away.taken)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[tuple[Settings, Callable[[], None], Callable[[], None]]]:
    """A PostgreSQL of its own: its settings, what kills it, and what starts it again."""
    port, servers = free_port(), []
    local_postgres.initialise(tmp_path, "superuser")

    def start() -> None:
        command = [sys.executable, "-m", "nearcast.local.postgres", str(tmp_path), str(port)]
        servers.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        local_postgres.wait_ready(port)

    def kill() -> None:
        servers[-1].kill()
        servers[-1].wait()

    start()
    local_postgres.create_database(port, "superuser", "writer", "reader")
    dsn = local_postgres.dsn(local_postgres.WRITER, "writer", port)
    yield Settings(home=tmp_path, postgres_dsn=SecretStr(dsn), prices_table=TABLE), kill, start
    servers[-1].send_signal(signal.SIGINT)
    servers[-1].wait(timeout=30)


def test_a_run_outlasts_a_killed_postgresql_with_every_tick_on_the_grid(
    mortal: tuple[Settings, Callable[[], None], Callable[[], None]], fake: FakeDynamo
) -> None:
    settings, kill, start = mortal
    load_csv(settings, PRICES, ["NFLX"])
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(publish_paced, settings, rate=20, limit=80)
        while len(fake.taken) < 10:
            time.sleep(0.02)
        kill()
        time.sleep(1)
        start()
        report = run.result(timeout=60)
    assert report.published == 80 and report.caught_up >= 15
    assert len(set(fake.taken)) == 80 and len(fake.taken) <= 80 + 25, "at most one step is repeated"
    assert gaps(settings) == pytest.approx([0.05] * 79, abs=TINY)


def test_a_cut_connection_is_made_again(
    loaded: Settings, fake: FakeDynamo, postgres_cluster: PostgresCluster
) -> None:
    def cut(_rows: float) -> None:
        if len(fake.taken) in (5, 10):
            with psycopg.connect(postgres_cluster.superuser_dsn) as link:
                link.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'nearcast_writer'"
                )

    assert publish_paced(loaded, rate=20, limit=30, on_progress=cut).published == 30
    assert len(fake.taken) == 30
    assert gaps(loaded) == pytest.approx([0.05] * 29, abs=TINY)
