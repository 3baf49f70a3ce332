"""The local services: what each runs, on which port, and how to tell that it is ready."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nearcast.local.health import Check, http_answers, postgres_answers
from nearcast.local.ports import HOST, listen_address

WITH_PORT = ("postgres", "gateway", "mlflow", "dashboard", "airflow")
"""The services that listen on a port."""


@dataclass(frozen=True)
class Service:
    """One program that the supervisor runs.

    Parameters
    ----------
    name
        Its name in `nearcast status`, and of its log.
    command, environment
        What is run, and what its environment has besides the caller's.
    healthy
        Tells whether it is ready; None: it is as soon as it runs.
    priority
        Services are stopped from the largest to the smallest.
    port, url
        Where it listens, and what a person opens.
    stop_signal, stop_seconds
        The signal that asks it to end, and how long it may take until SIGKILL.
    start_retries
        How often it is tried again, after 1, 2, 3 … seconds, when it ends within 3 s of its start.
    """

    name: str
    command: tuple[str, ...]
    priority: int
    environment: Mapping[str, str] = field(default_factory=dict)
    healthy: Check | None = None
    port: int | None = None
    url: str | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 20
    start_retries: int = 3


def local_services(home: Path, ports: Mapping[str, int]) -> list[Service]:
    """Return every service of ``home``, in the order in which they start."""
    return [
        _postgres(home, ports["postgres"]),
        _gateway(ports["gateway"]),
        _dashboard(ports["dashboard"]),
        _mlflow(home, ports["mlflow"]),
        Service("lake", _nearcast("lake", "follow"), 50, environment=_ONE_THREAD),
        Service("forecaster", _nearcast("forecast", "--follow"), 60, environment=_ONE_THREAD),
        *_airflow(home, ports["airflow"]),
    ]


_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""For the services that follow the prices: a spinning thread pool costs the others their cores."""


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def _nearcast(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", "from nearcast.cli import main; main()", *arguments)


def _postgres(home: Path, port: int) -> Service:
    from nearcast.local.postgres import STOP_SIGNAL

    return Service(
        "postgres",
        _python("nearcast.local.postgres", str(home), str(port)),
        priority=10,
        healthy=postgres_answers(port),
        port=port,
        stop_signal=STOP_SIGNAL,
    )


def _gateway(port: int) -> Service:
    return Service(
        "gateway",
        _python("nearcast.local.gateway.server"),
        priority=20,
        environment={"NEARCAST_GATEWAY_PORT": str(port)},
        healthy=http_answers(port, "/_ministack/health"),
        port=port,
        url=f"http://{HOST}:{port}",
        stop_seconds=30,
    )


def _dashboard(port: int) -> Service:
    app = Path(__file__).resolve().parents[1] / "dashboard" / "app.py"
    options = {
        "server.address": listen_address(),
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "global.developmentMode": "false",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    return Service(
        "dashboard",
        _python("streamlit", "run", str(app), *arguments),
        priority=30,
        healthy=http_answers(port, "/_stcore/health"),
        port=port,
        url=f"http://{HOST}:{port}",
        stop_seconds=5,
    )


def _mlflow(home: Path, port: int) -> Service:
    return Service(
        "mlflow",
        _python("nearcast.local.mlflow_server", str(home), str(port)),
        priority=40,
        healthy=http_answers(port, "/health"),
        port=port,
        url=f"http://{HOST}:{port}",
    )


def _airflow(home: Path, port: int) -> list[Service]:
    """Return the API server, which has Airflow's port and page, and the three that work behind it."""
    from nearcast.local.airflow import COMPONENTS, answers

    def service(component: str) -> Service:
        # The API server ends last: the others report to it until their end.
        first = component == "api-server"
        return Service(
            f"airflow-{component}",
            _python("nearcast.local.airflow", str(home), component),
            priority=70 if first else 80,
            environment=_ONE_THREAD,
            healthy=answers(port) if first else None,
            port=port if first else None,
            url=f"http://{HOST}:{port}" if first else None,
        )

    return [service(component) for component in COMPONENTS]
