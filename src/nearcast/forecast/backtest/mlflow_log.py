"""A backtest as a run of MLflow: its figures as metrics, its report and verdict as artifacts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.forecast.backtest.claims import shown_name

if TYPE_CHECKING:
    from nearcast.settings import Settings

EXPERIMENT = "nearcast-backtests"
VERDICT_FILE = "verdict.json"
FIGURES = ("mae_ratio", "rmse_ratio", "mase", "pinball_loss", "crps", "coverage80", "coverage95")
RATIOS = ("pinball_ratio", "crps_ratio")


def check_mlflow(settings: Settings) -> None:
    """Raise a ForecastError when MLflow does not answer: before the work, not after it."""
    from nearcast.forecast.tracking import answering, connect

    with answering(settings):
        connect(settings).search_experiments(max_results=1)


def log_backtest(settings: Settings, document: dict[str, Any], report: Path) -> str:
    """Log a verdict and its report's folder to the experiment ``nearcast-backtests``; return the run's id.

    Raises
    ------
    ForecastError
        When MLflow does not answer.
    """
    from nearcast.forecast.tracking import answering, connect

    with answering(settings):
        connect(settings)
        import mlflow

        mlflow.set_experiment(EXPERIMENT)
        with mlflow.start_run(
            run_name=f"{document['folds'][0]['first']}–{document['folds'][-1]['last']}"
        ) as run:
            mlflow.log_params(_parameters(document))
            mlflow.log_metrics(metrics(document))
            mlflow.set_tag("leaking", ", ".join(_leaking(document)) or "none")
            mlflow.log_dict(document, VERDICT_FILE)
            mlflow.log_artifacts(str(report), "report")
    return str(run.info.run_id)


def metrics(document: dict[str, Any]) -> dict[str, float]:
    """Return each model's figures by ``<model>.<figure>``; MLflow's names have no colons."""
    values: dict[str, float] = {"forecasts": document["forecasts"], "left_out": document["left_out"]}
    for model in document["models"]:
        name = re.sub(r"[^\w. /-]", "_", shown_name(model))
        values |= {f"{name}.{figure}": model[figure] for figure in FIGURES}
        for ratio in RATIOS:
            ends = (("", "value"), ("_low", "low"), ("_high", "high"))
            values |= {f"{name}.{ratio}{end}": model[ratio][key] for end, key in ends}
    return values


def _parameters(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "first": document["folds"][0]["first"],
        "last": document["folds"][-1]["last"],
        "symbols": len(document["symbols"]),
        "models": len(document["models"]),
    }


def _leaking(document: dict[str, Any]) -> list[str]:
    return [model["name"] for model in document["models"] if model["leaking"]]
