"""One local service in a container of its own, as compose.yaml runs them.

``python -m nearcast.local.container prepare`` writes the home that all containers share and makes the database;
``… run SERVICE`` becomes one of the services of `nearcast.local.services`; ``… check SERVICE`` tells whether it is
healthy. Docker restarts what ends, in place of the supervisor. The containers share one network namespace, so that
127.0.0.1 is all of them; their ports are set by NEARCAST_<SERVICE>_PORT.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from nearcast.errors import NearcastError, ServiceError
from nearcast.local.health import Check
from nearcast.local.home import Note, keep_ports, kept_ports, prepare_home, write_services_file
from nearcast.local.ports import HOST, port_variable
from nearcast.local.secrets import load_secrets, store_secrets
from nearcast.local.services import WITH_PORT, Service, local_services
from nearcast.settings import load_settings

GIVEN = {
    "postgres_superuser": "NEARCAST_POSTGRES_PASSWORD",
    "postgres_writer": "NEARCAST_WRITER_PASSWORD",
    "airflow_admin": "NEARCAST_AIRFLOW_PASSWORD",
}
"""The secrets that something outside of the home has to know, and the variables they come in; others are made."""
_PASSWORD = re.compile(r"[A-Za-z0-9_-]{12,}")
"""What needs no escape in a connection string or a pgpass file."""
_PROBE_TIMEOUT_S = 5.0


def prepare(home: Path, note: Note) -> None:
    """Write ports, passwords and settings to ``home``, and make the database; safe to repeat.

    Raises
    ------
    ServiceError
        A port or a password is not set or not usable, or PostgreSQL refuses.
    """
    from nearcast.local.postgres import create_database

    prepare_home(home)
    ports = {service: _port(service) for service in WITH_PORT}
    secrets = dataclasses.replace(
        load_secrets(home), **{name: _given(variable) for name, variable in GIVEN.items()}
    )
    create_database(
        ports["postgres"], secrets.postgres_superuser, secrets.postgres_writer, secrets.postgres_reader
    )
    store_secrets(home, secrets)
    keep_ports(home, ports)
    write_services_file(home, ports, secrets)
    note("the database and the settings are ready")


def _port(service: str) -> int:
    text = os.environ.get(port_variable(service), "")
    if not text.isdecimal():
        raise ServiceError(
            f"{port_variable(service)} is {text!r}, not a port.", todo="Set it in compose.yaml."
        )
    return int(text)


def _given(variable: str) -> str:
    password = os.environ.get(variable, "")
    if not _PASSWORD.fullmatch(password):
        raise ServiceError(
            f"{variable} is not a password of at least 12 letters, digits, - and _.",
            kept="Nothing was changed.",
            todo="Set it in .env (docs/compose.md), for example to what `openssl rand -hex 24` prints.",
        )
    return password


def find(home: Path, name: str) -> Service:
    """Return the service ``name`` of ``home``.

    Raises
    ------
    ServiceError
        There is none, or ``home`` was not prepared.
    """
    ports = kept_ports(home)
    if not {*WITH_PORT} <= {*ports}:
        raise ServiceError(f"{home} is not prepared.", todo="Run the container `prepare` first.")
    services = {service.name: service for service in local_services(home, ports)}
    if name not in services:
        raise ServiceError(f"There is no service {name}; there are {', '.join(services)}.")
    return services[name]


def health(home: Path, name: str) -> Check:
    """Return what tells whether the service ``name`` of ``home`` does its work."""
    service = find(home, name)
    if service.healthy is not None:
        return service.healthy
    if name == "lake":
        return lambda: _has_continuous_run(home)
    if name == "forecaster":
        return lambda: _beats(home)
    component = name.removeprefix("airflow-").replace("-", "_")
    return lambda: _airflow_says(kept_ports(home)["airflow"], component)


def _has_continuous_run(home: Path) -> bool:
    """Tell whether a run of the Hudi job goes on, which is all that the lake's follower is there for."""
    from nearcast.aws import client
    from nearcast.lake.upsert import has_continuous_run

    settings = load_settings(home)
    return has_continuous_run(client("glue", settings), settings.need("hudi_job"))


def _beats(home: Path) -> bool:
    """Tell whether the forecaster has looked at the lake lately."""
    from nearcast.forecast.heartbeat import SILENT_S, beat_file

    try:
        return time.time() - beat_file(home).stat().st_mtime < SILENT_S
    except FileNotFoundError:
        return False


def _airflow_says(port: int, component: str) -> bool:
    """Tell whether Airflow's API server has heard of a component lately (scheduler, dag_processor, triggerer)."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/api/v2/monitor/health")
        answer = json.loads(connection.getresponse().read())
        return bool(answer[component]["status"] == "healthy")
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False
    finally:
        connection.close()


def _home() -> Path:
    return load_settings().home


@click.group()
def container() -> None:
    """Prepare the home of the containers, run one service of it, or check one."""


@container.command("prepare")
def prepare_command() -> None:
    """Write the home that the containers share, and make the database."""
    prepare(_home(), click.echo)


@container.command()
@click.argument("name")
def run(name: str) -> None:
    """Become the service NAME."""
    service = find(_home(), name)
    os.environ.update(service.environment)
    os.execv(service.command[0], service.command)


@container.command()
@click.argument("name")
def check(name: str) -> None:
    """Exit with 0 when the service NAME is healthy, else with 1."""
    sys.exit(0 if health(_home(), name)() else 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line; expected failures end with 1 and no traceback."""
    try:
        container(arguments)
    except NearcastError as error:
        sys.exit(" ".join(part for part in (error.happened, error.kept, error.todo) if part))


if __name__ == "__main__":
    main()
