"""Glue job runs: the deployed script, with the deployed arguments, in a real Spark process."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

from nearcast.local.gateway import calls, journal
from nearcast.local.gateway.hooks import Action, AwsError
from nearcast.local.gateway.spark import SparkHost
from nearcast.log import get_logger

ACTIVE = ("STARTING", "RUNNING", "STOPPING")
RUNS_KEPT = 200
log = get_logger("jobs")


def actions(runner: Runner) -> dict[str, Action]:
    """Return the job-run actions that are done here; the others are ministack's."""
    return {"StartJobRun": runner.start_job_run, "BatchStopJobRun": runner.batch_stop_job_run}


class Runner:
    """Starts and stops job runs; their records are ministack's, so GetJobRun answers with them."""

    def __init__(self, home: Path, spark: SparkHost) -> None:
        self.scripts = home / "gateway" / "scripts"
        self.logs = home / "logs" / "jobs"
        self.spark = spark

    def start_job_run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start a run and return its id. Raises AwsError: no such job, or too many of its runs."""
        from ministack.core.concurrency import spawn_background
        from ministack.services import glue

        name = request["JobName"]
        job = glue._jobs.get(name)
        if job is None:
            raise AwsError(
                "EntityNotFoundException", f"Failed to start job run due to missing metadata: {name}"
            )
        runs = glue._job_runs.setdefault(name, [])
        limit = int((job.get("ExecutionProperty") or {}).get("MaxConcurrentRuns", 1))
        if sum(run["JobRunState"] in ACTIVE for run in runs) >= limit:
            raise AwsError("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}")
        run = _new_run(job, request)
        runs.append(run)
        del runs[:-RUNS_KEPT]
        journal.note("job_run", run["Id"], run)
        arguments = {**(job.get("DefaultArguments") or {}), **(request.get("Arguments") or {})}
        spawn_background(self._run, job, run, arguments, thread_name="gateway-job")
        return {"JobRunId": run["Id"]}

    def batch_stop_job_run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Stop runs: the Spark process that a running one has is ended, and a new one is warmed."""
        from ministack.services import glue

        stopped, errors = [], []
        runs = {run["Id"]: run for run in glue._job_runs.get(request["JobName"], [])}
        for run_id in request["JobRunIds"]:
            run = runs.get(run_id)
            identity = {"JobName": request["JobName"], "JobRunId": run_id}
            if run is None or run["JobRunState"] not in ACTIVE:
                detail = {"ErrorCode": "InvalidInputException", "ErrorMessage": "The run is not active"}
                errors.append({**identity, "ErrorDetail": detail})
                continue
            run["JobRunState"] = "STOPPING"
            self.spark.cancel(run_id)
            stopped.append(identity)
        return {"SuccessfulSubmissions": stopped, "Errors": errors}

    def _run(self, job: dict[str, Any], run: dict[str, Any], arguments: dict[str, str]) -> None:
        try:
            script = self._fetch_script(job)
            state, error = self._execute(job, run, script, arguments)
        except Exception as failure:
            # Whatever went wrong is the run's outcome; nothing may leave it RUNNING for ever.
            log.exception("job run failed", job=job["Name"], run=run["Id"])
            state, error = "FAILED", f"{type(failure).__name__}: {failure}"
        if run["JobRunState"] == "STOPPING":
            state, error = "STOPPED", ""
        now = time.time()
        run.update(CompletedOn=now, LastModifiedOn=now, ExecutionTime=round(now - run["StartedOn"]))
        if error:
            run["ErrorMessage"] = error
        # Noted before anyone can see it.
        journal.note("job_run", run["Id"], {**run, "JobRunState": state})
        run["JobRunState"] = state

    def _execute(
        self, job: dict[str, Any], run: dict[str, Any], script: Path, arguments: dict[str, str]
    ) -> tuple[str, str]:
        self.logs.mkdir(parents=True, exist_ok=True)
        given = {**arguments, "--JOB_NAME": job["Name"], "--JOB_RUN_ID": run["Id"]}
        argv = [str(part) for pair in given.items() for part in pair]

        def running() -> None:
            if run["JobRunState"] == "STARTING":
                run["JobRunState"] = "RUNNING"

        return self.spark.run(
            run["Id"], script, argv, self.logs / f"{run['Id']}.log", run["Timeout"] * 60, running
        )

    def _fetch_script(self, job: dict[str, Any]) -> Path:
        bucket, key = calls.split_uri(job["Command"]["ScriptLocation"])
        path = self.scripts / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(calls.get_object(bucket, key))
        return path


def _new_run(job: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    now = time.time()
    return {
        "Id": f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}",
        "Attempt": 0,
        "JobName": job["Name"],
        "StartedOn": now,
        "LastModifiedOn": now,
        "JobRunState": "STARTING",
        "Arguments": request.get("Arguments") or {},
        "PredecessorRuns": [],
        "ExecutionTime": 0,
        "Timeout": int(request.get("Timeout") or job.get("Timeout") or 2880),
        "WorkerType": job.get("WorkerType"),
        "NumberOfWorkers": job.get("NumberOfWorkers"),
        "LogGroupName": "/aws-glue/jobs",
        "GlueVersion": job.get("GlueVersion"),
    }
