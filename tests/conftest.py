"""Fixtures for all tests: a PostgreSQL cluster of the tests' own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from pydantic import SecretStr

from nearcast.local import postgres as local_postgres
from nearcast.settings import Settings

# Threads that spin while they wait slow every other process of the machine down; read when PyTorch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("nearcast", deadline=None)
hypothesis.settings.load_profile("nearcast")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that are marked as slow come last."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@dataclass(frozen=True)
class PostgresCluster:
    """A running cluster with the schema, and what tests need beyond the settings."""

    settings: Settings
    port: int
    superuser_password: str

    @property
    def superuser_dsn(self) -> str:
        """Connection string of the superuser, on the database of the schema."""
        return local_postgres.dsn(local_postgres.SUPERUSER, self.superuser_password, self.port)


def eventually(found: Callable[[], Any], seconds: float = 30) -> Any:
    """Return the first true answer of ``found``; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.05)
    return answer


def free_port() -> int:
    """Return a port of the loopback interface that nothing uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    """A PostgreSQL cluster with the schema in a temporary folder, stopped at the end."""
    home, port = tmp_path_factory.mktemp("postgres"), free_port()
    local_postgres.initialise(home, "superuser-password")
    command = [sys.executable, "-m", "nearcast.local.postgres", str(home), str(port)]
    with (
        (home / "postgres.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,
    ):
        try:
            local_postgres.wait_ready(port)
            local_postgres.create_database(port, "superuser-password", "writer-password", "reader-password")
            settings = Settings(
                home=home,
                postgres_dsn=SecretStr(local_postgres.dsn(local_postgres.WRITER, "writer-password", port)),
                postgres_reader_dsn=SecretStr(
                    local_postgres.dsn(local_postgres.READER, "reader-password", port)
                ),
            )
            yield PostgresCluster(settings, port, "superuser-password")
        finally:
            server.send_signal(signal.SIGINT)


@pytest.fixture(scope="session")
def postgres(postgres_cluster: PostgresCluster) -> Settings:
    """Settings with `postgres_dsn` (writer) and `postgres_reader_dsn` of the tests' cluster."""
    return postgres_cluster.settings


@pytest.fixture
def empty_database(postgres_cluster: PostgresCluster) -> Settings:
    """As `postgres`, with all tables emptied."""
    import psycopg

    with psycopg.connect(postgres_cluster.superuser_dsn) as link:
        link.execute(
            "TRUNCATE nearcast.prices, nearcast.publications, nearcast.deletions, nearcast.outbox,"
            " nearcast.arrivals, nearcast.forecasts, nearcast.alerts, nearcast.check_runs,"
            " nearcast.check_results, nearcast.quarantine"
        )
    return postgres_cluster.settings


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs: making its tables takes seconds, copying it none."""
    import mlflow

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path
