"""What the parts really ask AWS for, on the local gateway, was found in the source and is permitted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from nearcast.aws import client
from nearcast.dashboard.delivery import read_delivery
from nearcast.dashboard.lake_queries import ask
from nearcast.dashboard.rejected import count_rejected
from nearcast.deploy import deploy
from nearcast.forecast.export import export_forecasts, put_forecasts
from nearcast.lake import hudi_job
from nearcast.lake.backfill import backfill
from nearcast.lake.crawl import crawl
from nearcast.lake.kept_snapshots import keep_quarantined, keep_snapshot
from nearcast.lake.query import query
from nearcast.lake.query_as_of import query_as_of
from nearcast.lake.reconcile import Difference, reconcile, repair
from nearcast.lake.redrive import redrive
from nearcast.lake.sync import sync
from nearcast.lake.upsert import upsert
from nearcast.settings import Settings
from nearcast.source.load import load_csv
from nearcast.stream.publisher import publish
from tests.conftest import eventually
from tests.infrastructure.parts import DEPLOYER, PARTS, SERVICE_PARTS, deployer, operations
from tests.infrastructure.permits import denied
from tests.infrastructure.recorder import Recorder, Request, recording
from tests.infrastructure.templates import templates
from tests.lake.objects import lines, put
from tests.lake.test_redrive import ROW, change, failed

pytestmark = pytest.mark.slow
PRICES = Path(__file__).parents[2] / "data" / "stocks_daily.csv"
ROWS = 40
FORECAST = ("NFLX", "2015-01-02", 1, "2014-12-31", "2015-01-01T00:00:00Z", "1", "20150101000000000", 1.0)
NOT_RUN = {
    ("LakeOperator", "glue", "GetJobRuns"): "another run has the job's one slot",
    ("HudiJobRole", "glue", "GetJobRun"): "asked about another holder of the lease",
    ("HudiJobRole", "dynamodb", "GetItem"): "asked for another holder of the lease",
    ("HudiJobRole", "glue", "UpdateTable"): "a new column",
    ("HudiJobRole", "glue", "BatchUpdatePartition"): "a new column",
    ("HudiJobRole", "s3", "DeleteObjects"): "two files of the archived timeline",
    ("HudiJobRole", "sqs", "ChangeMessageVisibilityBatch"): "a run that fails",
    ("ArtifactStore", "s3", "AbortMultipartUpload"): "a large file",
    ("ArtifactStore", "s3", "CompleteMultipartUpload"): "a large file",
    ("ArtifactStore", "s3", "CreateMultipartUpload"): "a large file",
    ("ArtifactStore", "s3", "UploadPart"): "a large file",
}
"""Operations that the parts call, but not here, and when they would."""


@pytest.fixture(scope="module")
def requests(
    deployed: Settings, postgres: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Request]]:
    """What each part asks AWS for while it does its work once."""
    settings = deployed.model_copy(
        update={"postgres_dsn": postgres.postgres_dsn, "postgres_reader_dsn": postgres.postgres_reader_dsn}
    )
    with recording() as recorder, psycopg.connect(settings.need("postgres_dsn")) as link:
        with recorder.of(DEPLOYER):
            deploy(settings)
        _publish_and_store(recorder, settings)
        _redrive(recorder, settings)
        with recorder.of("Forecaster"):
            commit = sync(settings).commit
            assert commit is not None
            keep_snapshot(settings, commit), keep_quarantined(settings, commit)
            export_forecasts(settings, link)
            put_forecasts(settings, [(*FORECAST, *(1.0,) * 7, [])])
        with recorder.of("Dashboard"):
            assert not read_delivery(settings).problem and not count_rejected(settings).problem
            assert not ask(settings, "SELECT * FROM prices").empty
        _keep_artifacts(recorder, settings, tmp_path_factory.mktemp("artifacts"))
        recorder.requests += _run_operators(settings, tmp_path_factory.mktemp("airflow"))
        # The last: it stores a line that is no row, on which a crawl would fail.
        _run_job(recorder, settings)
    yield recorder.requests


def _publish_and_store(recorder: Recorder, settings: Settings) -> None:
    load_csv(settings, PRICES, ["NFLX"])
    with recorder.of("Publisher"):
        publish(settings, limit=ROWS)
    eventually(lambda: len(lines(settings, "prices/")) == ROWS)
    with recorder.of("LakeOperator"):
        assert crawl(settings).partitions > 0
        assert upsert(settings).upserted == ROWS
        assert query(settings, "SELECT count(*) FROM raw_prices").rows == [[ROWS]]
        assert query_as_of(settings, "SELECT count(*) FROM prices", "latest")[0].rows == [[ROWS]]
        assert not reconcile(settings)
        [first] = query(settings, "SELECT min(date) FROM prices").rows[0]
        assert repair(settings, Difference(missing=[("NFLX", str(first))]), print) == 1
        backfill(settings)


def _redrive(recorder: Recorder, settings: Settings) -> None:
    """Put back a change record, a raw line and a dead letter; one record that no code takes stays."""
    put(settings, "errors/processing-failed/2026/01/01/one", failed(change("REDO", "2008-02-01")))
    put(
        settings,
        "errors/processing-failed/2026/01/01/two",
        failed(b"x") + failed(change("REDO", "2008-02-04")),
    )
    put(settings, "errors/hudi-job-failed/2026/01/01/one", failed(json.dumps(ROW).encode()))
    sqs = client("sqs", settings)
    dead = sqs.get_queue_url(QueueName=f"nearcast-{settings.environment}-raw-dead-letters")["QueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody="{}")
    with recorder.of("LakeOperator"):
        report = redrive(settings)
    assert (report.redriven, report.still_failing) == (4, 1)


def _run_job(recorder: Recorder, settings: Settings) -> None:
    """Run the Glue job's script in this process, without Spark: what Spark writes is not boto3's."""
    put(settings, "prices/year=2009/month=03/bad", b"no row\n" + json.dumps(ROW).encode() + b"\n")
    deletion = {**ROW, "date": "2009-03-03", "deleted": True}
    put(settings, "prices/year=2009/month=03/gone", json.dumps(deletion).encode() + b"\n")
    location = f"s3://{settings.need('raw_bucket')}/prices/year=2009/"
    client("sqs", settings).send_message(
        QueueUrl=settings.need("raw_queue_url"), MessageBody=json.dumps({"backfill": location})
    )
    table = f"s3://{settings.need('hudi_bucket')}/without-spark/prices"
    job = hudi_job.Job(
        settings.need("raw_queue_url"),
        table,
        "nearcast",
        "without_spark",
        f"nearcast-{settings.environment}-leases",
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hudi_job, "upsert", lambda *arguments: None)
        for name, value in _environment(settings).items():
            patched.setenv(name, value)
        with recorder.of("HudiJobRole"):
            done = hudi_job.run(None, job)
    assert done["error_objects"] and done["rows"] and done["backfilled"]


def _keep_artifacts(recorder: Recorder, settings: Settings, folder: Path) -> None:
    """Do with MLflow's own code what its server does with the files of runs."""
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    (folder / "model.txt").write_text("a model")
    with pytest.MonkeyPatch.context() as patched:
        for name, value in _environment(settings).items():
            patched.setenv(name, value)
        patched.setenv("MLFLOW_S3_ENDPOINT_URL", settings.need("aws_endpoint_url"))
        with recorder.of("ArtifactStore"):
            store = S3ArtifactRepository(f"s3://{settings.need('artifacts_bucket')}/mlflow")
            store.log_artifact(str(folder / "model.txt"), "1/run")
            assert [one.path for one in store.list_artifacts("1/run")] == ["1/run/model.txt"]
            store.download_artifacts("1/run/model.txt", str(folder))
            store.delete_artifacts("1/run")


def _run_operators(settings: Settings, home: Path) -> list[Request]:
    """Run Airflow's operators in a process of their own."""
    connection = {
        "conn_type": "aws",
        "login": settings.aws_access_key_id,
        "password": settings.need("aws_secret_access_key"),
        "extra": {"endpoint_url": settings.aws_endpoint_url, "region_name": settings.aws_region},
    }
    variables = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
        "NEARCAST_HOME": str(settings.home),
        "PYTHONPATH": f"{Path(__file__).parents[2]}:{os.environ.get('PYTHONPATH', '')}",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.infrastructure.run_operators"],
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [Request("LakeOperator", *row) for row in json.loads(done.stdout.splitlines()[-1])]


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": settings.need("aws_endpoint_url"),
        "AWS_DEFAULT_REGION": settings.aws_region,
        "AWS_ACCESS_KEY_ID": settings.need("aws_access_key_id"),
        "AWS_SECRET_ACCESS_KEY": settings.need("aws_secret_access_key"),
    }


def found_in_source() -> set[tuple[str, str, str]]:
    """Return part, service and operation of every call that the source makes."""
    parts = {**PARTS, **SERVICE_PARTS, DEPLOYER: deployer()}
    return {(name, *one) for name, part in parts.items() for one in operations(part)}


def test_every_request_was_found_in_the_source(requests: list[Request]) -> None:
    assert {(one.part, one.service, one.operation) for one in requests} - found_in_source() == set()


def test_every_call_of_the_source_is_made_but_for_those_that_need_a_special_case(
    requests: list[Request],
) -> None:
    """Were a call found that is never made, it would be a right too many."""
    made = {(one.part, one.service, one.operation) for one in requests}
    expected = {one for one in found_in_source() if one[0] != DEPLOYER}
    assert expected - made == NOT_RUN.keys()


def test_every_request_is_valid_also_where_boto3_does_not_check_it(requests: list[Request]) -> None:
    assert [(one.part, one.operation, one.wrong) for one in requests if one.wrong] == []


@pytest.mark.parametrize("name", [*PARTS, "HudiJobRole"])
def test_every_request_is_permitted_by_the_part_s_policy(
    name: str, requests: list[Request], deployed: Settings
) -> None:
    layer, policy = ("access", f"{name}Policy") if name in PARTS else ("lake", name)
    statements = templates()[layer].statements(policy)
    own = [one for one in requests if one.part == name]
    assert own
    refused = {line for one in own for line in denied(one, statements, deployed)}
    assert refused == set()
