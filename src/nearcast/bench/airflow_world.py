"""A throw-away world with everything in it, Airflow too, in which rows flow at a rate."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nearcast.bench.rows import bars, load
from nearcast.errors import NearcastError
from nearcast.settings import Settings

if TYPE_CHECKING:
    from nearcast.local.airflow_api import AirflowApi

DAG_ID = "publish_prices"
HISTORY = 1_000
ARRIVAL_S = 180.0
Note = Callable[[str], None]


@dataclass(frozen=True)
class Flow:
    """The settings of a world in which rows wait to be published, and Airflow's API."""

    settings: Settings
    api: AirflowApi


@contextmanager
def airflow_world(rows: int, note: Note) -> Iterator[Flow]:
    """Start every service in a temporary home, publish a history, and leave ``rows`` rows pending; end all at last.

    Raises
    ------
    NearcastError
        A service did not become ready.
    """
    from nearcast.demo.orchestrated import wait_for_dag
    from nearcast.local.world import start, stop
    from nearcast.stream.publisher import publish

    with tempfile.TemporaryDirectory(prefix="nearcast-bench-") as folder:
        home = Path(folder).resolve()
        try:
            settings = start(home, note=note)
            load(settings, bars(HISTORY + rows))
            publish(settings, limit=HISTORY)
            note("waiting for the history to be in the lake")
            wait_until_equal(settings)
            note("waiting for Airflow")
            yield Flow(settings, wait_for_dag(home))
        finally:
            stop(home)


def wait_until_equal(settings: Settings) -> dict[str, int]:
    """Wait until the lake holds what was published; return what still differs after `ARRIVAL_S`."""
    from nearcast.lake.reconcile import reconcile

    deadline = time.monotonic() + ARRIVAL_S
    while (difference := reconcile(settings)) and time.monotonic() < deadline:
        time.sleep(1.0)
    return difference.counts()


def ticks(settings: Settings, since: float) -> list[tuple[float, float]]:
    """Return when each paced row was due and when it was published (epoch seconds), by tick."""
    from nearcast.source.database import connect

    query = (
        "SELECT extract(epoch FROM due_at)::float8, extract(epoch FROM first_published_at)::float8"
        " FROM nearcast.publications WHERE due_at IS NOT NULL AND first_published_at > to_timestamp(%s)"
        " ORDER BY due_at"
    )
    with connect(settings.need("postgres_dsn")) as link:
        return [(float(due), float(at)) for due, at in link.execute(query, (since,)).fetchall()]


def wait_for_rows(
    flow: Flow, since: float, rows: int, timeout_s: float, note: Note
) -> list[tuple[float, float]]:
    """Wait until so many rows were published since then; say twice a minute how many they are.

    Raises
    ------
    NearcastError
        They are not there in time.
    """
    deadline, said = time.monotonic() + timeout_s, time.monotonic()
    while len(found := ticks(flow.settings, since)) < rows:
        if time.monotonic() > deadline:
            raise NearcastError(f"Only {len(found)} of {rows} rows were published in {timeout_s:.0f} s.")
        if time.monotonic() - said > 30:
            said = time.monotonic()
            note(f"{len(found)} of {rows} rows")
        time.sleep(1.0)
    return found[:rows]


def quantile(values: list[float], share: float) -> float:
    """Return the smallest of ``values`` that at least ``share`` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
