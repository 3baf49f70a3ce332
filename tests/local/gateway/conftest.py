"""A gateway of its own for the tests: a process on a free port, with a new home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from nearcast.deploy import deploy
from nearcast.settings import SERVICES_FILE, Settings, load_settings, write_env_file
from tests.conftest import free_port
from tests.local.gateway.athena_client import BUCKET, DATABASE, RAW_TABLE, bars, put_raw, run

START_S = 60.0
REGION = "us-east-1"


@dataclass(frozen=True)
class Gateway:
    """Where the gateway listens, and where it keeps its files."""

    endpoint: str
    home: Path

    def client(self, service: str) -> Any:
        """Return a boto3 client of one of its services."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="000000000000",
            aws_secret_access_key="local",
        )


def wait_ready(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    """Wait until the gateway answers. Raises RuntimeError, with the end of its log, when it does not."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=1).close()
        except (URLError, OSError):
            if process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"The gateway did not start: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Start a gateway (its Spark session only at first use) and end it with everything it started."""
    home = tmp_path_factory.mktemp("gateway")
    port = free_port()
    environment = {
        **os.environ,
        "NEARCAST_HOME": str(home),
        "NEARCAST_GATEWAY_PORT": str(port),
        "NEARCAST_AWS_REGION": REGION,
        "NEARCAST_GATEWAY_SPARK": "off",
    }
    log = home / "gateway.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "nearcast.local.gateway.server"],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_ready(process, f"http://127.0.0.1:{port}", log)
        yield Gateway(f"http://127.0.0.1:{port}", home)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="session")
def raw_sizes(gateway: Gateway) -> dict[str, int]:
    """NFLX's bars before 2015 as JSON lines in monthly partitions, and their table; bytes by month."""
    gateway.client("s3").create_bucket(Bucket=BUCKET)
    gateway.client("glue").create_database(DatabaseInput={"Name": DATABASE})
    sizes = put_raw(gateway.client("s3"), bars())
    athena = gateway.client("athena")
    for statement in (RAW_TABLE, "MSCK REPAIR TABLE raw_prices"):
        assert run(athena, statement).state == "SUCCEEDED"
    return sizes


@pytest.fixture(scope="session")
def athena(gateway: Gateway, raw_sizes: dict[str, int]) -> Any:
    """A boto3 client of Athena, with the table raw_prices."""
    return gateway.client("athena")


@pytest.fixture(scope="session")
def deployed(gateway: Gateway) -> Settings:
    """Settings of the gateway's world, with the stacks deployed to it."""
    return deploy_stacks(gateway.home, gateway.endpoint)


def deploy_stacks(home: Path, endpoint: str) -> Settings:
    """Deploy the stacks to the gateway of a home and return the settings."""
    addresses = {
        "aws_endpoint_url": endpoint,
        "aws_access_key_id": "000000000000",
        "aws_secret_access_key": "local",
    }
    write_env_file(home / SERVICES_FILE, addresses)
    deploy(load_settings(home))
    return load_settings(home)
