"""The watcher of Airflow's workers, with small processes that have the titles of a scheduler's workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.conftest import eventually

SLEEP = "import time; time.sleep(60)"
SCHEDULER = f"""
import os, subprocess, sys, time
for title in ("<idle>", "<idle>", "a task"):
    subprocess.Popen([sys.executable, "-c", {SLEEP!r}, f"airflow worker -- LocalExecutor: {{title}}"])
time.sleep(1)  # so that the watcher's first look finds all of them
subprocess.Popen([sys.executable, "-m", "nearcast.local.airflow_workers", str(os.getpid())])
time.sleep(60)
"""


@dataclass
class Group:
    """A scheduler with its watcher, two idle workers and a busy one, in a process group of their own."""

    scheduler: subprocess.Popen[bytes]

    def processes(self, word: str) -> list[psutil.Process]:
        """Return the living processes of the group whose command has this word."""
        found = []
        for pid in psutil.pids():
            try:
                process = psutil.Process(pid)
                if os.getpgid(pid) == self.scheduler.pid and word in " ".join(process.cmdline()):
                    found.append(process)
            except (psutil.Error, ProcessLookupError):
                continue
        return found


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    """A group whose watcher has looked at its workers at least once."""
    script = tmp_path / "scheduler.py"
    script.write_text(SCHEDULER)
    command = [sys.executable, str(script)]
    scheduler = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    group = Group(scheduler)
    try:
        assert scheduler.stderr
        assert scheduler.stderr.readline().startswith(b"watching 3 workers")
        yield group
    finally:
        os.killpg(scheduler.pid, signal.SIGKILL)
        scheduler.wait()


def test_a_killed_idle_worker_ends_the_scheduler(group: Group) -> None:
    group.processes("<idle>")[0].kill()
    assert group.scheduler.wait(10) == -signal.SIGKILL


def test_a_killed_busy_worker_does_not(group: Group) -> None:
    group.processes("a task")[0].kill()
    time.sleep(3)
    assert group.scheduler.poll() is None
    assert len(group.processes("<idle>")) == 2


def test_after_the_scheduler_idle_workers_are_ended_and_a_busy_one_may_finish(group: Group) -> None:
    (busy,) = group.processes("a task")
    group.scheduler.kill()
    group.scheduler.wait()
    eventually(lambda: group.processes("<idle>") == [])
    time.sleep(1.5)
    assert busy.is_running() and group.processes("airflow_workers")
    busy.kill()
    eventually(lambda: group.processes("airflow_workers") == [])
