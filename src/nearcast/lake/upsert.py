"""Running the Hudi job: until its queue is empty, or for ever."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from nearcast.aws import client
from nearcast.errors import LakeError
from nearcast.lake.timeline import commits_after, newest_commit, rows_written
from nearcast.log import get_logger
from nearcast.settings import Settings

POLL_S = 0.1
IDLE_S = 0.2
RETRY_S = 1.0
ACTIVE = ("STARTING", "RUNNING", "STOPPING", "WAITING")
CONTINUOUS = {"--mode": "continuous"}
log = get_logger("lake")


@dataclass(frozen=True)
class UpsertReport:
    """The newest commit after the run (None: the table is empty) and the rows that the run's commits wrote."""

    commit: str | None
    upserted: int


def upsert(settings: Settings) -> UpsertReport:
    """Run the job to its end and report what it committed. Raises LakeError when it fails."""
    before = newest_commit(settings)
    run_job(settings)
    new = commits_after(settings, before)
    rows = sum(rows_written(settings, instant) for instant in new)
    return UpsertReport(new[-1] if new else before, rows)


def run_job(settings: Settings) -> None:
    """Have the job commit all that its queue holds now: by a run of its own, or by the continuous one that runs.

    Raises LakeError with the job's own error when a run does not succeed.
    """
    glue = client("glue", settings)
    name = settings.need("hudi_job")
    while True:
        try:
            run_id = str(glue.start_job_run(JobName=name)["JobRunId"])
        except glue.exceptions.ConcurrentRunsExceededException:
            if has_continuous_run(glue, name) and waiting_objects(settings) == 0:
                return
            time.sleep(POLL_S)
        else:
            _wait(glue, name, run_id)
            return


def has_continuous_run(glue: Any, name: str) -> bool:
    """Tell whether a run goes on that commits whatever comes to the queue."""
    runs = glue.get_job_runs(JobName=name, MaxResults=10)["JobRuns"]
    active = [run for run in runs if run["JobRunState"] in ACTIVE]
    return any(run.get("Arguments", {}).get("--mode") == "continuous" for run in active)


def _wait(glue: Any, name: str, run_id: str) -> None:
    while True:
        run = glue.get_job_run(JobName=name, RunId=run_id)["JobRun"]
        if run["JobRunState"] not in ACTIVE:
            break
        time.sleep(POLL_S)
    if run["JobRunState"] != "SUCCEEDED":
        raise LakeError(
            f"The job {name} ended {run['JobRunState']}: {run.get('ErrorMessage', 'no reason given')}",
            kept="What it had committed stays; messages it had not finished return to the queue.",
            todo="See the run's log (logs/jobs in NEARCAST_HOME, or CloudWatch), then `nearcast lake upsert`.",
        )


def waiting_objects(settings: Settings) -> int:
    """Return how many notifications wait in the queue or are being worked on."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = client("sqs", settings).get_queue_attributes(
        QueueUrl=settings.need("raw_queue_url"), AttributeNames=names
    )
    return sum(int(answer["Attributes"][name]) for name in names)


def follow(settings: Settings) -> None:
    """Keep a continuous run of the job going, until the process is ended."""
    glue = client("glue", settings)
    name = settings.need("hudi_job")
    while True:
        try:
            run_id = str(glue.start_job_run(JobName=name, Arguments=CONTINUOUS)["JobRunId"])
            log.info("continuous run", run=run_id)
            _wait(glue, name, run_id)
        except glue.exceptions.ConcurrentRunsExceededException:
            # Somebody's run drains the queue meanwhile, or the one before this process still goes on.
            time.sleep(IDLE_S)
        except Exception as error:
            # The gateway may be away for a moment: the queue keeps what waits.
            log.warning("run failed; trying again", error=str(error))
            time.sleep(RETRY_S)
