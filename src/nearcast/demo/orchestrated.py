"""The live rows of a demonstration, published by Airflow's DAG instead of by the demonstration itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nearcast.demo.steps import POLL_S, Live
from nearcast.errors import NearcastError, ServiceError
from nearcast.settings import Settings

if TYPE_CHECKING:
    from nearcast.local.airflow_api import AirflowApi

DAG_ID = "publish_prices"
READY_S = 240.0
STALL_S = 90.0
"""Seconds without a row, beyond those between two ticks, after which something is wrong."""


def hold_back(home: Path) -> None:
    """Pause the DAG, should Airflow be running: the history has to be in the lake before live rows come."""
    from nearcast.local import airflow
    from nearcast.local.airflow_api import AirflowApi
    from nearcast.local.home import kept_ports

    if airflow.answers(kept_ports(home)["airflow"])():
        api = AirflowApi(home)
        if api.has_dag(DAG_ID):
            api.pause(DAG_ID)


def wait_for_dag(home: Path) -> AirflowApi:
    """Return Airflow's API as soon as it knows the DAG. Raises ServiceError when that takes too long."""
    from nearcast.local.airflow_api import AirflowApi
    from nearcast.local.world import wait_for

    deadline = time.monotonic() + READY_S
    wait_for(home, "airflow-api-server", READY_S)
    api = AirflowApi(home)
    while not api.has_dag(DAG_ID):
        if time.monotonic() > deadline:
            raise ServiceError(
                f"Airflow did not read the DAG {DAG_ID} within {READY_S:.0f} s.",
                todo="Read the log airflow-dag-processor in NEARCAST_HOME/logs; `--no-airflow` does without it.",
            )
        time.sleep(POLL_S)
    return api


def publish_by_airflow(
    settings: Settings,
    api: AirflowApi,
    live: Live,
    rate: float,
    advance: Callable[[float], None],
) -> None:
    """Start a run of the DAG for what is pending, and wait until DynamoDB has it.

    Raises
    ------
    NearcastError
        The run failed, or no row was published for too long.
    """
    from nearcast.stream.publisher import count_pending

    left = count_pending(settings, symbols=live.symbols)
    length = math.ceil(left / rate + 2 * STALL_S)
    run_id = api.start(DAG_ID, {"rate": rate, "symbols": live.symbols, "rows": left, "seconds": length})
    moved = time.monotonic()
    while left:
        time.sleep(POLL_S)
        now = count_pending(settings, symbols=live.symbols)
        if now != left:
            advance(left - now)
            moved = time.monotonic()
        left = now
        if left and time.monotonic() - moved > STALL_S + 1 / rate:
            raise NearcastError(
                f"{left} rows are still pending; the run {run_id} of {DAG_ID} is {api.state(DAG_ID, run_id)}.",
                kept="What was published stays; the DAG goes on with the rest.",
                todo="Look at the task's log on Airflow's page, or in NEARCAST_HOME/logs/airflow.",
            )
