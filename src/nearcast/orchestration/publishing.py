"""The task that paces the rows."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from nearcast.settings import Settings

REPORT_EVERY_S = 60.0
LATE_S = 1.0
"""A p99 lateness above this is worth an alert: a row a second is no longer a row a second."""


def publish_due_rows(settings: Settings, context: Mapping[str, Any]) -> dict[str, float]:
    """Publish for what is left of the run's length, as its Params say; return the report's figures.

    Raises
    ------
    NearcastError
        DynamoDB or PostgreSQL refused for too long; what was published is recorded.
    """
    from nearcast.alerts import raise_alert
    from nearcast.stream.pace import publish_paced

    params, run = context["params"], context["dag_run"]
    # A later try has what the earlier ones left of the run.
    left = params["seconds"] - (time.time() - run.start_date.timestamp())
    print(f"{params['rate']:g} rows/s for {left:.0f} s, symbols: {', '.join(params['symbols']) or 'all'}")
    report = publish_paced(
        settings,
        rate=params["rate"],
        symbols=params["symbols"],
        seconds=max(left, 0.0),
        limit=params["rows"],
        stop=told_to_stop(),
        on_progress=_progress(),
    )
    figures: dict[str, float] = {name: value for name, value in asdict(report).items() if value is not None}
    print(", ".join(f"{name} {value:g}" for name, value in figures.items()))
    if figures.get("lateness_p99_s", 0.0) > LATE_S:
        raise_alert(settings, "publish_prices", f"ticks were late: p99 {figures['lateness_p99_s']:.2f} s")
    return figures


def told_to_stop() -> Callable[[], bool]:
    """Return a check: Airflow has sent SIGTERM, or the worker that started this task has been killed.

    In both cases another try may be at work already, and this process is of no use any more.
    """
    worker, told = os.getppid(), threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: told.set())
    return lambda: told.is_set() or os.getppid() != worker


def _progress() -> Callable[[float], None]:
    """Return a function that counts rows and says once a minute how many they are."""
    count, said = 0, time.monotonic()

    def advance(rows: float) -> None:
        nonlocal count, said
        count += int(rows)
        if time.monotonic() - said >= REPORT_EVERY_S:
            said = time.monotonic()
            print(f"{count:,} rows so far")

    return advance
