"""The next trading day of every symbol, stored whenever the prices are new.

While the services run, the forecaster does this within a second of each commit; the same forecast twice is one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Asset, task

from nearcast.orchestration import PRICES_ASSET
from nearcast.orchestration.failures import deadline, report_failure

with DAG(
    "forecast",
    description="Forecast the next trading day of every symbol",
    schedule=[Asset(PRICES_ASSET)],
    start_date=datetime(2026, 1, 1),
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    deadline=deadline("forecast", 10),
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "execution_timeout": timedelta(minutes=10),
        "on_failure_callback": report_failure,
    },
    tags=["forecast"],
    doc_md=__doc__,
):

    @task
    def forecast() -> int:
        """Forecast and store; skipped while there is no champion."""
        from airflow.sdk.exceptions import AirflowSkipException

        from nearcast.forecast.registry import champion_version
        from nearcast.forecast.service import forecast_newest
        from nearcast.orchestration.connection import airflow_settings
        from nearcast.orchestration.failures import give_way

        give_way()
        settings = airflow_settings()
        if champion_version(settings) is None:
            raise AirflowSkipException("There is no champion yet; train_model makes one.")
        return forecast_newest(settings, print)

    forecast()
