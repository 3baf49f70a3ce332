"""A gateway of its own for the tests: a process on a free port, with a new home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from nearcast.deploy import deploy
from nearcast.lake.hudi_job import Columns, Job, register
from nearcast.settings import SERVICES_FILE, Settings, load_settings, write_env_file
from tests.conftest import free_port
from tests.local.gateway.athena_client import BUCKET, DATABASE, RAW_TABLE, bars, put_raw, run

START_S = 60.0
CHANGED = "2013-06-03"
CHANGED_CLOSE = 1234.5
"""The Hudi table's correction."""
ADDED = "2013-06-02"
"""A Sunday, which the bars lack."""
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


@contextmanager
def running_gateway(home: Path) -> Iterator[Gateway]:
    """Run a gateway (its Spark session only at first use) and end it with everything it started."""
    port = free_port()
    environment = {
        **os.environ,
        "NEARCAST_HOME": str(home),
        "NEARCAST_GATEWAY_PORT": str(port),
        "NEARCAST_AWS_REGION": REGION,
        "NEARCAST_AWS_SECRET_ACCESS_KEY": "local",
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
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway for all tests."""
    with running_gateway(tmp_path_factory.mktemp("gateway")) as started:
        yield started


@pytest.fixture(scope="session")
def raw_sizes(gateway: Gateway) -> dict[str, int]:
    """NFLX's bars before 2015 as JSON lines in monthly partitions, and their table; bytes by month."""
    return make_raw_table(gateway)


@pytest.fixture(scope="session")
def athena(gateway: Gateway, raw_sizes: dict[str, int]) -> Any:
    """A boto3 client of Athena, with the table raw_prices."""
    return gateway.client("athena")


@pytest.fixture(scope="session")
def hudi_table(athena: Any, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the Hudi table ``prices``, before it was put into S3."""
    return make_hudi_table(gateway, tmp_path_factory.mktemp("hudi"))


@pytest.fixture(scope="session")
def deployed(gateway: Gateway) -> Settings:
    """Settings of the gateway's world, with the stacks deployed to it."""
    return deploy_stacks(gateway.home, gateway.endpoint)


def make_raw_table(gateway: Gateway) -> dict[str, int]:
    """Make the JSON table raw_prices; return the bytes of its objects by month."""
    gateway.client("s3").create_bucket(Bucket=BUCKET)
    gateway.client("glue").create_database(DatabaseInput={"Name": DATABASE})
    sizes = put_raw(gateway.client("s3"), bars())
    athena = gateway.client("athena")
    for statement in (RAW_TABLE, "MSCK REPAIR TABLE raw_prices"):
        assert run(athena, statement).state == "SUCCEEDED"
    return sizes


def make_hudi_table(gateway: Gateway, folder: Path) -> Path:
    """Make the Hudi table prices with Spark, put it into S3 and register it; return its folder.

    It has the bars of 2013 and 2014, then a correction and a late older event. Beside it lies a merge-on-read table.
    """
    first = [hudi_row(bar, version) for version, bar in enumerate(bars(), 100)]
    by_day = {bar["date"]: bar for bar in bars()}
    second = [
        hudi_row(by_day[CHANGED], 9000, close_price=CHANGED_CLOSE),
        hudi_row(by_day["2014-06-03"], 1, close_price=0.25),
    ]
    added = [*second, hudi_row(by_day[CHANGED], 9001, date=ADDED, close_price=CHANGED_CLOSE)]
    commits = {"copy-on-write": [first, second], "merge-on-read": [first, added]}
    (folder / "rows.json").write_text(json.dumps(commits))
    table = folder / "copy-on-write"
    made = subprocess.run(
        [sys.executable, "-m", "tests.local.gateway.make_hudi_table", str(folder), str(folder / "rows.json")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parents[3]}:{os.environ.get('PYTHONPATH', '')}"},
    )
    if made.returncode:
        raise RuntimeError(f"Spark did not make the Hudi table: {made.stderr[-3000:]}")
    s3 = gateway.client("s3")
    for file in table.rglob("*"):
        if file.is_file() and not file.name.endswith(".crc"):
            s3.upload_file(str(file), BUCKET, f"hudi/{file.relative_to(table).as_posix()}")
    job = Job("", f"s3://{BUCKET}/hudi", DATABASE, "prices")
    register(gateway.client("glue"), job, Columns({}), {("NFLX", "2013"), ("NFLX", "2014")})
    return table


def hudi_row(bar: dict[str, Any], version: int, **changed: Any) -> list[Any]:
    """Return a bar as a row of the Glue job."""
    bar = {**bar, **changed}
    prices = [bar[f"{name}_price"] for name in ("open", "high", "low", "close")]
    return [bar["stock_symbol"], bar["date"], *prices, bar["volume"], version, bar["date"][:4]]


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
