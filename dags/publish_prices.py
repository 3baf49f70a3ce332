"""A row a second from PostgreSQL to DynamoDB, all day.

One task paces the rows; a run of Airflow for each row would cost more than three seconds. Its ticks and what it
published are stored, so the next run, or the next try after a kill, goes on exactly where this one stopped.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Param, task

from nearcast.orchestration.failures import deadline, report_failure

SECONDS = 600
"""Length of a run. Its settings hold for the whole run; between two runs lie some seconds, which are made up."""

with DAG(
    "publish_prices",
    description="A row a second from PostgreSQL to DynamoDB",
    schedule="@continuous",
    # Without a start the second run would get the logical date of the first, and never come.
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={
        "rate": Param(1.0, type="number", exclusiveMinimum=0, description="Rows a second"),
        "symbols": Param([], type="array", items={"type": "string"}, description="Only these; none: all"),
        "seconds": Param(SECONDS, type="integer", minimum=1, description="Length of the run"),
        "rows": Param(None, type=["integer", "null"], minimum=1, description="End after so many rows"),
    },
    # Late ticks are told by the task itself; this is for a publisher that does not run at all.
    deadline=deadline("publish_prices", 60),
    default_args={
        "retries": 100,
        "retry_delay": timedelta(seconds=1),
        "on_failure_callback": report_failure,
    },
    tags=["stream"],
    doc_md=__doc__,
):

    @task
    def publish() -> dict[str, float]:
        """Publish the rows that fall due until the run's length is over."""
        from airflow.sdk import get_current_context

        from nearcast.orchestration.connection import airflow_settings
        from nearcast.orchestration.publishing import publish_due_rows

        return publish_due_rows(airflow_settings(), get_current_context())

    publish()
