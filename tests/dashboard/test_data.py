"""What the dashboard reads: right, and never ahead of what was published."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearcast.dashboard.data import LAST, Database
from nearcast.errors import SourceError
from tests.conftest import PostgresCluster, free_port
from tests.dashboard.conftest import DAYS, World


def test_published_bars_are_those_of_the_file(world: World) -> None:
    days = world.days()[:50]
    for day in days:
        world.publish("NFLX", day)
    history = Database(world.reader_dsn).history("NFLX", 30)
    expected = world.prices[world.prices["symbol"] == "NFLX"].set_index("date").loc[days[-30:]]
    columns = ["open_price", "high_price", "low_price", "close_price", "volume"]
    shown = [[getattr(bar, column) for column in columns] for bar in history.bars]
    assert [bar.date for bar in history.bars] == days[-30:]
    assert shown == expected[["open", "high", "low", "close", "volume"]].values.tolist()


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    states=st.lists(st.sampled_from(["no", "unconfirmed", "old", "yes"]), min_size=DAYS, max_size=DAYS),
    forecasts=st.sets(st.integers(0, DAYS - 2), max_size=20),
)
def test_no_future_row_is_shown(
    world: World, postgres_cluster: PostgresCluster, states: list[str], forecasts: set[int]
) -> None:
    """Whatever was loaded, pushed or changed: what is shown was taken by DynamoDB in that very version."""
    days = world.days()
    _empty_hops(postgres_cluster)
    for day, state in zip(days, states, strict=True):
        if state != "no":
            world.publish("NFLX", day, confirmed=state != "unconfirmed", old=state == "old")
    for index in forecasts:
        world.forecast("NFLX", days[index], days[index + 1])
    history = Database(world.reader_dsn).history("NFLX", DAYS)
    known = [day for day, state in zip(days, states, strict=True) if state == "yes"]
    if any(state != "no" for state in states):
        assert [bar.date for bar in history.bars] == known
    assert all(forecast.as_of_date <= known[-1] for forecast in history.forecasts)
    assert all(
        forecast.last_close == world.close("NFLX", forecast.as_of_date) for forecast in history.forecasts
    )


def _empty_hops(cluster: PostgresCluster) -> None:
    import psycopg

    with psycopg.connect(cluster.superuser_dsn) as link:
        link.execute("TRUNCATE nearcast.publications, nearcast.forecasts")


def test_loaded_bars_are_shown_only_while_nothing_at_all_was_published(world: World) -> None:
    database = Database(world.reader_dsn)
    before = database.history("NFLX", DAYS)
    world.publish("META", world.days("META")[0])
    after = database.history("NFLX", DAYS)
    assert (len(before.bars), before.published) == (DAYS, False)
    assert (after.bars, after.published) == ([], False)


def test_a_day_shows_its_last_early_forecast_else_its_first_late_one(world: World) -> None:
    days = world.days()
    for index, day in enumerate(days[:5]):
        world.publish("NFLX", day, at=100.0 * index)
    world.forecast("NFLX", days[1], days[2], at=150, model="early")
    world.forecast("NFLX", days[1], days[2], at=160, model="last early")
    world.forecast("NFLX", days[1], days[2], at=250, model="late")
    world.forecast("NFLX", days[2], days[3], at=301, model="first late")
    world.forecast("NFLX", days[2], days[3], at=302, model="late")
    world.forecast("NFLX", days[4], days[5], at=401, model="coming")
    history = Database(world.reader_dsn).history("NFLX", DAYS)
    chosen = [(one.date, one.model_version, one.late) for one in history.forecasts]
    assert chosen == [
        (days[2], "last early", False),
        (days[3], "first late", True),
        (days[5], "coming", False),
    ]
    assert history.coming is not None and history.coming.model_version == "coming"


def test_overview_counts_and_delays_agree_with_the_rows(world: World) -> None:
    days = world.days()
    for index, day in enumerate(days[:40]):
        world.publish("NFLX", day, at=10.0 * index, confirmed=index != 39, old=index == 0)
        if index < 30:
            world.arrive("NFLX", day, at=10.0 * index + 0.1 * (index + 1))
            world.forecast("NFLX", day, days[index + 1], at=10.0 * index + 0.5 * (index + 1))
    overview = Database(world.reader_dsn).overview()
    assert overview.source_rows == 2 * DAYS
    assert overview.pending_rows == world.rows("SELECT count(*) FROM nearcast.pending")[0][0] == 2 * DAYS - 38
    assert overview.published_rows == 39
    assert overview.lake_rows == 29  # the first row was changed since
    assert LAST == 20  # of the newest 20, the 10th and the 19th smallest are p50 and p95
    delays = [0.1 * (index + 1) for index in range(30 - LAST, 30)]
    assert (overview.lake_p50, overview.lake_p95) == pytest.approx((delays[9], delays[18]))
    assert (overview.forecast_p50, overview.forecast_p95) == pytest.approx((5 * delays[9], 5 * delays[18]))
    # A forecast of the next day is early when it is stored within the 10 s between two pushes.
    assert (overview.forecasts, overview.early, overview.late) == (30, 19, 11)
    assert not overview.live


def test_every_step_of_a_row_changes_the_token_and_nothing_else_does(world: World) -> None:
    database, day = Database(world.reader_dsn), world.days()[0]
    seen = [database.change()]
    assert database.change() == seen[0]
    world.publish("NFLX", day, confirmed=False)
    seen.append(database.change())
    world.connection.execute("UPDATE nearcast.publications SET confirmed_at = clock_timestamp()")
    seen.append(database.change())
    world.arrive("NFLX", day, at=1)
    seen.append(database.change())
    world.forecast("NFLX", day, world.days()[1], at=2)
    seen.append(database.change())
    world.connection.execute("UPDATE nearcast.prices SET volume = volume + 1 WHERE date = %s", (day,))
    seen.append(database.change())
    world.connection.execute("DELETE FROM nearcast.prices WHERE date = %s", (world.days()[5],))
    seen.append(database.change())
    for statement in (
        "INSERT INTO nearcast.check_runs (started_at, rows, quarantined) VALUES (now(), 1, 1)",
        "INSERT INTO nearcast.quarantine SELECT 'NFLX', now(), 1, 'spike', 'far', now(), now(), max(id), now()"
        " FROM nearcast.check_runs",
    ):
        world.connection.execute(statement.encode())
        seen.append(database.change())
    assert len(set(seen)) == len(seen)
    assert database.change() == seen[-1]


def test_symbols_are_those_loaded_in_order(world: World, empty_database: object) -> None:
    assert Database(world.reader_dsn).symbols() == ["META", "NFLX"]
    world.connection.execute("DELETE FROM nearcast.prices")
    assert Database(world.reader_dsn).symbols() == []


def test_a_connection_that_the_server_ended_is_replaced(
    world: World, postgres_cluster: PostgresCluster
) -> None:
    import psycopg

    database = Database(world.reader_dsn)
    assert database.symbols()
    with psycopg.connect(postgres_cluster.superuser_dsn) as link:
        link.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'nearcast_reader'"
        )
    assert database.symbols() == ["META", "NFLX"]


def test_a_database_that_is_away_says_so() -> None:
    with pytest.raises(SourceError, match="cannot be reached"):
        Database(f"postgresql://nobody:none@127.0.0.1:{free_port()}/nearcast").symbols()
