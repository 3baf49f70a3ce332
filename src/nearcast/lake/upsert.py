"""Running the Hudi job: once, or whenever its queue holds messages."""

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
RETRY_S = 2.0
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
    """Start a run of the job, after any other one has ended, and wait for its end.

    Raises LakeError with the job's own error when it does not succeed.
    """
    glue = client("glue", settings)
    name = settings.need("hudi_job")
    run_id = _start(glue, name)
    while True:
        run = glue.get_job_run(JobName=name, RunId=run_id)["JobRun"]
        if run["JobRunState"] not in ("STARTING", "RUNNING", "STOPPING", "WAITING"):
            break
        time.sleep(POLL_S)
    if run["JobRunState"] != "SUCCEEDED":
        raise LakeError(
            f"The job {name} ended {run['JobRunState']}: {run.get('ErrorMessage', 'no reason given')}",
            kept="What it had committed stays; messages it had not finished return to the queue.",
            todo="See the run's log (logs/jobs in NEARCAST_HOME, or CloudWatch), then `nearcast lake upsert`.",
        )


def _start(glue: Any, name: str) -> str:
    while True:
        try:
            return str(glue.start_job_run(JobName=name)["JobRunId"])
        except glue.exceptions.ConcurrentRunsExceededException:
            time.sleep(POLL_S)


def waiting_objects(settings: Settings) -> int:
    """Return how many notifications wait in the queue or are being worked on."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = client("sqs", settings).get_queue_attributes(
        QueueUrl=settings.need("raw_queue_url"), AttributeNames=names
    )
    return sum(int(answer["Attributes"][name]) for name in names)


def follow(settings: Settings) -> None:
    """Run the job whenever its queue holds messages, until the process is ended."""
    sqs = client("sqs", settings)
    url = settings.need("raw_queue_url")
    name = "ApproximateNumberOfMessages"
    while True:
        try:
            waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
            if int(waiting):
                started = time.monotonic()
                run_job(settings)
                log.info("upserted", objects=int(waiting), seconds=round(time.monotonic() - started, 2))
            else:
                time.sleep(IDLE_S)
        except Exception as error:
            # The gateway may be away for a moment: the queue keeps what waits.
            log.warning("run failed; trying again", error=str(error))
            time.sleep(RETRY_S)
