"""Glue job runs through boto3: the script that was deployed runs in Spark, and its state is the true one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from nearcast.aws import client
from nearcast.settings import Settings

SCRIPT = """
import sys, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if "--sleep" in arguments:
    time.sleep(float(arguments["--sleep"]))
if "--fail" in arguments:
    raise ValueError(arguments["--fail"])
import boto3
count = spark.range(int(arguments["--rows"])).count()
boto3.client("s3").put_object(Bucket=arguments["--bucket"], Key="counted", Body=str(count).encode())
"""


@pytest.fixture
def job(deployed: Settings) -> Iterator[str]:
    """A job with the script above; its name."""
    bucket = deployed.need("artifacts_bucket")
    client("s3", deployed).put_object(Bucket=bucket, Key="jobs/count.py", Body=SCRIPT.encode())
    client("glue", deployed).create_job(
        Name="count",
        Role="r",
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{bucket}/jobs/count.py"},
        DefaultArguments={"--bucket": bucket, "--rows": "3"},
    )
    yield "count"
    client("glue", deployed).delete_job(JobName="count")


def run(settings: Settings, job: str, **arguments: str) -> dict[str, Any]:
    """Run a job to its end; return GetJobRun's answer."""
    glue = client("glue", settings)
    given = {f"--{name}": value for name, value in arguments.items()}
    run_id = glue.start_job_run(JobName=job, Arguments=given)["JobRunId"]
    return ended(settings, job, run_id)


def ended(settings: Settings, job: str, run_id: str) -> dict[str, Any]:
    """Wait for a run's end; return GetJobRun's answer."""
    glue = client("glue", settings)
    while True:
        answer: dict[str, Any] = glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]
        if answer["JobRunState"] not in ("STARTING", "RUNNING", "STOPPING"):
            return answer
        time.sleep(0.05)


def test_a_run_executes_the_script_on_spark_with_its_arguments(deployed: Settings, job: str) -> None:
    assert run(deployed, job, rows="1234")["JobRunState"] == "SUCCEEDED"
    bucket = deployed.need("artifacts_bucket")
    body = client("s3", deployed).get_object(Bucket=bucket, Key="counted")["Body"].read()
    assert body == b"1234"


def test_a_run_that_raises_is_failed_with_its_own_error(deployed: Settings, job: str) -> None:
    failed = run(deployed, job, fail="boom")
    assert (failed["JobRunState"], failed["ErrorMessage"]) == ("FAILED", "ValueError: boom")


def test_a_second_run_at_the_same_time_is_refused_and_a_stopped_one_is_stopped(
    deployed: Settings, job: str
) -> None:
    glue = client("glue", deployed)
    run_id = glue.start_job_run(JobName=job, Arguments={"--sleep": "60"})["JobRunId"]
    with pytest.raises(glue.exceptions.ConcurrentRunsExceededException):
        glue.start_job_run(JobName=job)
    while glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]["JobRunState"] != "RUNNING":
        time.sleep(0.05)
    stopped = glue.batch_stop_job_run(JobName=job, JobRunIds=[run_id])
    assert [one["JobRunId"] for one in stopped["SuccessfulSubmissions"]] == [run_id]
    assert ended(deployed, job, run_id)["JobRunState"] == "STOPPED"
    assert run(deployed, job)["JobRunState"] == "SUCCEEDED"


def test_a_run_of_a_job_that_does_not_exist_is_refused(deployed: Settings) -> None:
    glue = client("glue", deployed)
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.start_job_run(JobName="nobody")
