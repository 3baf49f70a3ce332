"""Airflow's DAGs against the real services: each by `dag.test()`, and the publisher through a killed worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from nearcast.bench.airflow_world import Flow, ticks, wait_until_equal
from nearcast.bench.faults import find
from nearcast.demo.orchestrated import wait_for_dag
from nearcast.local.airflow import environment
from nearcast.settings import Settings, load_settings
from tests.integration.conftest import PRICES, ROWS, World

pytestmark = pytest.mark.timeout(600)
SYMBOL = "AAPL"


def run_dag(world: World, dag_id: str, **conf: Any) -> dict[str, Any]:
    """Run a DAG with `dag.test()` in a process of its own, in this world's Airflow database."""
    variables = {**world.environment, **environment(world.home)}
    command = [sys.executable, "-m", "tests.integration.run_dag", dag_id, json.dumps(conf)]
    done = subprocess.run(command, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


@pytest.fixture(scope="module")
def settings(world: World, report: dict[str, Any]) -> Settings:
    """The settings of a world with a model, in which a second symbol is loaded and waits to be published."""
    world.run("up", "--no-airflow")
    assert world.run("load", str(PRICES), "--symbol", SYMBOL)["inserted"] > 2000
    world.run("publish", "--symbol", SYMBOL, "--until", "2022-12-30")
    return load_settings(world.home)


@pytest.fixture
def link(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the writer, which ends each statement's transaction."""
    with psycopg.connect(settings.need("postgres_dsn"), autocommit=True) as connection:
        yield connection


def gaps(moments: list[float]) -> list[float]:
    """Return the distances between neighbours."""
    return [after - before for before, after in pairwise(moments)]


def test_the_publisher_publishes_as_many_rows_at_the_rate_that_its_params_say(
    world: World, settings: Settings
) -> None:
    since = time.time()
    done = run_dag(world, "publish_prices", rate=20, rows=10, symbols=[SYMBOL])
    assert done["tasks"] == {"publish": "success"}
    due = [tick for tick, _ in ticks(settings, since)]
    assert gaps(due) == pytest.approx([1 / 20] * 9, abs=1e-4)


def test_the_lake_is_refreshed_checked_and_announced(world: World, link: psycopg.Connection[Any]) -> None:
    done = run_dag(world, "refresh_lake")
    steps = ("anything_published", "crawl", "repair_partitions", "upsert", "check")
    assert done["tasks"] == dict.fromkeys(steps, "success")
    assert done["assets"] == ["nearcast://lake/prices"]
    checked = link.execute(
        "SELECT rows > %s, quarantined FROM nearcast.check_runs ORDER BY id DESC LIMIT 1", (ROWS,)
    ).fetchone()
    assert checked == (True, 0)


def test_a_failed_data_check_updates_no_asset_and_raises_an_alert(
    world: World, link: psycopg.Connection[Any]
) -> None:
    # A row that is recorded as published an hour ago, and never was.
    key = (SYMBOL, "2023-09-01")
    link.execute(
        "INSERT INTO nearcast.publications"
        " SELECT stock_symbol, date, version, now(), now(), now() - interval '1 hour'"
        " FROM nearcast.prices WHERE stock_symbol = %s AND date = %s",
        key,
    )
    link.execute("DELETE FROM nearcast.outbox WHERE stock_symbol = %s AND date = %s", key)
    done = run_dag(world, "refresh_lake")
    assert (done["tasks"]["upsert"], done["tasks"]["check"]) == ("success", "failed")
    assert done["assets"] == []
    alert = link.execute("SELECT source, text FROM nearcast.alerts ORDER BY id DESC LIMIT 1").fetchone()
    assert alert is not None and alert[0] == "refresh_lake.check" and "1 missing" in alert[1]
    assert world.run("lake", "reconcile", "--repair")["repaired"] == 1


def test_new_prices_are_forecast_and_a_young_champion_is_kept(
    world: World, link: psycopg.Connection[Any]
) -> None:
    before = link.execute("SELECT count(*) FROM nearcast.forecasts").fetchone()
    assert run_dag(world, "forecast")["tasks"] == {"forecast": "success"}
    newest = link.execute(
        "SELECT max(as_of_date) = (SELECT max(date) FROM nearcast.publications WHERE stock_symbol = %s)"
        " FROM nearcast.forecasts WHERE stock_symbol = %s",
        (SYMBOL, SYMBOL),
    ).fetchone()
    assert newest == (True,)
    assert before is not None
    assert run_dag(world, "train_model")["tasks"] == {"is_due": "success", "train": "skipped"}


def test_a_killed_worker_loses_no_row_and_no_tick(world: World, settings: Settings) -> None:
    world.run("up")
    api = wait_for_dag(world.home)
    api.pause("publish_prices")
    world.run("load", str(PRICES), "--symbol", "META")
    since, rows = time.time(), 60
    run_id = api.start("publish_prices", {"rate": 2, "rows": rows, "symbols": ["META"], "seconds": 300})
    while len(ticks(settings, since)) < 10:
        time.sleep(0.2)
    os.kill(find(Flow(settings, api), "worker"), signal.SIGKILL)
    while len(published := ticks(settings, since)) < rows:
        assert time.time() - since < 240, api.state("publish_prices", run_id)
        time.sleep(0.5)
    api.pause("publish_prices")
    assert gaps([due for due, _ in published[:rows]]) == pytest.approx([0.5] * (rows - 1), abs=1e-4)
    longest = max(gaps(sorted(moment for _, moment in published)))
    assert longest > 5, "the kill was to interrupt the publisher"
    # The publisher knows the clock of PostgreSQL to within a request to it.
    assert all(moment >= due - 0.01 for due, moment in published)
    assert wait_until_equal(settings) == {"missing": 0, "extra": 0, "different": 0, "duplicates": 0}
