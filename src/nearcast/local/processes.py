"""The processes of one home, found without trusting any pid file.

Every process that the supervisor starts carries NEARCAST_HOME and NEARCAST_SERVICE in its environment, and so
do its children. A user's own shell or command may carry NEARCAST_HOME, but never NEARCAST_SERVICE.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

SERVICE_VARIABLE = "NEARCAST_SERVICE"
HOME_VARIABLE = "NEARCAST_HOME"
GRACE_S = 10.0
END_S = 30.0


def find(home: Path) -> dict[int, str]:
    """Return the living processes of ``home`` as pid → service, those without a supervisor too."""
    import psutil

    found: dict[int, str] = {}
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error, OSError):  # gone meanwhile, or another user's
            if process.status() != psutil.STATUS_ZOMBIE and (service := _service(process, home)):
                found[process.pid] = service
    return found


def _service(process: psutil.Process, home: Path) -> str | None:
    import psutil

    with contextlib.suppress(psutil.AccessDenied):
        environment = process.environ()
        if environment.get(HOME_VARIABLE) == str(home) and environment.get(SERVICE_VARIABLE):
            return environment[SERVICE_VARIABLE]
    # PostgreSQL's backends write their title over their environment, and each is its own process group.
    if process.name().startswith("postgres") and Path(process.cwd()).is_relative_to(home):
        return "postgres"
    return None


def alive(pid: int) -> bool:
    """Tell whether ``pid`` runs; one that has ended and waits to be reaped does not."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end(home: Path, keep: Iterable[int] = ()) -> list[str]:
    """End every process of ``home`` but ``keep``: SIGTERM, then SIGKILL after 10 s; return their services.

    The supervisor is ended first, so that it starts nothing again.
    """
    kept = set(keep)
    ended: list[str] = []
    deadline = time.monotonic() + END_S
    # What a dying process started meanwhile (initdb starts one server after the other) comes in a later round.
    while left := {pid: service for pid, service in find(home).items() if pid not in kept}:
        if time.monotonic() > deadline:
            break
        supervisors = [pid for pid, service in left.items() if service == "supervisor"]
        _terminate(supervisors or list(left), grace=0.0 if supervisors else GRACE_S)
        ended += sorted(set(left.values()) - {*ended})
    return ended


def _terminate(pids: list[int], grace: float) -> None:
    import psutil

    processes = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(pid))
    for process in processes if grace else []:
        with contextlib.suppress(psutil.NoSuchProcess):
            # SIGINT is PostgreSQL's fast shutdown; its SIGTERM would wait for clients.
            process.send_signal(2 if process.name().startswith("postgres") else 15)
    _, alive = psutil.wait_procs(processes, timeout=grace)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=GRACE_S)
