"""The files of MLflow's runs lie on S3, and those of a home from before go there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pytest
from pydantic import SecretStr

from nearcast.aws import client
from nearcast.forecast.tracking import connect
from nearcast.local.mlflow_server import aws_environment, local_artifacts, server_environment
from nearcast.settings import Settings
from tests.conftest import free_port

OLD = "7/0123456789abcdef0123456789abcdef/artifacts/old/weights.bin"


@contextmanager
def running_mlflow(home: Path) -> Iterator[str]:
    """Run the MLflow server of a home; give its address."""
    port = free_port()
    command = [sys.executable, "-m", "nearcast.local.mlflow_server", str(home), str(port)]
    log = home / "mlflow.log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        try:
            deadline = time.monotonic() + 90
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                    break
                except OSError:
                    assert server.poll() is None, log.read_text()[-2000:]
                    assert time.monotonic() < deadline, log.read_text()[-2000:]
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def test_the_files_of_runs_are_in_the_bucket_and_old_ones_move_there(
    deployed: Settings, tmp_path: Path
) -> None:
    content = os.urandom(100_000)
    old = local_artifacts(deployed.home) / OLD
    old.parent.mkdir(parents=True)
    old.write_bytes(content)
    with running_mlflow(deployed.home) as uri:
        connect(deployed.model_copy(update={"mlflow_tracking_uri": uri}))
        moved = mlflow.artifacts.download_artifacts(f"mlflow-artifacts:/{OLD}", dst_path=str(tmp_path))
        mlflow.set_experiment("nearcast")
        with mlflow.start_run() as run:
            mlflow.log_text("of today", "folder/new.txt")
        text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/folder/new.txt")
    assert Path(moved).read_bytes() == content
    assert not local_artifacts(deployed.home).exists()
    assert text == "of today"
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    path = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    s3, bucket = client("s3", deployed), deployed.need("artifacts_bucket")
    assert s3.get_object(Bucket=bucket, Key=f"mlflow/{OLD}")["Body"].read() == content
    assert s3.get_object(Bucket=bucket, Key=f"mlflow/{path}/folder/new.txt")["Body"].read() == b"of today"


@pytest.mark.parametrize("bucket", [None, "artifacts"])
def test_without_a_bucket_they_are_in_the_home_and_on_aws_boto3_decides(
    tmp_path: Path, bucket: str | None
) -> None:
    settings = Settings(home=tmp_path, artifacts_bucket=bucket)
    destination = server_environment(settings)["_MLFLOW_SERVER_ARTIFACT_DESTINATION"]
    assert destination == ("s3://artifacts/mlflow" if bucket else local_artifacts(tmp_path).as_uri())
    assert aws_environment(settings) == {"AWS_DEFAULT_REGION": settings.aws_region}
    assumed = settings.model_copy(
        update={
            "aws_access_key_id": "k",
            "aws_secret_access_key": SecretStr("s"),
            "aws_session_token": SecretStr("t"),
        }
    )
    assert aws_environment(assumed)["AWS_SESSION_TOKEN"] == "t"
