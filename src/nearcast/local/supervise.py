"""One supervisord for each home: it starts the services, restarts those that die, and rotates their logs.

The daemon has a session of its own, so that it outlives `nearcast up`; it is found again by its socket, and
asked through its XML-RPC interface (https://supervisord.org/api.html).
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from nearcast.errors import ServiceError
from nearcast.local import processes
from nearcast.local.services import Service
from nearcast.local.supervisor_config import configuration

_UNREACHABLE = (OSError, http.client.HTTPException)
_SOCKET_PATH_LIMIT = 100
"""Below the 108 bytes that Linux (104: macOS) has for a socket's path, as supervisord appends its pid."""
_STARTED = ("STARTING", "RUNNING", "BACKOFF")
_FAULT_NOT_RUNNING, _FAULT_ALREADY_STARTED = 70, 60


@dataclass(frozen=True)
class ProcessInfo:
    """What supervisord says of a service: its state (STOPPED, RUNNING, BACKOFF, FATAL …), its pid."""

    state: str
    pid: int | None
    started: float
    message: str


class Supervisor:
    """The supervisord of ``home``, running or not.

    Parameters
    ----------
    home
        NEARCAST_HOME, absolute and without symbolic links.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "supervisor"
        self.logs = home / "logs"
        self._config = self.folder / "supervisord.conf"
        self._socket_note = self.folder / "socket"

    def log(self, service: str) -> Path:
        """Return the log file of ``service``."""
        return self.logs / f"{service}.log"

    def alive(self) -> bool:
        """Tell whether the daemon answers."""
        try:
            self._call("getState")
        except (*_UNREACHABLE, ServiceError):
            return False
        return True

    def launch(self, services: Iterable[Service]) -> None:
        """Write the configuration and start the daemon; no service is started yet.

        Raises
        ------
        ServiceError
            The daemon ended at once or does not answer.
        """
        socket = socket_path(self.home)
        for folder in (self.folder, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket_note.write_text(str(socket))
        _write_private(self._config, configuration(services, socket))
        socket.unlink(missing_ok=True)  # left by a kill -9
        environment = {
            **os.environ,
            processes.HOME_VARIABLE: str(self.home),
            processes.SERVICE_VARIABLE: "supervisor",
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(self._config)]
        done = subprocess.run(
            command, env=environment, cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode != 0 or not self._answers_within(15.0):
            raise ServiceError(
                f"The supervisor of the local services did not start: {(done.stderr or done.stdout).strip()}",
                kept="Nothing was started.",
                todo=f"Read {self.log('supervisor')}.",
            )

    def start(self, service: str) -> bool:
        """Have ``service`` started, without waiting; return False when it already is.

        Raises
        ------
        ServiceError
            Its command cannot be run at all.
        """
        try:
            self._call("startProcess", service, False)
        except Fault as fault:
            if fault.faultCode == _FAULT_ALREADY_STARTED:
                return False
            raise ServiceError(f"{service} cannot be started: {fault.faultString}.") from fault
        return True

    def stop(self, service: str) -> None:
        """Stop ``service`` and wait until it has ended."""
        try:
            self._call("stopProcess", service, True)
        except Fault as fault:
            if fault.faultCode != _FAULT_NOT_RUNNING:
                raise

    def states(self) -> dict[str, ProcessInfo]:
        """Return what the daemon says of each service; nothing when there is no daemon."""
        try:
            answer = self._call("getAllProcessInfo")
        except (*_UNREACHABLE, ServiceError):
            return {}
        return {
            item["name"]: ProcessInfo(item["statename"], item["pid"] or None, item["start"], item["spawnerr"])
            for item in answer
        }

    def running(self) -> set[str]:
        """Return the names of the services that are started or being restarted."""
        return {name for name, info in self.states().items() if info.state in _STARTED}

    def shutdown(self, timeout: float) -> bool:
        """Stop every service in reverse order and the daemon; tell whether it ended within ``timeout`` s."""
        try:
            pid = self._call("getPID")
            self._call("shutdown")
        except (*_UNREACHABLE, ServiceError, Fault):
            return False
        deadline = time.monotonic() + timeout
        while processes.alive(pid):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def log_tail(self, service: str, lines: int = 15) -> str:
        """Return the last lines of a service's log."""
        try:
            text = self.log(service).read_text(errors="replace")
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])

    def _call(self, method: str, *arguments: object) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        try:
            socket = self._socket_note.read_text()
        except FileNotFoundError:
            raise ServiceError(
                "The local services were never started here.", todo="Run `nearcast up`."
            ) from None
        transport = SupervisorTransport(serverurl=f"unix://{socket}")
        try:
            proxy = ServerProxy("http://127.0.0.1", transport=transport)
            return getattr(proxy.supervisor, method)(*arguments)
        finally:
            transport.close()

    def _answers_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.alive():
                return True
            time.sleep(0.02)
        return False

    def remove_socket(self) -> None:
        """Remove the control socket and its folder, which a killed daemon leaves behind."""
        try:
            socket = Path(self._socket_note.read_text())
        except FileNotFoundError:
            return
        socket.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # never made, or not empty
            socket.parent.rmdir()


def socket_path(home: Path) -> Path:
    """Return the control socket of ``home``, in a folder that only we can enter.

    It is not in ``home``, whose path may be longer than a socket's may.

    Raises
    ------
    ServiceError
        Somebody else made that folder first.
    """
    name = f"nearcast-{os.getuid()}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
    roots = [Path(tempfile.gettempdir()), Path("/tmp")]
    folder = (
        next((r for r in roots if len(os.fsencode(r / name / "control")) < _SOCKET_PATH_LIMIT), roots[-1])
        / name
    )
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ServiceError(
            f"{folder} belongs to somebody else, or others can enter it.",
            kept="Nothing was started.",
            todo="Remove it, or set TMPDIR to a folder of your own.",
        )
    return folder / "control"


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
