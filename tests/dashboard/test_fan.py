"""The fan of the next sessions is the newest stored forecast, and nothing else."""

from __future__ import annotations

import itertools
from typing import Any

from nearcast.dashboard.data import FAN_SESSIONS, Database
from nearcast.dashboard.fan import fan_figure, heading_html
from tests.dashboard.conftest import World

QUANTILES = "q025, q100, q250, q500, q750, q900, q975"


def stored(world: World, as_of: Any, model: str = "1") -> list[tuple[Any, ...]]:
    """Return day, last close and the quantiles of a forecast, by horizon."""
    return world.rows(
        f"SELECT date, last_close, {QUANTILES} FROM nearcast.forecasts WHERE stock_symbol = 'NFLX'"
        f" AND as_of_date = '{as_of}' AND model_version = '{model}' ORDER BY horizon"
    )


def traces(world: World) -> dict[str, Any]:
    """Return the traces of NFLX's fan by name."""
    return {trace.name: trace for trace in fan_figure(Database(world.reader_dsn).fan("NFLX")).data}


def test_bands_and_median_are_the_stored_quantiles_of_every_horizon(world: World) -> None:
    days = world.days()
    for day in days[:70]:
        world.publish("NFLX", day)
    world.forecast_ahead("NFLX", days[68])
    world.forecast_ahead("NFLX", days[69])
    drawn, rows = traces(world), stored(world, days[69])
    ahead, last = [row[0] for row in rows], world.close("NFLX", days[69])
    assert ahead == days[70:80]
    assert list(drawn["median"].x) == [days[69], *ahead]
    assert list(drawn["median"].y) == [last, *(row[5] for row in rows)]
    for name, low, high in (("95 %", 2, 8), ("80 %", 3, 7), ("50 %", 4, 6)):
        assert list(drawn[name].x) == [days[69], *ahead, *ahead[::-1]]
        assert list(drawn[name].y) == [
            last,
            *(row[high] for row in rows),
            *(row[low] for row in reversed(rows)),
        ]
    hover = [list(point) for point in drawn["median"].customdata[1:]]
    assert hover == [[row[4], row[6], row[3], row[7], row[2], row[8]] for row in rows]
    assert list(drawn["close"].x) == days[70 - FAN_SESSIONS : 70]
    assert list(drawn["close"].y) == [world.close("NFLX", day) for day in days[70 - FAN_SESSIONS : 70]]


def test_a_forecaster_of_one_horizon_has_a_fan_too(world: World) -> None:
    days = world.days()
    world.publish("NFLX", days[0])
    world.forecast_ahead("NFLX", days[0], horizons=1)
    assert list(traces(world)["median"].x) == days[:2]
    assert "The next session<" in heading_html(Database(world.reader_dsn).fan("NFLX"))


def test_of_two_models_the_one_that_was_stored_last_is_shown_whole(world: World) -> None:
    days = world.days()
    world.publish("NFLX", days[0])
    world.forecast_ahead("NFLX", days[0], model="new", at=2, horizons=3)
    world.forecast_ahead("NFLX", days[0], model="old", at=1)
    fan = Database(world.reader_dsn).fan("NFLX")
    assert [(one.model_version, one.horizon) for one in fan.ahead] == [("new", 1), ("new", 2), ("new", 3)]


def test_nothing_from_a_day_that_is_not_published_and_nothing_that_is_long_past(world: World) -> None:
    days, database = world.days(), Database(world.reader_dsn)
    for day in days[:2]:
        world.publish("NFLX", day)
    world.forecast_ahead("NFLX", days[0])
    world.forecast_ahead("NFLX", days[2])
    fan = database.fan("NFLX")
    assert {one.as_of_date for one in fan.ahead} == {days[0]}
    assert "1 published since" in heading_html(fan)
    world.connection.execute("DELETE FROM nearcast.outbox")
    for day in days[2:62]:
        world.publish("NFLX", day)
    assert {one.as_of_date for one in database.fan("NFLX").ahead} == {days[2]}
    world.publish("NFLX", days[62])
    assert "no forecast is stored yet" in heading_html(database.fan("NFLX"))


def test_another_symbol_has_a_fan_of_its_own(world: World) -> None:
    days = world.days()
    for symbol in ("META", "NFLX"):
        world.publish(symbol, days[0])
    world.forecast_ahead("NFLX", days[0])
    world.forecast_ahead("META", days[0], horizons=2)
    assert {one.last_close for one in Database(world.reader_dsn).fan("META").ahead} == {
        world.close("META", days[0])
    }


def test_no_session_of_the_fan_falls_into_a_break_of_the_axis(world: World) -> None:
    days = world.days()
    for day in days[:60]:
        world.publish("NFLX", day)
    world.forecast_ahead("NFLX", days[59])
    breaks = fan_figure(Database(world.reader_dsn).fan("NFLX")).layout.xaxis.rangebreaks
    hidden = set(itertools.chain.from_iterable(one["values"] or () for one in breaks))
    weekdays_off = {"2023-05-29", "2023-06-19", "2023-07-04", "2023-09-04"}  # holidays of the exchange
    assert {str(day)[:10] for day in hidden} == {
        day for day in weekdays_off if str(days[0]) < day < str(days[69])
    }
    assert hidden


def test_marks_are_shown_as_text(world: World) -> None:
    days = world.days()
    world.publish("NFLX", days[0])
    world.forecast_ahead("NFLX", days[0], marks=["the model was not trained on <NFLX>", "a gap"])
    shown = heading_html(Database(world.reader_dsn).fan("NFLX"))
    assert "Marked:</b> the model was not trained on &lt;NFLX&gt;; a gap" in shown
    world.forecast_ahead("NFLX", days[0], model="2", at=1)
    assert "Marked" not in heading_html(Database(world.reader_dsn).fan("NFLX"))
