"""compose.yaml's services, started as plain processes in its order: rows go from a CSV to the lake's raw table."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nearcast.settings import load_settings
from tests.compose.compose_file import ROOT
from tests.compose.processes import Composition

PRICES = ROOT / "data" / "stocks_daily.csv"
ROWS = 10
QUERY = "SELECT count(*) AS found FROM raw_prices"


@pytest.fixture(scope="module")
def composition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    """PostgreSQL, the gateway, the stacks, MLflow and the dashboard; Spark, which takes long to start, is off."""
    with Composition(tmp_path_factory.mktemp("compose") / "world", NEARCAST_GATEWAY_SPARK="off") as found:
        found.up(["mlflow", "dashboard"])
        yield found


def test_the_services_become_healthy_in_their_order(composition: Composition) -> None:
    for name in ("mlflow", "dashboard", "gateway", "postgres"):
        composition.wait(name)
    assert list(composition.running) == ["postgres", "prepare", "gateway", "deploy", "mlflow", "dashboard"]


def test_a_check_fails_for_what_does_not_run(composition: Composition) -> None:
    for name in ("lake", "forecaster", "airflow-api-server", "airflow-scheduler"):
        assert not composition.healthy(name), name


def test_rows_flow_from_a_file_to_the_raw_table(composition: Composition) -> None:
    head, *rows = PRICES.read_text().splitlines(keepends=True)
    file = composition.folder / "prices.csv"
    file.write_text("".join([head, *rows[:ROWS]]))
    composition.run("gateway", "load", str(file), "--json")
    composition.run("gateway", "publish", "--json")
    deadline = time.monotonic() + 60
    while not json.loads(composition.run("gateway", "lake", "crawl", "--json"))["new_partitions"]:
        assert time.monotonic() < deadline, (
            "Firehose gathers for a second, and nothing was there after a minute"
        )
    answer = json.loads(composition.run("gateway", "lake", "query", QUERY, "--json"))
    assert answer["rows"] == [[ROWS]]


def test_the_home_holds_the_given_passwords_and_the_settings_lead_to_the_services(
    composition: Composition,
) -> None:
    home = composition.folder / "home"
    given = composition.services["prepare"]["environment"]
    kept = json.loads((home / "secrets.json").read_text())
    assert kept["postgres_superuser"] == given["NEARCAST_POSTGRES_PASSWORD"]
    assert kept["airflow_admin"] == given["NEARCAST_AIRFLOW_PASSWORD"]
    settings = load_settings(home)
    port = composition.ports["postgres"]
    writer = f"postgresql://nearcast_writer:{given['NEARCAST_WRITER_PASSWORD']}@127.0.0.1:{port}/nearcast"
    assert settings.need("postgres_dsn") == writer
    assert {path.stat().st_mode & 0o077 for path in home.glob("*.env")} == {0}


def test_nearcast_up_in_a_container_says_that_the_services_are_there(composition: Composition) -> None:
    words = composition.words(["nearcast", "up"])
    environment = composition.environment(composition.services["gateway"])
    done = subprocess.run(words, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "in use by" in done.stderr
    assert "Nothing was started" in done.stderr
    assert composition.healthy("gateway")


def test_a_second_start_changes_nothing(composition: Composition) -> None:
    before = {path: path.read_bytes() for path in _files(composition.folder / "home")}
    for name in ("prepare", "deploy"):
        del composition.running[name]
    composition.up(["prepare", "deploy"])
    composition.wait("deploy", "service_completed_successfully")
    assert {path: path.read_bytes() for path in _files(composition.folder / "home")} == before


def _files(home: Path) -> list[Path]:
    return [path for path in home.iterdir() if path.suffix in (".json", ".env")]
