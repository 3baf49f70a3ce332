"""The demonstration's report counts forecasts of a next session, however many horizons are stored."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nearcast.demo.report import forecasts, freshness
from nearcast.demo.steps import count, find_live
from nearcast.settings import Settings
from tests.dashboard.conftest import DAYS, World

LIVE, SINCE = 20, datetime(2024, 1, 1, tzinfo=UTC)
FIRST = DAYS - LIVE


@pytest.fixture
def replayed(world: World) -> World:
    """A replay at a day every 10 s. Ten horizons are stored 3 s after each push, the next session's later.

    Every third next session is forecast 5 s after the push of the day before it, before its own push; the others
    after 12 s, when it has been pushed. The last two days have no forecast of a next session at all.
    """
    days = world.days()
    with world.connection.transaction():
        for index, day in enumerate(days):
            world.publish("NFLX", day, at=10.0 * index)
            world.arrive("NFLX", day, at=10.0 * index + 1)
            for horizon in range(2, 11):
                if index + horizon < DAYS:
                    world.forecast("NFLX", day, days[index + horizon], horizon=horizon, at=10.0 * index + 3)
            if index < DAYS - 3:
                world.forecast("NFLX", day, days[index + 1], at=10.0 * index + (5 if index % 3 == 0 else 12))
    return world


def test_forecasts_and_freshness_are_those_of_the_next_session(
    replayed: World, empty_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = find_live(empty_database, ["NFLX"], LIVE)
    assert live.date == replayed.days()[FIRST]
    as_of = range(FIRST - 1, DAYS - 3)
    assert forecasts(empty_database, live) == {
        "live_rows": LIVE,
        "made": len(as_of),
        "before_publication": sum(index % 3 == 0 for index in as_of),
    }
    assert count(empty_database, "not_forecast", live) == 3
    # the time of a raw object comes from the bucket, not from a statement
    monkeypatch.setattr("nearcast.demo.report.raw_seconds", lambda *_: [])
    found = freshness(empty_database, live, SINCE)
    assert found["lake"] == {"p50": 1.0, "p95": 1.0, "max": 1.0}
    assert found["forecast"] == {"p50": 12.0, "p95": 12.0, "max": 12.0}
    fresh = [5 if index % 3 == 0 else 12 for index in range(FIRST, DAYS - 3)]
    assert sorted(fresh)[len(fresh) // 2] == 12 and 5 in fresh
