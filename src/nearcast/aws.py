"""The one way to AWS: a boto3 client made from the settings."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlparse

from nearcast.errors import NearcastError
from nearcast.settings import Settings


@lru_cache(maxsize=32)
def _client(
    service: str,
    endpoint: str | None,
    region: str,
    key_id: str | None,
    secret: str | None,
    token: str | None,
    validate: bool,
) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        max_pool_connections=32,
        retries={"mode": "standard", "max_attempts": 5},
        parameter_validation=validate,
    )
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=config,
    )


def client(service: str, settings: Settings, *, validate: bool = True) -> Any:
    """Return a boto3 client of ``service``; made once for each endpoint, region and credentials.

    With the target `aws`, boto3's own chain decides on what the settings do not say: endpoint and credentials.
    Without ``validate`` requests go out unchecked by boto3, which takes a third of the time to make a batch of
    items: for calls whose parameters are all of our own making.

    Raises
    ------
    NearcastError
        The target is `local`, and the endpoint is not a loopback address.
    """
    check_target(settings)
    secret, token = settings.aws_secret_access_key, settings.aws_session_token
    return _client(
        service,
        settings.aws_endpoint_url,
        settings.aws_region,
        settings.aws_access_key_id,
        secret.get_secret_value() if secret else None,
        token.get_secret_value() if token else None,
        validate,
    )


def check_target(settings: Settings) -> None:
    """Make sure that nothing goes to AWS unless the target says so. Raises NearcastError."""
    if settings.target == "local" and not is_loopback(settings.aws_endpoint_url):
        endpoint = settings.aws_endpoint_url or "AWS itself"
        raise NearcastError(
            f"The target is local, and needs a loopback endpoint, not {endpoint}.",
            kept="Nothing was sent anywhere.",
            todo="Start the local services with `nearcast up`. For an AWS account use a home of its own: "
            "NEARCAST_HOME=.nearcast-aws nearcast deploy --target aws (or NEARCAST_TARGET=aws without one).",
        )


def is_loopback(endpoint: str | None) -> bool:
    """Tell whether a URL leads to this very machine."""
    host = urlparse(endpoint or "").hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
