"""The analytics page as a person sees it, over the gateway's Athena."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from nearcast.dashboard.analytics import VISUALS
from nearcast.settings import Settings
from tests.conftest import free_port
from tests.lake.athena_tables import DATABASE


def script() -> None:
    """The page without the links to the others."""
    from nearcast.dashboard.analytics import draw_analytics

    draw_analytics()


@pytest.fixture
def page(deployed: Settings, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page on the gateway's world; not run yet."""
    streamlit.cache_data.clear()
    monkeypatch.setenv("NEARCAST_HOME", str(deployed.home))
    return AppTest.from_function(script, default_timeout=60)


def html(page: AppTest) -> str:
    """Return the HTML of the page."""
    return "\n".join(element.proto.body for element in page.get("html"))


def figures(page: AppTest) -> list[dict[str, dict[str, Any]]]:
    """Return the traces of each figure by their names."""
    specs = [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]
    return [{trace["name"]: trace for trace in spec["data"]} for spec in specs]


@pytest.fixture
def filled(page: AppTest, tables: Settings, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page on the database that has tables with rows."""
    monkeypatch.setattr("nearcast.lake.query.query.__defaults__", (DATABASE,))
    return page


def test_every_visual_shows_the_rows_of_the_chosen_symbol(
    filled: AppTest, bars: pd.DataFrame, forecasts: pd.DataFrame
) -> None:
    filled.run()
    filled.selectbox("analytics_symbol").select("NFLX").run()
    assert not filled.exception and not filled.error
    shown = html(filled)
    assert all(visual.title in shown for visual in VISUALS)
    candles, daily, volume, volatility, forecast, ratio, covered = figures(filled)
    mine = bars[bars["stock_symbol"] == "NFLX"]
    last_year = mine[mine["date"] >= mine["date"].max() - pd.Timedelta(days=365)]
    days = [str(day.date()) for day in last_year["date"]]
    assert daily["price"]["x"] == volume["volume"]["x"] == days
    assert daily["price"]["close"] == pytest.approx(list(last_year["close_price"]))
    assert volume["volume"]["y"] == list(last_year["volume"])
    assert len(candles["price"]["x"]) == 12 and set(volatility) == {
        "close to close",
        "garman klass",
        "rogers satchell",
        "yang zhang",
    }
    # Of two models' forecasts of a day the one that was stored last is drawn, once.
    next_day = forecasts[(forecasts["stock_symbol"] == "NFLX") & (forecasts["horizon"] == 1)]
    made = sorted(set(next_day.loc[next_day["date"] >= days[0], "date"]))
    assert forecast["median"]["x"] == made
    assert set(ratio) == {"a/1", "b/1"} and covered["80 % band"]["x"] == [1, 2]


def test_other_days_are_asked_for_and_the_sql_of_a_visual_is_shown(filled: AppTest) -> None:
    filled.run()
    first, last = pd.Timestamp("2023-03-01").date(), pd.Timestamp("2023-03-31").date()
    filled.date_input[0].set_value((first, last)).run()
    assert not filled.exception
    assert all("2023-03-01" <= day <= "2023-03-31" for day in figures(filled)[1]["price"]["x"])
    assert "BETWEEN DATE '2023-03-01' AND DATE '2023-03-31'" in filled.code[0].value
    assert filled.code[0].value.startswith("SELECT * FROM (")


def test_half_a_range_of_days_waits_for_its_other_half(filled: AppTest) -> None:
    filled.run()
    filled.date_input[0].set_value((pd.Timestamp("2023-03-01").date(),)).run()
    assert "last day" in filled.info[0].value and not filled.exception


def test_a_symbol_without_forecasts_says_how_to_make_some(filled: AppTest) -> None:
    filled.run()
    filled.selectbox("analytics_symbol").select("META").run()
    assert "nearcast train" in filled.info[0].value
    assert len(figures(filled)) == 4 and not filled.exception


def test_without_a_table_of_prices_it_says_how_to_make_one(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nearcast.lake.query.query.__defaults__", ("no_such_database",))
    page.run()
    assert "No prices in the lake yet" in page.info[0].value and not page.exception


def test_a_lake_that_is_away_is_said_and_the_page_comes_back(
    filled: AppTest, tables: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARCAST_AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    filled.run()
    assert "cannot be read" in filled.error[0].value and "nearcast up" in filled.error[0].value
    monkeypatch.setenv("NEARCAST_AWS_ENDPOINT_URL", str(tables.aws_endpoint_url))
    filled.button[0].click().run()
    assert not filled.error and len(figures(filled)) >= 4


def test_without_services_it_says_what_to_do(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARCAST_HOME", "/nowhere")
    page.run()
    assert "loopback" in page.error[0].value and "nearcast up" in page.error[0].value
    assert not page.exception
