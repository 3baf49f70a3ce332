"""The page as a person sees it, run by Streamlit's own test runner."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import streamlit
from streamlit.testing.v1 import AppTest

import nearcast.dashboard
from nearcast.dashboard.champion import Champion
from nearcast.forecast.scores import Choice, scores
from tests.conftest import free_port
from tests.dashboard.conftest import World

APP = Path(nearcast.dashboard.__file__).with_name("app.py")


@pytest.fixture
def page(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AppTest:
    """The page on the test's database; not run yet."""
    streamlit.cache_resource.clear()
    monkeypatch.setenv("NEARCAST_HOME", str(tmp_path))
    monkeypatch.setenv("NEARCAST_POSTGRES_READER_DSN", world.reader_dsn)
    return AppTest.from_file(str(APP), default_timeout=30)


def html(page: AppTest) -> str:
    """Return the HTML of the page, without its style sheet."""
    bodies = [element.proto.body for element in page.get("html")]
    return "\n".join(body for body in bodies if not body.startswith("<style>"))


def run_until(page: AppTest, condition: Callable[[], bool]) -> None:
    """Run the page until a background value is there."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
        page.run()


def test_both_pages_are_linked_and_the_second_is_imported_only_when_it_is_opened(page: AppTest) -> None:
    page.run()
    assert [link.proto.label for link in page.get("page_link")] == ["Live", "Analytics"]
    program = (
        "import sys, nearcast.dashboard.app; print([name for name in sys.modules if 'dashboard.analytics' in name"
        " or name in ('boto3', 'pandas')])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_without_prices_it_says_how_to_load_some(world: World, page: AppTest) -> None:
    world.connection.execute("DELETE FROM nearcast.prices")
    page.run()
    assert "nearcast load" in page.info[0].value
    assert not page.exception


def test_prices_that_were_only_loaded_are_said_to_be_so(page: AppTest) -> None:
    page.run()
    assert "nearcast publish" in page.warning[0].value
    assert "nothing published yet" in html(page)
    assert len(page.get("plotly_chart")) == 1


def test_alerts_of_the_last_day_are_shown_as_text_and_older_ones_are_not(world: World, page: AppTest) -> None:
    page.run()
    assert "nc-alert" not in html(page)
    world.connection.execute(
        "INSERT INTO nearcast.alerts (raised_at, source, text) VALUES"
        " (now() - interval '2 days', 'old', 'forgotten'), (now(), 'refresh_lake.check', '<b>1 missing</b>')"
    )
    page.run()
    assert "refresh_lake.check" in html(page) and "&lt;b&gt;1 missing" in html(page)
    assert "forgotten" not in html(page)


def test_the_newest_published_price_is_shown_and_no_later_day_anywhere(world: World, page: AppTest) -> None:
    days = world.days()
    for day in days[:40]:
        world.publish("NFLX", day)
    world.forecast("NFLX", days[39], days[40], at=1)
    page.run()
    page.selectbox("symbol").select("NFLX").run()
    last = world.close("NFLX", days[39])
    assert f"${last:,.2f}" in html(page)
    assert f"80 % between {last * 0.98:,.2f} and {last * 1.02:,.2f}" in html(page)
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    candles = next(trace for trace in figure["data"] if trace["type"] == "candlestick")
    assert candles["x"] == [str(day) for day in days[:40]]
    assert not any(f'"{day}' in json.dumps(figure["data"]) for day in days[41:])
    assert not page.warning and not page.exception


def test_hops_show_how_far_the_rows_came(world: World, page: AppTest) -> None:
    for index, day in enumerate(world.days()[:7]):
        world.publish("NFLX", day, at=index)
        if index < 5:
            world.arrive("NFLX", day, at=index + 2)
    page.run()
    shown = html(page)
    order = [shown.index(text) for text in ("180 rows", "7 rows", "5 rows", "0 stored")]
    assert order == sorted(order)
    assert "p50 2.0 s · p95 2.0 s" in shown
    assert "the lake is 2 rows behind" in shown


def test_the_score_says_that_days_are_too_few_and_how_many_were_late(world: World, page: AppTest) -> None:
    days = world.days()
    for index, day in enumerate(days):
        world.publish("NFLX", day, at=10.0 * index)
    for index in range(70, 80):
        world.forecast("NFLX", days[index], days[index + 1], at=10.0 * index + (1 if index < 77 else 11))
    page.run()
    run_until(page, lambda: "being computed" not in html(page))
    shown = html(page)
    assert "10 forecasts: too few days yet" in shown
    assert ">7</div>" in shown and "3 stored after it" in shown


def test_the_record_by_sessions_ahead_and_the_fan_are_on_the_page(world: World, page: AppTest) -> None:
    days = world.days()
    for index, day in enumerate(days[:85]):
        world.publish("NFLX", day, at=10.0 * index)
    for index in range(72, 85):
        world.forecast_ahead("NFLX", days[index], horizons=5, at=10.0 * index + 1, marks=["<odd>"])
    page.run()
    page.selectbox("symbol").select("NFLX").run()
    run_until(page, lambda: "The record by sessions ahead" in html(page))
    shown = html(page)
    with psycopg.connect(world.reader_dsn) as connection:
        for horizon in range(1, 6):
            found = scores(connection, Choice(horizon=horizon))
            assert (
                f"<td>{horizon}</td><td>{found.scored}</td><td>0</td><td>{found.pinball_ratio:.3f}</td>"
                in shown
            )
    assert "The next 5 sessions" in shown and "&lt;odd&gt;" in shown and "<odd>" not in shown
    assert "marked: see the next sessions" in shown
    fan = json.loads(page.get("plotly_chart")[1].proto.spec)["data"]
    median = next(trace for trace in fan if trace["name"] == "median")
    assert median["x"] == [str(day) for day in days[84:90]]


def test_the_page_does_not_wait_for_mlflow(
    world: World, page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()

    def slow(*_: object) -> Champion:
        answer.wait(30)
        return Champion(problem="MLflow is <away>.")

    monkeypatch.setattr("nearcast.dashboard.champion.read_champion", slow)
    page.run()
    run_until(page, lambda: "being computed" not in html(page))
    for _ in range(3):
        page.run()
    assert "MLflow is being asked" in html(page) and len(page.get("plotly_chart")) == 1
    answer.set()
    run_until(page, lambda: "MLflow is &lt;away&gt;." in html(page))
    assert len(page.get("plotly_chart")) == 1 and not page.exception


def test_what_aws_cannot_tell_is_not_hidden(page: AppTest) -> None:
    page.run()
    run_until(page, lambda: "being counted" not in html(page) and "being read" not in html(page))
    assert "no raw bucket yet" in html(page)
    assert "no delivery stream yet" in html(page)


def test_a_database_that_is_away_is_said_and_the_page_comes_back(
    world: World, page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = f"postgresql://nearcast_reader:none@127.0.0.1:{free_port()}/nearcast"
    monkeypatch.setenv("NEARCAST_POSTGRES_READER_DSN", away)
    page.run()
    assert "cannot be read" in page.error[0].value
    assert "none@" not in page.error[0].value
    monkeypatch.setenv("NEARCAST_POSTGRES_READER_DSN", world.reader_dsn)
    page.run()
    assert not page.error and len(page.get("plotly_chart")) == 1


def test_a_symbol_with_markup_in_its_name_is_shown_as_text(world: World, page: AppTest) -> None:
    world.connection.execute(
        "UPDATE nearcast.prices SET stock_symbol = '<b>X</b>' WHERE stock_symbol = 'NFLX'"
    )
    world.connection.execute("DELETE FROM nearcast.prices WHERE stock_symbol = 'META'")
    page.run()
    assert "&lt;b&gt;X" in html(page) and "<b>X" not in html(page)


def test_a_page_that_could_not_be_drawn_says_so_and_is_drawn_anew(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("nearcast.dashboard.charts.missing_weekdays", lambda days: 1 / 0)
        page.run()
        assert "division by zero" in page.exception[0].value
    page.run()
    assert not page.exception and len(page.get("plotly_chart")) == 1
