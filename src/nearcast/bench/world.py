"""A throw-away PostgreSQL and gateway with the stacks, for one measurement."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from nearcast.errors import ServiceError
from nearcast.local import postgres
from nearcast.local.health import Check, http_answers
from nearcast.local.home import write_services_file
from nearcast.local.ports import choose_ports
from nearcast.local.secrets import load_secrets
from nearcast.local.services import WITH_PORT
from nearcast.settings import Settings, load_settings

READY_S = 60.0
STOP_S = 30.0


@dataclass(frozen=True)
class World:
    """The settings that reach it, and the process ids of its servers by name."""

    settings: Settings
    pids: dict[str, int]


@contextmanager
def throw_away_world() -> Iterator[World]:
    """Start PostgreSQL and a gateway without Spark in a temporary home, deploy the stacks, and end all at last.

    Raises
    ------
    ServiceError
        One of them does not become ready, or the environment names other servers.
    """
    from nearcast.deploy import deploy

    _check_environment()
    with tempfile.TemporaryDirectory(prefix="nearcast-bench-") as folder:
        home = Path(folder)
        ports, secrets = choose_ports(WITH_PORT, {}), load_secrets(home)
        write_services_file(home, ports, secrets)
        postgres.initialise(home, secrets.postgres_superuser)
        address = {"NEARCAST_HOME": str(home), "NEARCAST_GATEWAY_PORT": str(ports["gateway"])}
        with (
            _server(home, "postgres", [str(home), str(ports["postgres"])], signal.SIGINT, {}) as database,
            _server(
                home,
                "gateway.server",
                [],
                signal.SIGTERM,
                {**address, "NEARCAST_GATEWAY_SPARK": "off"},
            ) as gateway,
        ):
            postgres.wait_ready(ports["postgres"])
            passwords = (secrets.postgres_superuser, secrets.postgres_writer, secrets.postgres_reader)
            postgres.create_database(ports["postgres"], *passwords)
            _wait_until(http_answers(ports["gateway"], "/_ministack/health"), gateway, home)
            deploy(load_settings(home))
            yield World(load_settings(home), {"postgres": database.pid, "gateway": gateway.pid})


def _check_environment() -> None:
    """Refuse settings of the environment: they go before the home's, and would lead out of the measurement."""
    names = (f"NEARCAST_{name.upper()}" for name in Settings.model_fields if name != "home")
    if named := sorted(name for name in names if name in os.environ):
        raise ServiceError(
            f"{', '.join(named)} would lead the measurement to servers that are not its own.",
            kept="Nothing was started.",
            todo="Unset it for this command.",
        )


@contextmanager
def _server(
    home: Path, module: str, arguments: list[str], stop: signal.Signals, variables: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of `nearcast.local` in a process group of its own, which is ended at last."""
    with (home / f"{module}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"nearcast.local.{module}", *arguments],
            env={**os.environ, **variables},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until(healthy: Check, process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + READY_S
    while not healthy():
        if process.poll() is not None or time.monotonic() > deadline:
            said = (home / "gateway.server.log").read_text(errors="replace")[-2000:]
            raise ServiceError(f"The gateway of the measurement did not start: {said}")
        time.sleep(0.05)
