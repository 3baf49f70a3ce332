"""Folds in parallel over the cores, in processes of one thread each."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.backtest.answers import save
from nearcast.forecast.backtest.fold import answer
from nearcast.forecast.backtest.models import model_named

if TYPE_CHECKING:
    import pandas as pd

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}


@dataclass(frozen=True)
class Task:
    """One model's fold, and the file for its answer.

    Parameters
    ----------
    model
        What `model_named` makes it of.
    year, first
        The fold, and the first day of the backtest.
    bars
        A file with the pickled bars of the backtest.
    path
        Where the answer is to be kept.
    """

    model: str
    year: int
    first: np.datetime64
    bars: Path
    path: Path

    def __str__(self) -> str:
        return f"{self.model} {self.year}"


Progress = Callable[[Sequence[Task], int, int], None]
"""Is told the tasks that run now, how many are done, and how many there are."""


def run_tasks(tasks: Sequence[Task], jobs: int, progress: Progress) -> None:
    """Run tasks in ``jobs`` processes, whose answers are kept as they come.

    Parameters
    ----------
    progress
        Is told of each change.

    Raises
    ------
    ForecastError
        When a model fails or a process ends; answers that are there stay.
    """
    left = list(tasks)
    running: dict[Future[None], Task] = {}
    with _one_thread_each(), _pool(jobs) as pool:
        while left or running:
            while left and len(running) < jobs:
                task = left.pop(0)
                running[pool.submit(work, task)] = task
            progress(list(running.values()), len(tasks) - len(left) - len(running), len(tasks))
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                task = running.pop(future)
                try:
                    future.result()
                except BrokenProcessPool as error:
                    raise ForecastError(
                        f"A process ended while {task} ran; the machine may be out of memory.",
                        todo="Try again with fewer --jobs.",
                    ) from error
    progress([], len(tasks), len(tasks))


def work(task: Task) -> None:
    """Run one task and keep its answer."""
    save(task.path, answer(model_named(task.model), _bars(task.bars), task.year, task.first))


@lru_cache(maxsize=1)
def _bars(path: Path) -> pd.DataFrame:
    import pandas as pd

    bars: pd.DataFrame = pd.read_pickle(path)
    return bars


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Yield an executor whose processes end at once when the block fails or is interrupted."""
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_end_with_the_parent)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True)


def _end_with_the_parent() -> None:
    """End this process on Ctrl-C without a traceback, and when its parent has ended in whatever way."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let the processes that are started within the block use one thread: the cores are theirs already."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
