"""A real server that speaks DynamoDB's protocol, a fake in this process, and prices to publish."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr

from nearcast import aws
from nearcast.settings import Settings
from nearcast.source.load import load_csv
from tests.conftest import free_port

TABLE = "prices"
PRICES = Path(__file__).parents[2] / "data" / "stocks_daily.csv"


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="module")
def dynamodb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server that speaks DynamoDB's protocol."""
    folder, port = tmp_path_factory.mktemp("ministack"), free_port()
    server_settings = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "PERSIST_STATE": "0",
        "STATE_DIR": str(folder),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }
    command = [sys.executable, "-m", "ministack"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, env={**os.environ, **server_settings}, cwd=folder, stdout=log, stderr=log
        ) as server,
    ):
        try:
            wait_for_port(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture
def settings(empty_database: Settings, dynamodb_url: str) -> Iterator[Settings]:
    """An empty database and an empty table."""
    made = empty_database.model_copy(
        update={
            "aws_endpoint_url": dynamodb_url,
            "aws_access_key_id": "test",
            "aws_secret_access_key": SecretStr("test"),
            "prices_table": TABLE,
        }
    )
    client = aws.client("dynamodb", made)
    keys = ("stock_symbol", "HASH"), ("date", "RANGE")
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    yield made
    client.delete_table(TableName=TABLE)


class Killed(BaseException):
    """Stands for the end of the process: nothing handles it."""


class FakeDynamo:
    """Takes batches as DynamoDB does, leaving some items unprocessed or failing as it is told."""

    def __init__(self, leave: int = 0, fail_at: int = -1) -> None:
        self.leave, self.fail_at = leave, fail_at
        self.failure: BaseException = ClientError(
            {"Error": {"Code": "AccessDeniedException"}}, "BatchWriteItem"
        )
        self.applies_before_failing = False
        self.calls: list[int] = []
        self.taken: list[tuple[str, str]] = []
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.removed: list[tuple[tuple[str, str], int]] = []
        """Key and OldImage's version of each REMOVE change record."""
        self.lock = threading.Lock()

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803
        (requests,) = RequestItems.values()
        with self.lock:
            self.calls.append(len(requests))
            failing = len(self.calls) - 1 == self.fail_at
            if failing and not self.applies_before_failing:
                raise self.failure
            took = requests[: len(requests) - self.leave] or requests[:1] if self.leave < 25 else []
            for request in took:
                self._apply(request)
            if failing:
                raise self.failure
        left = requests[len(took) :]
        return {"UnprocessedItems": {TABLE: left} if left else {}}

    def _apply(self, request: dict[str, Any]) -> None:
        if "PutRequest" in request:
            item = request["PutRequest"]["Item"]
            self.taken.append((item["date"]["S"], item["stock_symbol"]["S"]))
            self.items[self.taken[-1]] = item
        else:
            named = request["DeleteRequest"]["Key"]
            key = (named["date"]["S"], named["stock_symbol"]["S"])
            if (old := self.items.pop(key, None)) is not None:
                self.removed.append((key, int(old["version"]["N"])))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeDynamo:
    """A DynamoDB in this process; without waits between attempts."""
    dynamo = FakeDynamo()
    monkeypatch.setattr(aws, "client", lambda _service, _settings, **_options: dynamo)
    monkeypatch.setattr("random.uniform", lambda _low, _high: 0.0)
    return dynamo


@pytest.fixture
def loaded(empty_database: Settings, tmp_path: Path) -> Settings:
    """100 days of three symbols, all pending."""
    keep = ("symbol", "META,2013-0", "NFLX,2013-0", "NVDA,2013-0")
    lines = [line for line in PRICES.read_text().splitlines() if line.startswith(keep)]
    lines = [line for line in lines if line.startswith("symbol") or line[5:15] <= "2013-05-24"]
    path = tmp_path / "few.csv"
    path.write_text("\n".join(lines))
    assert load_csv(empty_database, path).inserted == 300
    return empty_database.model_copy(update={"prices_table": TABLE})
