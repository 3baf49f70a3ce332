"""Starting services under a home's supervisor: wait for their health, undo what was started on a failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from nearcast.errors import ServiceError
from nearcast.local import processes
from nearcast.local.home import Note
from nearcast.local.services import Service
from nearcast.local.supervise import Supervisor

START_DEADLINE_S = 180.0
_SHUTDOWN_DEADLINE_S = 150.0
_POLL_S = 0.05
_UP = ("STARTING", "RUNNING")  # STARTING is supervisord's word for the first seconds, even if it answers
_GIVEN_UP = ("FATAL", "STOPPED", "EXITED", "UNKNOWN")


class Launcher:
    """Starts services and remembers which it started, so that a failure can undo just that."""

    def __init__(self, supervisor: Supervisor, note: Note) -> None:
        self.supervisor = supervisor
        self.note = note
        self.started: list[Service] = []
        self.cancelled = False

    def start(self, service: Service) -> None:
        """Have ``service`` started unless it runs; do not wait."""
        if self.cancelled:  # another service failed meanwhile
            raise ServiceError(f"{service.name} was not started.")
        if self.supervisor.start(service.name):
            self.started.append(service)
            self.note(f"starting {service.name}" + (f" on port {service.port}" if service.port else ""))

    def start_and_wait(self, service: Service, timeout: float = START_DEADLINE_S) -> None:
        """Start ``service`` unless it runs, and wait until it is ready."""
        self.start(service)
        await_healthy(self.supervisor, service, timeout)

    def undo(self) -> None:
        """Stop what this launcher started, the last first."""
        self.cancelled = True
        for service in sorted(self.started, key=lambda item: -item.priority):
            self.supervisor.stop(service.name)


@contextmanager
def launching(supervisor: Supervisor, services: Sequence[Service], note: Note) -> Iterator[Launcher]:
    """Give a launcher for ``services``; when its block fails (Ctrl-C too), what it started is stopped.

    A supervisor that is running is used, else one is launched, and stopped again after a failure.
    """
    fresh = not supervisor.alive()
    if fresh:
        supervisor.launch(services)
    launcher = Launcher(supervisor, note)
    try:
        yield launcher
    except BaseException:
        launcher.cancelled = True
        note("stopping what was started")
        if fresh:
            stop_everything(supervisor)
        else:
            launcher.undo()
        raise


def await_healthy(supervisor: Supervisor, service: Service, timeout: float = START_DEADLINE_S) -> None:
    """Return when ``service`` is ready.

    Raises
    ------
    ServiceError
        The supervisor gave it up, or it is not ready within ``timeout`` seconds; with the end of its log.
    """
    deadline = time.monotonic() + timeout
    while True:
        info = supervisor.states().get(service.name)
        state = info.state if info else "STOPPED"
        if state in _UP and (service.healthy() if service.healthy else state == "RUNNING"):
            return
        if state in _GIVEN_UP:
            raise _not_ready(supervisor, service, "did not start")
        if time.monotonic() > deadline:
            raise _not_ready(supervisor, service, f"was not ready within {timeout:g} s")
        time.sleep(_POLL_S)


def _not_ready(supervisor: Supervisor, service: Service, what: str) -> ServiceError:
    return ServiceError(
        f"{service.name} {what}. Its log ends with:\n{supervisor.log_tail(service.name)}",
        kept="The data of earlier runs.",
        todo=f"Read {supervisor.log(service.name)}, then run the same command again.",
    )


def stop_everything(supervisor: Supervisor) -> None:
    """Stop every service in reverse order, then end whatever process of the home is left.

    Raises
    ------
    ServiceError
        A process survived SIGKILL (it hangs in the kernel, or is another user's).
    """
    supervisor.shutdown(_SHUTDOWN_DEADLINE_S)
    processes.end(supervisor.home)
    supervisor.remove_socket()
    if left := processes.find(supervisor.home):
        names = ", ".join(f"{name} (process {pid})" for pid, name in left.items())
        raise ServiceError(
            f"These did not end: {names}.", todo="End them by hand, then run the command again."
        )


def in_parallel(steps: Sequence[Callable[[], None]]) -> None:
    """Run ``steps`` side by side; when one fails, raise its error without waiting for the others."""
    pool = ThreadPoolExecutor(len(steps), thread_name_prefix="start")
    try:
        pending: set[Future[None]] = {pool.submit(step) for step in steps}
        while pending:
            done, pending = wait(pending, timeout=0.5, return_when="FIRST_COMPLETED")
            for future in done:
                future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def home_supervisor(home: Path, note: Note) -> Supervisor:
    """Return the supervisor of ``home``; when it is not running, first end what a killed one left behind."""
    supervisor = Supervisor(home)
    if not supervisor.alive() and (left := processes.end(home)):
        note(f"ended what an earlier run left: {', '.join(left)}")
    return supervisor
