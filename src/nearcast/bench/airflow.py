"""A row a second through Airflow: every tick, within the runs and between them."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

from nearcast.bench.airflow_world import (
    DAG_ID,
    Flow,
    Note,
    airflow_world,
    quantile,
    wait_for_rows,
    wait_until_equal,
)

SLACK_ROWS = 300


def bench_airflow(rows: int, first_run_s: int, note: Note) -> dict[str, Any]:
    """Publish ``rows`` rows through the DAG, a row a second, and compare the lake with the source in the end.

    The first run is ``first_run_s`` seconds long, those after it as long as the DAG says.

    Returns the document of `nearcast bench airflow`: the rows, the distances of their ticks, the lateness (s) of
    ticks within a run and at the borders of two, and what the lake lacks or has too much in the end.

    Raises
    ------
    NearcastError
        The rows were not published in twice their time.
    """
    with airflow_world(rows + SLACK_ROWS, note) as flow:
        since = time.time()
        flow.api.start(DAG_ID, {"seconds": first_run_s})
        found = wait_for_rows(flow, since, rows, 2 * rows + 120, note)
        flow.api.pause(DAG_ID)
        left = wait_until_equal(flow.settings)
        return {"first_run_s": first_run_s, **judge(found, _first_rows(flow, found)), **left}


def judge(found: list[tuple[float, float]], first_of_run: set[float]) -> dict[str, Any]:
    """Return the figures of ticks (due, published): ``first_of_run`` are the moments at which a run's first left."""
    within = [at - due for due, at in found if at not in first_of_run]
    border = [at - due for due, at in found if at in first_of_run]
    steps = [after - before for (before, _), (after, _) in pairwise(found)]
    return {
        "rows": len(found),
        "tick_s": {"min": round(min(steps), 4), "max": round(max(steps), 4)},
        "lateness_within_s": {
            "p50": quantile(within, 0.5),
            "p99": quantile(within, 0.99),
            "max": max(within),
        },
        "borders": len(first_of_run),
        "lateness_at_border_s": {"rows": len(border), "max": round(max(border, default=0.0), 3)},
    }


def _first_rows(flow: Flow, found: list[tuple[float, float]]) -> set[float]:
    """Return when the first rows of each run but the first were published: those made up for leave together."""
    starts = sorted(flow.api.task_starts(DAG_ID))[1:]
    published = sorted({at for _, at in found})
    return {min(at for at in published if at >= start) for start in starts if start < published[-1]}
