"""The lake, brought up to date and checked: crawler, partitions, Hudi job, data checks; then the Asset of the prices.

While the services run, new rows reach the Hudi table within seconds without this. It takes care of what they
do not: the raw table's partitions, the checks, and whoever is scheduled by the Asset.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.amazon.aws.operators.athena import AthenaOperator
from airflow.providers.amazon.aws.operators.glue_crawler import GlueCrawlerRunOperator
from airflow.sdk import DAG, Asset, task

from nearcast.orchestration import PRICES_ASSET
from nearcast.orchestration.connection import setting
from nearcast.orchestration.failures import deadline, report_failure
from nearcast.orchestration.glue import GlueJobSlotOperator
from nearcast.schema import RAW_TABLE
from nearcast.settings import load_settings

with DAG(
    "refresh_lake",
    description="Crawler, partitions, Hudi job and data checks",
    schedule=load_settings().refresh_schedule,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    deadline=deadline("refresh_lake", 5),
    user_defined_macros={"setting": setting},
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "execution_timeout": timedelta(minutes=15),
        "on_failure_callback": report_failure,
    },
    tags=["lake"],
    doc_md=__doc__,
):

    @task.short_circuit
    def anything_published() -> bool:
        """Skip the rest while nothing was ever published: there is nothing to crawl."""
        from nearcast.lake.checks.run import published_rows
        from nearcast.orchestration.connection import airflow_settings

        rows = published_rows(airflow_settings())
        print(f"{rows:,} rows are published")
        return rows > 0

    crawl = GlueCrawlerRunOperator(
        task_id="crawl",
        crawler_name="{{ setting('crawler') }}",
        poll_interval=1,
        fail_on_already_running=False,
    )
    repair_partitions = AthenaOperator(
        task_id="repair_partitions",
        query=f"MSCK REPAIR TABLE {RAW_TABLE}",
        database="{{ setting('database') }}",
        workgroup="{{ setting('workgroup') }}",
        sleep_time=1,
    )
    upsert = GlueJobSlotOperator(task_id="upsert", job_name="{{ setting('hudi_job') }}", job_poll_interval=1)

    @task(outlets=[Asset(PRICES_ASSET)])
    def check() -> dict[str, int]:
        """Run the data checks; a lake that differs from its source fails the task, and the Asset stays as it was.

        Rows that are wrong are quarantined, and do not hold up the others.
        """
        from nearcast.lake.checks.run import run_checks
        from nearcast.orchestration.connection import airflow_settings

        run = run_checks(airflow_settings())
        for one in run.results:
            print(
                f"{one.severity:7} {one.name}: {one.findings:,}{f', such as {one.example}' * bool(one.findings)}"
            )
        print(f"{run.rows:,} rows, {run.quarantined:,} of them quarantined, {run.new:,} since the last run")
        run.raise_for_failures()
        return {one.name: one.findings for one in run.results}

    anything_published() >> [crawl, upsert]
    [crawl >> repair_partitions, upsert] >> check()
