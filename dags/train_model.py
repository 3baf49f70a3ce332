"""A new model, once a day and when the champion's forecasts have drifted; looked at whenever the prices are new.

It becomes the champion only if it is better on days that neither learned from, or as good and simpler. Params of a
run that is started by hand: the recipe, whether to begin from the champion, whether to train even if it is not due.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Asset, Param, get_current_context, task

from nearcast.orchestration import PRICES_ASSET
from nearcast.orchestration.failures import deadline, report_failure

with DAG(
    "train_model",
    description="Train when a day has passed or the forecasts have drifted; promote what is better",
    schedule=[Asset(PRICES_ASSET)],
    start_date=datetime(2026, 1, 1),
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    deadline=deadline("train_model", 60),
    default_args={
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(hours=1),
        "on_failure_callback": report_failure,
    },
    params={
        "recipe": Param("quantile", enum=["quantile", "levels"], description="What to train"),
        "always": Param(False, type="boolean", description="Train even if it is not due"),
        "fine_tune": Param(False, type="boolean", description="quantile: begin with the champion's networks"),
    },
    tags=["forecast"],
    doc_md=__doc__,
):

    @task.short_circuit
    def is_due() -> bool:
        """Tell whether to train, and why."""
        from nearcast.forecast.due import training_due
        from nearcast.orchestration.connection import airflow_settings

        if get_current_context()["params"]["always"]:
            print("asked for by hand")
            return True
        reason = training_due(airflow_settings())
        print(reason or "a model was trained within the last day, and the champion has not drifted since")
        return reason is not None

    @task
    def train() -> dict[str, float]:
        """Train on the lake's prices; the model becomes the champion if it is better."""
        from nearcast.forecast.recipes import recipe_named
        from nearcast.forecast.train import train as train_recipe
        from nearcast.lake.sync import sync
        from nearcast.orchestration.connection import airflow_settings
        from nearcast.orchestration.failures import give_way

        give_way()
        settings = airflow_settings()
        print(sync(settings))
        params = get_current_context()["params"]
        if params["recipe"] == "levels":
            from nearcast.forecast.levels.recipe import LevelsRecipe
            from nearcast.forecast.levels.train import train as train_levels

            return train_levels(settings, LevelsRecipe(), progress=print).metrics
        recipe = recipe_named(params["recipe"])
        report = train_recipe(settings, recipe, progress=print, fine_tune=params["fine_tune"])
        print(f"model {report.model_version} in {report.seconds:.0f} s: {report.metrics}")
        print(f"{report.promotion.decision}: {report.promotion.reason}")
        return report.metrics

    is_due() >> train()
