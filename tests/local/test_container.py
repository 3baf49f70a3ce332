"""One service a container: what is given from outside, which service is run, and what counts as healthy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from nearcast.errors import ServiceError
from nearcast.forecast.heartbeat import SILENT_S, beat_file
from nearcast.local.airflow import environment
from nearcast.local.container import GIVEN, find, health, prepare
from nearcast.local.home import keep_ports, kept_ports, write_services_file
from nearcast.local.ports import port_variable
from nearcast.local.secrets import Secrets, load_secrets, store_secrets
from nearcast.local.services import WITH_PORT, local_services
from tests.conftest import PostgresCluster, free_port

GOOD = "a-password_of-20-letters"


def quiet(text: str) -> None:
    """Take a note and drop it."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with ports at which nothing listens, and passwords."""
    ports = {name: free_port() for name in WITH_PORT}
    keep_ports(tmp_path, ports)
    write_services_file(tmp_path, ports, load_secrets(tmp_path))
    return tmp_path


def give(monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    """Set what a container gets: passwords and ports."""
    values = {port_variable(name): "9" for name in WITH_PORT} | dict.fromkeys(GIVEN.values(), GOOD) | more
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_prepare_takes_the_given_passwords_and_ports_and_keeps_those_it_made(
    tmp_path: Path, postgres_cluster: PostgresCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    superuser = postgres_cluster.superuser_password
    store_secrets(tmp_path, Secrets(postgres_reader="reader-password"))
    made = load_secrets(tmp_path)
    give(
        monkeypatch,
        NEARCAST_POSTGRES_PORT=str(postgres_cluster.port),
        NEARCAST_POSTGRES_PASSWORD=superuser,
        NEARCAST_WRITER_PASSWORD="writer-password",  # which the cluster of the tests has
    )
    prepare(tmp_path, quiet)
    kept = load_secrets(tmp_path)
    assert (kept.postgres_superuser, kept.postgres_writer) == (superuser, "writer-password")
    assert kept.airflow_admin == GOOD
    assert (kept.airflow_jwt_secret, kept.airflow_fernet_key) == (
        made.airflow_jwt_secret,
        made.airflow_fernet_key,
    )
    assert kept_ports(tmp_path)["postgres"] == postgres_cluster.port
    assert kept_ports(tmp_path)["airflow"] == 9


@pytest.mark.parametrize("variable", GIVEN.values())
@pytest.mark.parametrize("value", ["", "short", "with:a-colon-in-it", "with a space in it"])
def test_a_password_that_is_missing_or_needs_escaping_is_refused_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    give(monkeypatch, **{variable: value})
    with pytest.raises(ServiceError, match=variable) as refused:
        prepare(tmp_path, quiet)
    assert ".env" in refused.value.todo


def test_a_port_that_is_not_set_is_refused_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, NEARCAST_MLFLOW_PORT="")
    with pytest.raises(ServiceError, match="NEARCAST_MLFLOW_PORT"):
        prepare(tmp_path, quiet)


def test_an_unknown_service_and_a_home_that_is_not_prepared_are_named(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="nothing"):
        find(home, "nothing")
    with pytest.raises(ServiceError, match="not prepared"):
        find(tmp_path / "empty", "gateway")


def test_run_becomes_the_command_of_the_service(home: Path) -> None:
    """PostgreSQL's command refuses a home without a cluster; it says so from the process that was started."""
    command = [sys.executable, "-m", "nearcast.local.container", "run", "postgres"]
    done = subprocess.run(
        command, env={**os.environ, "NEARCAST_HOME": str(home)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "There is no PostgreSQL cluster" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_a_forecaster_that_has_looked_lately_is_healthy(home: Path) -> None:
    healthy = health(home, "forecaster")
    assert not healthy()
    beat_file(home).touch()
    assert healthy()
    old = beat_file(home).stat().st_mtime - SILENT_S - 1
    os.utime(beat_file(home), (old, old))
    assert not healthy()


class Monitor(BaseHTTPRequestHandler):
    """Airflow's health page, as 3.3 answers it."""

    status = "healthy"

    def do_GET(self) -> None:
        """Answer for one component; there is no triggerer."""
        body = json.dumps({"scheduler": {"status": self.status}, "triggerer": {"status": None}})
        self.send_response(200 if self.path == "/api/v2/monitor/health" else 404)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def monitor(home: Path) -> Iterator[type[Monitor]]:
    """A server at Airflow's port."""
    server = HTTPServer(("127.0.0.1", kept_ports(home)["airflow"]), Monitor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Monitor
    server.shutdown()
    server.server_close()


def test_a_component_of_airflow_is_as_healthy_as_its_api_server_says(
    home: Path, monitor: type[Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert health(home, "airflow-scheduler")()
    assert not health(home, "airflow-triggerer")()
    assert not health(home, "airflow-dag-processor")()
    monkeypatch.setattr(monitor, "status", "unhealthy")
    assert not health(home, "airflow-scheduler")()


def test_a_component_of_airflow_is_not_healthy_without_its_api_server(home: Path) -> None:
    assert not health(home, "airflow-scheduler")()


def test_servers_bind_loopback_unless_a_container_says_otherwise(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bound() -> set[str]:
        dashboard = next(item for item in local_services(home, kept_ports(home)) if item.name == "dashboard")
        option = next(word for word in dashboard.command if word.startswith("--server.address="))
        return {option.partition("=")[2], environment(home)["AIRFLOW__API__HOST"]}

    assert bound() == {"127.0.0.1"}
    monkeypatch.setenv("NEARCAST_LISTEN_ADDRESS", "0.0.0.0")
    assert bound() == {"0.0.0.0"}
    assert "127.0.0.1" in environment(home)["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
