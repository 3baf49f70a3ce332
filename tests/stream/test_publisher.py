"""The publisher: every row reaches DynamoDB bit by bit, once confirmed never again, in order and on time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from nearcast import aws
from nearcast.cli import cli
from nearcast.errors import NearcastError, SourceError
from nearcast.schema import BAR
from nearcast.settings import Settings
from nearcast.source.load import load_csv
from nearcast.stream import publisher
from nearcast.stream.cursor import LOCK_KEY, Bounds, Cursor
from nearcast.stream.dynamodb import to_item
from nearcast.stream.publisher import PublishReport, count_pending, publish
from tests.conftest import PostgresCluster
from tests.stream.conftest import PRICES, TABLE, FakeDynamo


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.need("postgres_dsn")) as link:
        return link.execute(query.encode()).fetchall()


def items(settings: Settings) -> list[dict[str, Any]]:
    pages = aws.client("dynamodb", settings).get_paginator("scan").paginate(TableName=TABLE)
    return [item for page in pages for item in page["Items"]]


def from_item(item: dict[str, dict[str, str]]) -> tuple[Any, ...]:
    read: dict[str, Callable[[str], Any]] = {
        "text": str,
        "date": date.fromisoformat,
        "double precision": float,
        "bigint": int,
    }
    return tuple(read[column.postgres](next(iter(item[column.name].values()))) for column in BAR)


def test_every_bundled_row_arrives_in_dynamodb_bit_by_bit_and_a_second_run_pushes_nothing(
    settings: Settings,
) -> None:
    load_csv(settings, PRICES)
    report = publish(settings)
    assert report.published == 16_194
    found = items(settings)
    assert all(set(item) == {column.name for column in BAR} for item in found)
    names = ", ".join(column.name for column in BAR)
    assert {from_item(item) for item in found} == set(rows(settings, f"SELECT {names} FROM nearcast.prices"))
    assert len(found) == 16_194
    assert publish(settings).published == 0


@given(
    st.floats(min_value=1e-130, max_value=9.9e125),
    st.integers(min_value=0, max_value=2**63 - 1),
    st.dates(),
)
def test_an_item_holds_any_row_bit_by_bit(price: float, volume: int, day: date) -> None:
    row = ("NFLX", day, price, price, price, price, volume, 7)
    item = to_item(row)
    assert from_item(item) == row
    assert item["date"] == {"S": day.isoformat()}


def test_a_column_that_the_table_was_given_since_leaves_with_the_rows_that_have_it(
    loaded: Settings, fake: FakeDynamo, postgres_cluster: PostgresCluster
) -> None:
    publish(loaded)
    columns = {"note": "text", "factor": "numeric", "checked": "boolean", "parts": "jsonb", "gone": "text"}
    change = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    with psycopg.connect(postgres_cluster.superuser_dsn) as link:
        link.execute(f"ALTER TABLE nearcast.prices ADD {change.replace(', ', ', ADD ')}".encode())
    try:
        with psycopg.connect(loaded.need("postgres_dsn")) as link:
            link.execute(
                "UPDATE nearcast.prices SET note = 'ü', factor = 0.1, checked = false, parts = '[1]'"
                " WHERE date = '2013-01-04' AND stock_symbol = 'NFLX'"
            )
        assert publish(loaded).published == 1
        item = fake.items["2013-01-04", "NFLX"]
        new = {name: value for name, value in item.items() if name in columns}
        expected = {
            "note": {"S": "ü"},
            "factor": {"N": "0.1"},
            "checked": {"BOOL": False},
            "parts": {"S": "[1]"},
        }
        assert new == expected and item.keys() - new == {column.name for column in BAR}
    finally:
        with psycopg.connect(postgres_cluster.superuser_dsn) as link:
            drop = ", ".join(f"DROP {name}" for name in columns)
            link.execute(f"ALTER TABLE nearcast.prices {drop}".encode())


def test_rows_leave_in_the_order_of_date_and_symbol(loaded: Settings, fake: FakeDynamo) -> None:
    expected = rows(loaded, "SELECT date::text, stock_symbol FROM nearcast.prices ORDER BY 1, 2")
    assert publish(loaded, rate=1e9).published == 300
    assert fake.taken == expected


def test_symbols_days_and_a_limit_bound_what_is_published(loaded: Settings, fake: FakeDynamo) -> None:
    bounds: dict[str, Any] = {"symbols": ["NFLX"], "since": date(2013, 1, 3), "until": date(2013, 1, 8)}
    assert count_pending(loaded, **bounds) == 4
    assert publish(loaded, **bounds, limit=3).published == 3
    assert publish(loaded, **bounds).published == 1
    assert fake.taken == [(f"2013-01-0{day}", "NFLX") for day in (3, 4, 7, 8)]
    assert count_pending(loaded) == 296


def test_a_changed_row_alone_is_published_again_and_keeps_its_first_time(
    loaded: Settings, fake: FakeDynamo
) -> None:
    publish(loaded)
    before = rows(loaded, "SELECT * FROM nearcast.publications ORDER BY 1, 2")
    with psycopg.connect(loaded.need("postgres_dsn")) as link:
        link.execute("UPDATE nearcast.prices SET volume = volume + 1 WHERE date = '2013-01-04'")
    assert publish(loaded).published == 3
    assert set(fake.taken[300:]) == {("2013-01-04", symbol) for symbol in ("META", "NFLX", "NVDA")}
    after = rows(loaded, "SELECT * FROM nearcast.publications ORDER BY 1, 2")
    for old, new in zip(before, after, strict=True):
        assert old[3] == new[3]
        assert (new[2] > old[2] and new[4] > old[4]) if str(old[1]) == "2013-01-04" else new == old


def test_a_changed_row_that_did_not_leave_is_pending_although_its_older_version_was_confirmed(
    loaded: Settings, fake: FakeDynamo
) -> None:
    publish(loaded)
    with psycopg.connect(loaded.need("postgres_dsn")) as link:
        link.execute("UPDATE nearcast.prices SET volume = volume + 1 WHERE date = '2013-01-04'")
    fake.fail_at = len(fake.calls)
    with pytest.raises(NearcastError, match="DynamoDB refused"):
        publish(loaded)
    assert count_pending(loaded) == 3


def test_unprocessed_items_are_sent_again_until_all_are_taken(loaded: Settings, fake: FakeDynamo) -> None:
    fake.leave = 20
    assert publish(loaded).published == 300
    assert len(fake.taken) == len(set(fake.taken)) == 300
    assert fake.calls.count(25) == 12
    assert max(fake.calls) == 25
    assert count_pending(loaded) == 0


def test_items_that_are_never_processed_end_in_an_error_and_stay_pending(
    loaded: Settings, fake: FakeDynamo
) -> None:
    fake.leave = 25
    with pytest.raises(NearcastError, match="left 25 rows of a batch unprocessed") as raised:
        publish(loaded)
    assert "still pending" in raised.value.kept
    assert count_pending(loaded) == 300


def test_after_a_failure_the_next_run_pushes_just_what_did_not_arrive_with_its_first_time(
    loaded: Settings, fake: FakeDynamo
) -> None:
    fake.fail_at = 5
    with pytest.raises(NearcastError, match="DynamoDB refused"):
        publish(loaded)
    assert count_pending(loaded) == 25
    before = rows(loaded, "SELECT stock_symbol, date, published_at FROM nearcast.publications ORDER BY 1, 2")
    assert publish(loaded).published == 25
    assert len(fake.taken) == len(set(fake.taken)) == 300
    after = rows(loaded, "SELECT stock_symbol, date, published_at FROM nearcast.publications ORDER BY 1, 2")
    assert after == before


def test_an_interrupt_leaves_an_exact_cursor(loaded: Settings, fake: FakeDynamo) -> None:
    def interrupt(_rows: float) -> None:
        if len(fake.taken) >= 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(loaded, rate=100_000, on_progress=interrupt)
    assert count_pending(loaded) == 300 - len(fake.taken)
    publish(loaded)
    assert len(fake.taken) == len(set(fake.taken)) == 300


def test_a_row_is_written_down_as_published_before_it_leaves(
    loaded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, ...]] = []

    class Looking(FakeDynamo):
        def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
            (requests,) = RequestItems.values()
            item = requests[0]["PutRequest"]["Item"]
            key = f"stock_symbol = '{item['stock_symbol']['S']}' AND date = '{item['date']['S']}'"
            seen.extend(
                rows(
                    loaded,
                    f"SELECT version, published_at, confirmed_at FROM nearcast.publications WHERE {key}",
                )
            )
            assert seen[-1][0] == int(item["version"]["N"])
            assert seen[-1][1] <= datetime.now(UTC)
            return super().batch_write_item(RequestItems)

    monkeypatch.setattr(aws, "client", lambda _service, _settings, **_options: Looking())
    assert publish(loaded, limit=3, rate=1000).published == 3
    assert seen
    assert all(confirmed is None for _version, _published, confirmed in seen)


def test_at_a_rate_each_row_has_its_own_tick_and_late_ticks_are_caught_up(
    loaded: Settings, fake: FakeDynamo
) -> None:
    def stall_once(_rows: float) -> None:
        if len(fake.taken) == 5:
            time.sleep(0.6)

    started = time.monotonic()
    assert publish(loaded, rate=20, limit=30, on_progress=stall_once).published == 30
    took = time.monotonic() - started
    assert 1.45 <= took < 1.95, "29 ticks of 50 ms, the stall caught up"
    pushed = [
        row[0].timestamp()
        for row in rows(
            loaded, "SELECT published_at FROM nearcast.publications ORDER BY 1, date, stock_symbol"
        )
    ]
    late = [at - pushed[0] - number / 20 for number, at in enumerate(pushed)]
    assert min(late) > -0.1
    assert max(late[20:]) < 0.4
    assert max(fake.calls) > 1, "what fell due in the stall left together"


def test_two_publishers_at_once_push_each_row_once(
    loaded: Settings, fake: FakeDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nearcast.stream.publisher.CHUNK", 7)
    with ThreadPoolExecutor(3) as pool:
        fast = [pool.submit(publish, loaded) for _ in range(2)]
        paced = pool.submit(publish, loaded, rate=200, limit=20)
        reports = [future.result() for future in (*fast, paced)]
    assert sum(report.published for report in reports) == 300
    assert len(fake.taken) == len(set(fake.taken)) == 300
    assert count_pending(loaded) == 0


def test_a_step_ends_early_when_another_publisher_waits(
    loaded: Settings, fake: FakeDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many rows as were on their way when the other one came to wait, and no more."""
    monkeypatch.setattr("nearcast.stream.publisher.CHUNK", 10)
    taken: list[int] = []
    with psycopg.connect(loaded.need("postgres_dsn")) as other, ThreadPoolExecutor(1) as pool:

        def wait() -> None:
            other.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
            taken.append(len(fake.taken))
            other.execute("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))

        waits = None
        original = Cursor.is_awaited

        def is_awaited(cursor: Cursor) -> bool:
            nonlocal waits
            if waits is None and len(fake.taken) >= 40:
                waits = pool.submit(wait)
                while not original(cursor):
                    time.sleep(0.01)
            return original(cursor)

        monkeypatch.setattr(Cursor, "is_awaited", is_awaited)
        assert publish(loaded).published == 300
    assert 40 <= taken[0] <= 80


def test_a_step_of_another_publisher_that_does_not_end_is_a_clear_error(
    loaded: Settings, fake: FakeDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nearcast.stream.cursor.LOCK_TIMEOUT_S", 0.2)
    with psycopg.connect(loaded.need("postgres_dsn")) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        for rate in (None, 100.0):
            with pytest.raises(NearcastError, match="Another publisher has been") as raised:
                publish(loaded, rate=rate)
            assert "pending" in raised.value.kept and "Stop the other" in raised.value.todo
    assert fake.taken == []
    assert publish(loaded).published == 300


def test_a_lost_database_connection_is_a_clear_error_and_loses_no_row(
    loaded: Settings, fake: FakeDynamo, postgres_cluster: PostgresCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_rows: float) -> None:
        with psycopg.connect(postgres_cluster.superuser_dsn) as link:
            link.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'nearcast_writer'"
            )

    monkeypatch.setattr("nearcast.stream.publisher.STEP", 100)
    with pytest.raises(SourceError, match="PostgreSQL failed"):
        publish(loaded, on_progress=cut)
    assert count_pending(loaded) == 200
    publish(loaded)
    assert len(set(fake.taken)) == 300
    assert count_pending(loaded) == 0


def test_taking_a_row_reads_few_pages_however_many_are_confirmed(loaded: Settings, fake: FakeDynamo) -> None:
    publish(loaded)
    cursor = Cursor(loaded.need("postgres_dsn"), Bounds())
    try:
        for count in (10_000, 100_000):
            cursor.link.execute(
                "INSERT INTO nearcast.prices SELECT 'S' || s, date '1990-01-01' + d, 1, 1, 1, 1, 1"
                " FROM generate_series(1, %s) d, generate_series(1, 20) s ON CONFLICT DO NOTHING",
                (count // 20,),
            )
            while changes := cursor.take(5000):
                cursor.confirm(changes)
        cursor.link.execute("UPDATE nearcast.prices SET volume = 2 WHERE stock_symbol = 'S7' AND volume = 1")
        cursor.link.execute("VACUUM (ANALYZE, INDEX_CLEANUP ON) nearcast.outbox")
        parameters = {**cursor.bounds, "limit": 1, "interval": 1.0, "first_due": None}
        parameters |= {"after_symbol": "", "after_date": "-infinity"}
        take = (Path(publisher.__file__).parent / "take_pending.sql").read_bytes()
        plan = cursor.link.execute(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + take, parameters).fetchall()
        ((top,),) = plan[0]
        assert top["Plan"]["Shared Hit Blocks"] + top["Plan"]["Shared Read Blocks"] < 60
    finally:
        cursor.close()


def test_sigterm_ends_a_paced_run_after_its_step(loaded: Settings, settings: Settings) -> None:
    environment = {
        **os.environ,
        "NEARCAST_POSTGRES_DSN": settings.need("postgres_dsn"),
        "NEARCAST_PRICES_TABLE": TABLE,
        "NEARCAST_AWS_ENDPOINT_URL": settings.need("aws_endpoint_url"),
        "NEARCAST_AWS_ACCESS_KEY_ID": "test",
        "NEARCAST_AWS_SECRET_ACCESS_KEY": "test",
    }
    command = [sys.executable, "-c", "from nearcast.cli import main; main()", "publish", "--rate", "5"]
    with subprocess.Popen([*command, "--json"], env=environment, stdout=subprocess.PIPE) as run:
        while not items(settings):
            time.sleep(0.05)
        run.terminate()
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 0
    assert json.loads(said)["published"] == len(items(settings)) == 300 - count_pending(loaded)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [([], 0), (["--rate", "max"], 0), (["--rate", "0"], 2), (["--rate", "nan"], 2), (["--until", "soon"], 2)],
)
def test_the_command_reports_in_json(
    loaded: Settings,
    fake: FakeDynamo,
    monkeypatch: pytest.MonkeyPatch,
    arguments: Sequence[str],
    code: int,
) -> None:
    monkeypatch.setenv("NEARCAST_POSTGRES_DSN", loaded.need("postgres_dsn"))
    monkeypatch.setenv("NEARCAST_PRICES_TABLE", TABLE)
    done = CliRunner().invoke(
        cli, ["publish", "--symbol", "nflx", "--until", "2013-01-04", *arguments, "--json"]
    )
    assert done.exit_code == code
    if code == 0:
        document = PublishReport(**json.loads(done.stdout))
        assert document.published == 3
        assert fake.taken == [(f"2013-01-0{day}", "NFLX") for day in (2, 3, 4)]
