"""Deletions reach DynamoDB with their own version, whatever is interrupted; the changes add up to the source."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import psycopg
import pytest

from nearcast import aws
from nearcast.settings import Settings
from nearcast.stream.cursor import Cursor
from nearcast.stream.publisher import count_pending, publish
from tests.stream.conftest import FakeDynamo, Killed

Key = tuple[str, str]


def source(settings: Settings) -> dict[Key, int]:
    """Return the versions of the living rows by (date, symbol)."""
    with psycopg.connect(settings.need("postgres_dsn")) as link:
        found = link.execute("SELECT date::text, stock_symbol, version FROM nearcast.prices").fetchall()
    return {(day, symbol): version for day, symbol, version in found}


def execute(settings: Settings, *statements: str) -> None:
    with psycopg.connect(settings.need("postgres_dsn")) as link:
        for statement in statements:
            link.execute(statement.encode())


class Lake(FakeDynamo):
    """A DynamoDB whose change records, in any order and repeated, end in a lake."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[Key, int, bool]] = []

    def _apply(self, request: dict[str, Any]) -> None:
        before = len(self.removed)
        super()._apply(request)
        if len(self.removed) > before:
            self.events.append((*self.removed[-1], True))
        elif "PutRequest" in request and "deleted" not in request["PutRequest"]["Item"]:
            item = request["PutRequest"]["Item"]
            self.events.append((self.taken[-1], int(item["version"]["N"]), False))

    def rows(self, seed: int) -> dict[Key, int]:
        """Return what is left: of a key the largest version stays, a deletion before a row of its version."""
        held: dict[Key, tuple[int, bool]] = {}
        events = self.events * 2
        random.Random(seed).shuffle(events)
        for key, version, deleted in events:
            held[key] = max(held.get(key, (0, False)), (version, deleted))
        return {key: version for key, (version, deleted) in held.items() if not deleted}


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Lake:
    made = Lake()
    monkeypatch.setattr(aws, "client", lambda _service, _settings, **_options: made)
    monkeypatch.setattr("random.uniform", lambda _low, _high: 0.0)
    return made


def agrees(settings: Settings, lake: Lake) -> bool:
    table = {key: int(item["version"]["N"]) for key, item in lake.items.items()}
    return table == source(settings) and all(lake.rows(seed) == table for seed in range(3))


def test_a_deletion_leaves_as_a_mark_and_a_delete_with_its_own_version(loaded: Settings, lake: Lake) -> None:
    publish(loaded)
    execute(loaded, "DELETE FROM nearcast.prices WHERE stock_symbol = 'NFLX' AND date = '2013-01-04'")
    with psycopg.connect(loaded.need("postgres_dsn")) as link:
        recorded = link.execute("SELECT version FROM nearcast.deletions").fetchall()
        newest = link.execute("SELECT max(version) FROM nearcast.prices").fetchone()
    assert newest is not None and recorded[0][0] > newest[0]
    assert publish(loaded).published == 1
    assert lake.removed == [(("2013-01-04", "NFLX"), recorded[0][0])]
    assert agrees(loaded, lake)
    assert publish(loaded).published == 0


def test_a_row_that_was_never_published_and_is_deleted_ends_nowhere(loaded: Settings, lake: Lake) -> None:
    execute(loaded, "DELETE FROM nearcast.prices WHERE date <= '2013-01-31'")
    publish(loaded)
    assert agrees(loaded, lake)
    assert lake.removed and not any(day <= "2013-01-31" for day, _ in lake.items)


def test_a_row_that_comes_back_is_newer_than_its_deletion(loaded: Settings, lake: Lake) -> None:
    publish(loaded)
    again = (
        "CREATE TEMP TABLE kept AS SELECT * FROM nearcast.prices WHERE date <= '2013-01-15'",
        "DELETE FROM nearcast.prices WHERE date <= '2013-01-15'",
        "INSERT INTO nearcast.prices SELECT * FROM kept WHERE date <= '2013-01-10'",
    )
    execute(loaded, *again[:2])
    publish(loaded)
    execute(
        loaded,
        again[0],
        "INSERT INTO nearcast.prices (stock_symbol, date, open_price, high_price, low_price,"
        " close_price, volume) VALUES ('NFLX', '2013-01-04', 1, 1, 1, 1, 1)",
    )
    publish(loaded)
    assert agrees(loaded, lake) and ("2013-01-04", "NFLX") in lake.items
    with psycopg.connect(loaded.need("postgres_dsn")) as link:
        left = link.execute("SELECT count(*) FROM nearcast.deletions WHERE date = '2013-01-04'").fetchone()
    assert left == (2,), "the two other symbols'"


def test_an_insert_that_waited_for_a_deletion_is_newer_than_it(loaded: Settings, lake: Lake) -> None:
    insert = (
        "INSERT INTO nearcast.prices (stock_symbol, date, open_price, high_price, low_price, close_price, volume)"
        " VALUES ('NFLX', '2013-01-04', 1, 1, 1, 1, 1)"
    )
    # As if the insert had drawn its version a moment before the deletion drew its own.
    late = "UPDATE nearcast.deletions SET version = nextval('nearcast.price_version') + 2 RETURNING version"
    with psycopg.connect(loaded.need("postgres_dsn")) as link:
        link.execute("DELETE FROM nearcast.prices WHERE stock_symbol = 'NFLX' AND date = '2013-01-04'")
        deleted = link.execute(late.encode()).fetchone()
        link.execute(insert.encode())
        assert link.execute("SELECT FROM nearcast.deletions").fetchone() is None
    assert deleted is not None and source(loaded)["2013-01-04", "NFLX"] > deleted[0]
    publish(loaded)
    assert agrees(loaded, lake)


def test_a_changed_key_is_a_deletion_and_a_row(loaded: Settings, lake: Lake) -> None:
    publish(loaded)
    execute(
        loaded,
        "UPDATE nearcast.prices SET date = '2000-01-01' WHERE stock_symbol = 'META' AND date = '2013-01-02'",
    )
    assert publish(loaded).published == 2
    assert agrees(loaded, lake)


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("call", range(6))
def test_a_kill_between_mark_delete_and_confirmation_is_finished_by_the_next_run(
    loaded: Settings, lake: Lake, call: int, applied: bool
) -> None:
    publish(loaded, limit=200)
    execute(loaded, "DELETE FROM nearcast.prices WHERE date <= '2013-01-15' OR date > '2013-05-10'")
    lake.fail_at, lake.failure, lake.applies_before_failing = len(lake.calls) + call, Killed(), applied
    with pytest.raises(Killed):
        publish(loaded)
    lake.fail_at = -1
    publish(loaded)
    assert count_pending(loaded) == 0
    assert agrees(loaded, lake)


def test_a_kill_before_the_confirmation_repeats_what_left(
    loaded: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(loaded)
    execute(loaded, "DELETE FROM nearcast.prices WHERE date <= '2013-01-04'")
    with monkeypatch.context() as patch:
        patch.setattr(Cursor, "confirm", lambda _cursor, _changes: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            publish(loaded)
    assert count_pending(loaded) == 9
    assert publish(loaded).published == 9
    assert agrees(loaded, lake)


def test_deletions_leave_in_the_order_of_their_dates_between_the_rows(loaded: Settings, lake: Lake) -> None:
    execute(loaded, "DELETE FROM nearcast.prices WHERE date = '2013-01-04'")
    publish(loaded, until=date(2013, 1, 4), rate=1e9)
    assert lake.taken == [(f"2013-01-0{day}", name) for day in (2, 3, 4) for name in ("META", "NFLX", "NVDA")]
