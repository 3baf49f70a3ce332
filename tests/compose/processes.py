"""compose.yaml's services as plain processes in a folder, in its order, with its environment and its health checks.

What differs from containers: ports are free ones, servers bind loopback, PostgreSQL comes from the project's wheel,
and there is no pgAdmin. ``python -m tests.compose.processes FOLDER`` starts them all and prints how they are.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from nearcast.local import postgres
from nearcast.local.ports import choose_ports, port_variable
from nearcast.local.services import WITH_PORT
from tests.compose.compose_file import ROOT, Service, command, example_variables, services, started_with

NOT_HERE = ("namespace", "pgadmin")
DEADLINE_S = 240.0


class Composition:
    """The services of compose.yaml in ``folder``; all that were started end with it."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.folder, self.more = folder, more
        values = {name: value or secrets.token_hex(24) for name, value in example_variables().items()}
        self.services = services(values)
        self.ports = choose_ports(WITH_PORT, {})
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "logs").mkdir(parents=True)

    def __enter__(self) -> Composition:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, process in reversed(self.running.items()):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def environment(self, service: Service) -> dict[str, str]:
        """Return the environment of a service's container, with this folder and these ports."""
        own = {port_variable(name): str(port) for name, port in self.ports.items()}
        given = {**service.get("environment", {}), "PGPORT": str(self.ports["postgres"])}
        replaced = {name: own.get(name, value) for name, value in given.items()}
        if "NEARCAST_HOME" in replaced:
            replaced |= {"NEARCAST_HOME": str(self.folder / "home"), "NEARCAST_LISTEN_ADDRESS": "127.0.0.1"}
        inherited = {name: os.environ[name] for name in ("HOME", "NEARCAST_CACHE") if name in os.environ}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**inherited, "PATH": path, "PYTHONPATH": str(ROOT / "src"), **replaced, **self.more}

    def up(self, names: Iterable[str]) -> None:
        """Start services and all that they need, each when what it depends on is as far as it asks for."""
        for name in names:
            for needed in started_with(name):
                if needed not in self.running and needed not in NOT_HERE:
                    self._start(needed)

    def _start(self, name: str) -> None:
        service = self.services[name]
        for needed, how in service.get("depends_on", {}).items():
            if needed not in NOT_HERE:
                self.wait(needed, how["condition"])
        words = self._postgres(service) if name == "postgres" else self.words(command(service))
        with (self.folder / "logs" / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                words,
                env=self.environment(service),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                start_new_session=True,
            )

    def _postgres(self, service: Service) -> list[str]:
        home = self.folder / "postgres"
        postgres.initialise(home, service["environment"]["POSTGRES_PASSWORD"])
        return [sys.executable, "-m", "nearcast.local.postgres", str(home), str(self.ports["postgres"])]

    @staticmethod
    def words(found: list[str]) -> list[str]:
        """Return a command with the programs of the image replaced by those of this environment."""
        programs = {
            "python": [sys.executable],
            "nearcast": [sys.executable, "-c", "from nearcast.cli import main; main()"],
            "pg_isready": [str(postgres._binary("pg_isready"))],
        }
        return [*programs[found[0]], *found[1:]]

    def healthy(self, name: str) -> bool:
        """Tell what the health check of a service says."""
        service = self.services[name]
        kind, *words = service["healthcheck"]["test"]
        assert kind == "CMD"
        done = subprocess.run(
            self.words(words),
            env=self.environment(service),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE_S,
        )
        return done.returncode == 0

    def wait(self, name: str, condition: str = "service_healthy") -> None:
        """Return when a service has reached a condition of compose.yaml; fail when it cannot any more."""
        process, deadline = self.running[name], time.monotonic() + DEADLINE_S
        if condition == "service_completed_successfully":
            assert process.wait(DEADLINE_S) == 0, self.log(name)
            return
        while not self.healthy(name):
            assert process.poll() is None, f"{name} has ended: {self.log(name)}"
            assert time.monotonic() < deadline, f"{name} is not healthy: {self.log(name)}"
            time.sleep(0.3)

    def log(self, name: str) -> str:
        """Return the end of a service's log."""
        return (self.folder / "logs" / f"{name}.log").read_text(errors="replace")[-3000:]

    def run(self, name: str, *arguments: str) -> str:
        """Do what ``docker compose exec NAME nearcast …`` does; return what it prints."""
        done = subprocess.run(
            self.words(["nearcast", *arguments]),
            env=self.environment(self.services[name]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


def main() -> None:
    """Start everything, wait until it is healthy, say so, and stay until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with Composition(Path(sys.argv[1]).absolute()) as composition:
        names = [name for name in composition.services if name not in NOT_HERE]
        began = time.monotonic()
        composition.up(names)
        for name in names:
            if "healthcheck" in composition.services[name]:
                composition.wait(name)
                print(f"{name} healthy after {time.monotonic() - began:.0f} s", flush=True)
        print(f"ports: {dict(composition.ports)}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
