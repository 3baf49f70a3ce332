"""What NEARCAST_HOME holds for the local services: the lock, their ports, and the settings to reach them."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nearcast.errors import ServiceError
from nearcast.local.ports import HOST
from nearcast.local.secrets import Secrets
from nearcast.settings import SERVICES_FILE, load_settings, write_env_file

PORTS_FILE = "services.json"
LOCAL_ACCESS_KEY = "000000000000"
"""Twelve digits, which the local gateway takes as the account's number."""
MINIMUM_FREE_BYTES = 1 << 30
Note = Callable[[str], None]


def prepare_home(home: Path) -> Path:
    """Make the folder ``home`` and return its absolute path without symbolic links.

    Raises
    ------
    ServiceError
        It cannot be written, has a path that the supervisor cannot take, less than 1 GiB is free, or it belongs
        to an AWS account.
    """
    home = home.resolve()
    settings = load_settings(home)
    if settings.target == "aws":
        raise ServiceError(
            f"{home} belongs to AWS account {settings.aws_account_id}, not to local services.",
            kept="Nothing was started.",
            todo="Use another home for them: NEARCAST_HOME=.nearcast",
        )
    if any(mark in str(home) for mark in (" ;", " #", "\n", "\r")):
        raise ServiceError(
            f"The path {str(home)!r} has a line break, or a space before ; or #.",
            kept="Nothing was started.",
            todo="Set NEARCAST_HOME to another folder.",
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".probe"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise ServiceError(
            f"{home} cannot be written: {error.strerror}.",
            kept="Nothing was started.",
            todo="Set NEARCAST_HOME to a folder of yours, or free space.",
        ) from error
    if (free := shutil.disk_usage(home).free) < MINIMUM_FREE_BYTES:
        raise ServiceError(
            f"Only {free / 2**20:.0f} MiB are free where {home} lies; Nearcast needs 1 GiB.",
            kept="Nothing was started.",
            todo="Free space, or set NEARCAST_HOME to a folder on another disk.",
        )
    return home


@contextmanager
def locked(home: Path, note: Note) -> Iterator[None]:
    """Hold the lock of ``home``: one `up` or `down` at a time, the next one waits."""
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("another `nearcast up` or `nearcast down` of this home is at work; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def kept_ports(home: Path) -> dict[str, int]:
    """Return the ports of the last start; none when there was none, or its file is damaged."""
    try:
        ports = json.loads((home / PORTS_FILE).read_text())["ports"]
        return {str(name): int(port) for name, port in ports.items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def keep_ports(home: Path, ports: Mapping[str, int]) -> None:
    """Write ``ports`` for the next start and for `nearcast status`."""
    temporary = home / f"{PORTS_FILE}.tmp"
    temporary.write_text(json.dumps({"ports": dict(ports)}, indent=1))
    temporary.replace(home / PORTS_FILE)


def write_services_file(home: Path, ports: Mapping[str, int], secrets: Secrets) -> None:
    """Write the settings with which every command reaches the local services."""
    from nearcast.local.postgres import READER, WRITER, dsn

    values = {
        "postgres_dsn": dsn(WRITER, secrets.postgres_writer, ports["postgres"]),
        "postgres_reader_dsn": dsn(READER, secrets.postgres_reader, ports["postgres"]),
        "aws_endpoint_url": f"http://{HOST}:{ports['gateway']}",
        "aws_access_key_id": LOCAL_ACCESS_KEY,
        "aws_secret_access_key": secrets.aws_secret_access_key,
        "mlflow_tracking_uri": f"http://{HOST}:{ports['mlflow']}",
        "dashboard_url": f"http://{HOST}:{ports['dashboard']}",
        "airflow_url": f"http://{HOST}:{ports['airflow']}",
    }
    write_env_file(home / SERVICES_FILE, values)
