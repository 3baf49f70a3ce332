"""What happens when a task fails for good, or a run is late: an alert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nearcast.settings import load_settings


def report_failure(context: Mapping[str, Any]) -> None:
    """Raise an alert for a task that has failed and is not tried again (Airflow's `on_failure_callback`)."""
    from nearcast.alerts import raise_alert

    task = context["task_instance"]
    reason = context.get("exception") or "its process was ended"
    raise_alert(load_settings(), f"{task.dag_id}.{task.task_id}", f"failed in {task.run_id}: {reason}")


async def report_late(dag_id: str, minutes: float) -> None:
    """Raise an alert for a run that is not done in time (the callback of a `DeadlineAlert`)."""
    import asyncio

    from nearcast.alerts import raise_alert

    text = f"a run was not done {minutes:g} minutes after it was queued"
    await asyncio.to_thread(raise_alert, load_settings(), dag_id, text)


def deadline(dag_id: str, minutes: float) -> Any:
    """Return the alert for a run of ``dag_id`` that is not done so many minutes after it was queued.

    Source: airflow.apache.org/docs/apache-airflow/stable/howto/deadline-alerts.html
    """
    from datetime import timedelta

    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes),
        callback=AsyncCallback(report_late, kwargs={"dag_id": dag_id, "minutes": minutes}),
    )


def give_way() -> None:
    """Let the processes that publish and serve go first: this one is in no hurry."""
    import os

    os.nice(10)
