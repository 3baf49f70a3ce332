"""A tuning in MLflow: one run, and below it a run for each trial."""

from __future__ import annotations

import json
import time
from typing import Any

from ray import tune

from nearcast.forecast.trial import BEST_SCORE, CONFIG_TAG, SCORE
from nearcast.output import Output

EPOCH_METRICS = (SCORE, "validation_loss", "train_loss")
TRIAL_TAG = "trial"
PARENT_TAG = "mlflow.parentRunId"
STATUS = {"TERMINATED": "FINISHED", "ERROR": "FAILED"}
"""MLflow's word for a trial's end."""


def configuration(trial: Any) -> dict[str, Any]:
    """Return a trial's configuration."""
    fields: dict[str, Any] = trial.config["configuration"]
    return fields


class TrialRuns(tune.Callback):  # type: ignore[misc]
    """Logs every trial to a run of its own, and says a line on stderr when one has ended.

    Ray stores it with the state of the tuning, so it holds nothing that cannot be stored.

    Parameters
    ----------
    uri
        The tracking server's.
    parent_id
        The run of the tuning.
    """

    def __init__(self, uri: str, parent_id: str) -> None:
        self.uri = uri
        self.parent_id = parent_id
        self._runs: dict[str, str] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_runs": None}

    @property
    def client(self) -> Any:
        """The client of the tracking server."""
        import mlflow

        return mlflow.MlflowClient(self.uri)

    @property
    def runs(self) -> dict[str, str]:
        """The run of each trial by the trial's ID, those of an earlier process too."""
        if self._runs is None:
            client = self.client
            found = client.search_runs(
                [client.get_run(self.parent_id).info.experiment_id],
                f"tags.`{PARENT_TAG}` = '{self.parent_id}'",
                max_results=10_000,
            )
            self._runs = {run.data.tags[TRIAL_TAG]: run.info.run_id for run in found}
        return self._runs

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Open the trial's run, again when it begins anew after a stop."""
        from mlflow.entities import Param

        client = self.client
        if trial.trial_id in self.runs:
            client.update_run(self.runs[trial.trial_id], status="RUNNING")
            return
        number = len(self.runs) + 1
        tags = {
            PARENT_TAG: self.parent_id,
            TRIAL_TAG: trial.trial_id,
            CONFIG_TAG: json.dumps(configuration(trial)),
        }
        experiment = client.get_run(self.parent_id).info.experiment_id
        run_id = client.create_run(experiment, tags=tags, run_name=f"trial-{number}").info.run_id
        client.log_batch(
            run_id, params=[Param(name, str(value)) for name, value in configuration(trial).items()]
        )
        self.runs[trial.trial_id] = run_id

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Log an epoch."""
        from mlflow.entities import Metric

        now, epoch = int(time.time() * 1000), result["training_iteration"]
        metrics = [Metric(name, result[name], now, epoch) for name in EPOCH_METRICS]
        self.client.log_batch(self.runs[trial.trial_id], metrics=metrics)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """End the trial's run, and say how it went."""
        self._end(trials, trial, f"{trial.last_result[BEST_SCORE]:.4f}")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """End the trial's run as failed, and say so."""
        self._end(trials, trial, "failed")

    def end_stopped(self) -> int:
        """Mark the runs of trials that were stopped as killed; return how many trials have ended by themselves.

        Ray says TERMINATED of trials that Ctrl-C stopped, and of those that had not begun.
        """
        client, ended = self.client, 0
        for run_id in self.runs.values():
            if client.get_run(run_id).info.status in STATUS.values():
                ended += 1
            else:
                client.set_terminated(run_id, "KILLED")
        return ended

    def document(self, trial: Any) -> dict[str, Any]:
        """Return what is reported of a trial that has ended."""
        last = trial.last_result or {}
        return {
            "config": configuration(trial),
            "score": last.get(BEST_SCORE) if trial.status == "TERMINATED" else None,
            "epochs": last.get("training_iteration", 0),
            "status": STATUS[trial.status],
            "run_id": self.runs[trial.trial_id],
        }

    def _end(self, trials: list[Any], trial: Any, how: str) -> None:
        run_id = self.runs[trial.trial_id]
        self.client.set_terminated(run_id, "FAILED" if how == "failed" else "FINISHED")
        epochs = trial.last_result.get("training_iteration", 0) if trial.last_result else 0
        number = list(self.runs).index(trial.trial_id) + 1
        config = ", ".join(
            f"{name} {value:.2g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in configuration(trial).items()
        )
        Output().note(f"trial {number}: {how} after {epochs} epochs ({config})")
