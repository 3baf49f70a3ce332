"""kill -9 of each part while rows flow through Airflow: how long publishing pauses, and whether anything is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from itertools import pairwise
from typing import Any

from nearcast.bench.airflow_world import (
    DAG_ID,
    Flow,
    Note,
    airflow_world,
    ticks,
    wait_for_rows,
    wait_until_equal,
)
from nearcast.errors import NearcastError

TARGETS = ("task", "worker", "airflow-scheduler", "airflow-api-server", "postgres", "gateway", "spark")
WATCH_S = 50.0
ROWS = 1_500
STARTED_ROWS = 10


def bench_faults(targets: tuple[str, ...], seed: int, note: Note) -> dict[str, Any]:
    """Kill each target at a random moment, one after the other, and watch the rows for `WATCH_S` seconds.

    Returns the document of `nearcast bench faults`: for each kill the longest pause (s) between two published rows,
    what is not running in the end, the distances of the ticks, and what the lake lacks or has too much.

    Raises
    ------
    NearcastError
        A target was not there, or rows stopped for good.
    """
    moments = random.Random(seed)
    with airflow_world(ROWS, note) as flow:
        began = time.time()
        flow.api.start(DAG_ID, {"seconds": 3600})
        wait_for_rows(flow, began, STARTED_ROWS, 120, note)
        kills = [_kill(flow, target, moments.uniform(2, 8), note) for target in targets]
        down = [name for name, state in _states(flow).items() if state != "running"]
        steps = [after - before for (before, _), (after, _) in pairwise(ticks(flow.settings, began))]
        flow.api.pause(DAG_ID)
        left = wait_until_equal(flow.settings)
        tick_s = {"min": round(min(steps), 4), "max": round(max(steps), 4)}
        return {"seed": seed, "kills": kills, "not_running": down, "tick_s": tick_s, **left}


def _kill(flow: Flow, target: str, after_s: float, note: Note) -> dict[str, Any]:
    time.sleep(after_s)
    pid, since = find(flow, target), time.time()
    os.kill(pid, signal.SIGKILL)
    note(f"killed {target} (process {pid}); watching for {WATCH_S:.0f} s")
    time.sleep(WATCH_S)
    published = sorted(at for _, at in ticks(flow.settings, since - 5))
    pauses = [after - before for before, after in pairwise([*published, time.time()])]
    return {"target": target, "longest_pause_s": round(max(pauses), 1), "rows": len(published)}


def find(flow: Flow, target: str) -> int:
    """Return the process id of a service, or of the worker, the task or Spark, which are children of services.

    Raises
    ------
    NearcastError
        There is no such process.
    """
    is_child = target in ("task", "worker", "spark")
    found = _child(flow, target) if is_child else _services(flow)[target].pid
    if found is None:
        raise NearcastError(f"There is no process of {target} to kill.")
    return found


def _child(flow: Flow, target: str) -> int | None:
    import psutil

    from nearcast.local import processes
    from nearcast.local.airflow_workers import IDLE, WORKER

    titles = {pid: " ".join(psutil.Process(pid).cmdline()) for pid in processes.find(flow.settings.home)}
    if target == "spark":
        return next((pid for pid, title in titles.items() if "nearcast.local.spark_host" in title), None)
    busy = [pid for pid, title in titles.items() if WORKER in title and IDLE not in title]
    tasks = {pid: [child.pid for child in psutil.Process(pid).children()] for pid in busy}
    worker = next((pid for pid, children in tasks.items() if children), None)
    return worker if target == "worker" or worker is None else tasks[worker][0]


def _services(flow: Flow) -> dict[str, Any]:
    from nearcast.local.world import status

    return {service.name: service for service in status(flow.settings.home)}


def _states(flow: Flow) -> dict[str, str]:
    return {name: service.state for name, service in _services(flow).items()}
