"""Watches the workers of one Airflow scheduler, for two things that its LocalExecutor does not survive.

``python -m nearcast.local.airflow_workers PID`` runs beside the scheduler PID, in its process group, and ends
after it.

* Idle workers wait in turn for one queue, and the first holds the queue's lock. Killed then, it takes the lock
  along, and no task starts any more. So the scheduler is ended when an idle worker is gone; its supervisor
  starts a new one.
* Workers outlive a killed scheduler. Those that run a task are left to finish it: it reports to the API server
  and not to the scheduler. Idle ones, which nothing would ever end, are ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

LOOK_S = 1.0
WORKER, IDLE = "LocalExecutor", "<idle>"
"""What is in the title of a worker process, and of one that runs no task (airflow.executors.local_executor)."""


def workers(group: int) -> dict[int, bool]:
    """Return the living workers in a process group: pid → whether it is idle."""
    import psutil

    found: dict[int, bool] = {}
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(pid) == group:
                title = " ".join(psutil.Process(pid).cmdline())  # empty once it has ended
                found |= {pid: IDLE in title} if WORKER in title else {}
    return found


def lost_idle(before: dict[int, bool], now: dict[int, bool]) -> bool:
    """Tell whether a worker that was idle is gone."""
    return any(idle and pid not in now for pid, idle in before.items())


def watch(scheduler: int) -> None:
    """Watch until the scheduler and all of its workers have ended."""
    group, known = os.getpgid(scheduler), dict[int, bool]()
    while os.getppid() == scheduler:
        now = workers(group)
        if lost_idle(known, now):
            print(f"an idle worker was killed: ending the scheduler {scheduler}", file=sys.stderr, flush=True)
            os.kill(scheduler, signal.SIGKILL)
        if now and not known:
            print(f"watching {len(now)} workers of the scheduler {scheduler}", file=sys.stderr, flush=True)
        known = now
        time.sleep(LOOK_S)
    while left := workers(group):
        for pid in (pid for pid, idle in left.items() if idle):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK_S)


if __name__ == "__main__":
    watch(int(sys.argv[1]))
