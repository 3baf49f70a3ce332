"""Other settings of the champion's recipe, tried with Ray Tune when someone asks for it; every trial is in MLflow."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Param, task

from nearcast.orchestration.failures import report_failure

with DAG(
    "tune_model",
    description="Try other settings of the champion's recipe",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    params={"trials": Param(20, type="integer", minimum=1, description="Configurations to try")},
    default_args={"execution_timeout": timedelta(hours=12), "on_failure_callback": report_failure},
    tags=["forecast"],
    doc_md=__doc__,
):

    @task
    def tune() -> dict[str, Any]:
        """Tune on the lake's prices; nothing is promoted: see `nearcast train --from-tune`."""
        from airflow.sdk import get_current_context

        from nearcast.forecast.recipes import recipe_named
        from nearcast.forecast.tune import TunePlan
        from nearcast.forecast.tune import tune as tune_recipe
        from nearcast.orchestration.connection import airflow_settings
        from nearcast.orchestration.failures import give_way

        give_way()
        recipe = recipe_named("quantile")
        plan = TunePlan(recipe.name, get_current_context()["params"]["trials"], recipe.epochs)
        report = tune_recipe(airflow_settings(), recipe, plan, progress=print)
        print(f"best: {report.best}")
        return report.best

    tune()
