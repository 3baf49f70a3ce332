"""A gateway for the tests of a file, and an account of its own in it for each."""

from __future__ import annotations

import itertools
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from nearcast import aws
from nearcast.aws import client
from nearcast.deploy import connection, deployment
from nearcast.deploy.deployment import LAYERS
from nearcast.deploy.parameters import OPTIONAL
from nearcast.deploy.stacks import describe
from nearcast.deploy.target import settings_for
from nearcast.settings import SERVICES_FILE, Settings, load_settings, write_env_file
from tests.conftest import eventually
from tests.local.gateway.conftest import REGION, Gateway, running_gateway

ON_AWS = tuple(layer for layer in LAYERS if layer not in OPTIONAL)
"""The layers that are deployed to AWS when no parameter is given."""
TWO_LAYERS = LAYERS[:2]
ACCOUNTS = itertools.count(100_000_000_001)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway; the access key of a request is the account that it is for."""
    with running_gateway(tmp_path_factory.mktemp("gateway")) as started:
        yield started


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings and no credentials but those of the test; clients are made anew."""
    for name in (
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # boto3's own session keeps the first credentials that it finds.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setitem(connection.POLL_S, "aws", 0.03)
    aws._client.cache_clear()
    yield
    aws._client.cache_clear()


@pytest.fixture
def two_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two layers alone, for what does not ask how many there are: each takes a good part of a second."""
    monkeypatch.setattr(deployment, "LAYERS", TWO_LAYERS)


@pytest.fixture
def account(gateway: Gateway) -> Iterator[str]:
    """An account of the gateway in which nothing is yet.

    Every change set waits until all that the gateway holds is written: what a test leaves would slow the next down.
    """
    yield str(next(ACCOUNTS))
    reset = urllib.request.Request(f"{gateway.endpoint}/_ministack/reset", method="POST")
    urllib.request.urlopen(reset).close()


@pytest.fixture
def local(gateway: Gateway, account: str, tmp_path: Path) -> Settings:
    """The settings of a home of the local services."""
    addresses = {
        "aws_endpoint_url": gateway.endpoint,
        "aws_access_key_id": account,
        "aws_secret_access_key": "local",
    }
    write_env_file(tmp_path / SERVICES_FILE, addresses)
    return load_settings(tmp_path)


@pytest.fixture
def aws_variables(gateway: Gateway, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What boto3's own chain finds: the gateway as AWS, an account and a region."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", gateway.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", REGION)


@pytest.fixture
def on_aws(aws_variables: None, tmp_path: Path) -> Settings:
    """The settings of a deployment to AWS from a home in which nothing is yet."""
    return settings_for(load_settings(tmp_path), "aws")


def stacks(settings: Settings) -> dict[str, str]:
    """Return the status of every stack that CloudFormation has, without the environment's part of its name."""
    found = client("cloudformation", settings).describe_stacks()["Stacks"]
    return {one["StackName"].split("-")[-1]: one["StackStatus"] for one in found}


def wait_for(settings: Settings, name: str, status: str | None) -> None:
    """Wait until a stack has a status (None: until it is gone)."""

    def reached() -> bool:
        found = describe(client("cloudformation", settings), name)
        return (found["StackStatus"] if found else None) == status

    eventually(reached)
