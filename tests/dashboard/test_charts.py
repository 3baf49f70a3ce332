"""The figures show what they were given."""

from __future__ import annotations

import datetime
import itertools
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.dashboard.charts import missing_weekdays, price_figure
from nearcast.dashboard.data import Database, History
from tests.dashboard.conftest import DAYS, World


@pytest.fixture
def history(world: World) -> History:
    """60 published days of NFLX, forecasts of the last 30 (every third one late) and of the next day."""
    days = world.days()
    for index, day in enumerate(days[:60]):
        world.publish("NFLX", day, at=10.0 * index)
        if index >= 29:
            world.forecast("NFLX", day, days[index + 1], at=10.0 * index + (11 if index % 3 == 0 else 1))
    return Database(world.reader_dsn).history("NFLX", DAYS)


def traces(history: History) -> dict[str, Any]:
    """Return the figure's traces by name."""
    return {trace.name: trace for trace in price_figure(history).data}


def test_candles_and_volume_equal_the_stored_prices(world: World, history: History) -> None:
    drawn = traces(history)
    expected = world.prices[world.prices["symbol"] == "NFLX"].head(60)
    for name in ("open", "high", "low", "close"):
        assert list(drawn["price"][name]) == expected[name].tolist()
    assert list(drawn["price"].x) == list(drawn["volume"].x) == expected["date"].tolist()
    assert list(drawn["volume"].y) == expected["volume"].tolist()


def test_bands_are_the_stored_quantiles_of_their_day(world: World, history: History) -> None:
    drawn = traces(history)
    for band, low, high in (("95 % band", "q025", "q975"), ("80 % band", "q100", "q900")):
        stored = {
            row[0]: row[1:]
            for row in world.rows(f"SELECT date, {low}, {high} FROM nearcast.forecasts ORDER BY date")
        }
        shown = {
            day: (base, base + height)
            for name in (band, f"{band} late")
            for day, base, height in zip(drawn[name].x, drawn[name].base, drawn[name].y, strict=True)
        }
        assert set(shown) == set(world.days()[30:60])
        assert all(shown[day] == pytest.approx(stored[day]) for day in shown)


def test_late_bands_are_drawn_apart(world: World, history: History) -> None:
    late = world.rows(
        "SELECT date FROM nearcast.forecasts JOIN nearcast.publications USING (stock_symbol, date) "
        "WHERE made_at >= first_published_at ORDER BY date"
    )
    assert list(traces(history)["95 % band late"].x) == [row[0] for row in late]
    assert late


def test_closes_outside_of_their_band_are_marked(world: World, history: History) -> None:
    days = world.days()
    moves = {
        day: world.close("NFLX", day) / world.close("NFLX", before) - 1
        for before, day in itertools.pairwise(days[29:60])
    }
    outside = [day for day, move in moves.items() if abs(move) > 0.05]
    assert list(traces(history)["close outside 95 %"].x) == outside
    assert outside


def test_the_fan_opens_from_the_newest_close_to_the_next_day(world: World, history: History) -> None:
    days, drawn = world.days(), traces(history)
    median = drawn["next session"]
    assert list(median.x) == [days[59], days[60]]
    assert median.y[0] == world.close("NFLX", days[59])
    assert drawn["next session: 95 %"].y[1] == pytest.approx(median.y[0] * 1.05)
    assert drawn["next session: 80 %"].y[2] == pytest.approx(median.y[0] * 0.98)


def test_without_a_forecast_of_the_next_day_there_is_no_fan(history: History) -> None:
    stale = History(history.symbol, history.bars, history.forecasts[:-1], published=True)
    assert stale.coming is None
    assert not any(name.startswith("next session") for name in traces(stale))


def test_a_refresh_keeps_the_zoom_and_another_symbol_does_not(history: History) -> None:
    later = History("NFLX", [*history.bars[1:], history.bars[-1]], [], published=True)
    other = History("META", history.bars, [], published=True)
    revisions = [price_figure(one).layout.uirevision for one in (history, later, other)]
    assert revisions[0] == revisions[1] != revisions[2]


@given(st.sets(st.dates(datetime.date(2020, 1, 1), datetime.date(2020, 6, 30)), min_size=2))
def test_missing_weekdays_are_those_of_pandas_calendar(days: set[datetime.date]) -> None:
    ordered = sorted(days)
    expected = [stamp.date() for stamp in pd.bdate_range(ordered[0], ordered[-1]) if stamp.date() not in days]
    assert missing_weekdays(ordered) == expected
