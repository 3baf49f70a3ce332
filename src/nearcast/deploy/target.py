"""Whether a home belongs to the local services or to an AWS account, and to which."""

from __future__ import annotations

import difflib
import os
from typing import Any

from nearcast.aws import client
from nearcast.deploy.connection import Connection, Note, Report
from nearcast.errors import DeployError
from nearcast.settings import STACKS_FILE, Settings, write_env_file

AWS_HOME = "NEARCAST_HOME=.nearcast-aws"


def settings_for(settings: Settings, target: str) -> Settings:
    """Return the settings with which a deployment to ``target`` reaches it.

    On AWS, boto3's own chain names region and credentials (AWS_REGION, AWS_PROFILE, …).

    Raises
    ------
    DeployError
        The home belongs to the other target, or to another region.
    """
    if target == "local":
        if settings.target == "aws":
            raise DeployError(
                f"{settings.home} belongs to AWS account {settings.aws_account_id}, not to local services.",
                kept="Nothing was sent anywhere.",
                todo="Use --target aws, or another home: NEARCAST_HOME=.nearcast.",
            )
        return settings
    if settings.target == "local" and settings.aws_endpoint_url is not None:
        raise DeployError(
            f"{settings.home} belongs to the local services at {settings.aws_endpoint_url}, not to AWS.",
            kept="Nothing was sent anywhere.",
            todo=f"Use another home: {AWS_HOME} nearcast deploy --target aws",
        )
    return settings.model_copy(update={"target": "aws", "aws_region": _region(settings)})


def _region(settings: Settings) -> str:
    from boto3 import Session
    from botocore.exceptions import NoRegionError

    named = Session(region_name=os.environ.get("AWS_REGION") or None).region_name
    recorded = settings.aws_region if "aws_region" in settings.model_fields_set else None
    if named and recorded and named != recorded:
        raise DeployError(
            f"{settings.home} belongs to the region {recorded}, and AWS_REGION or the profile says {named}.",
            kept="Nothing was sent anywhere.",
            todo=f"Set AWS_REGION={recorded}, or deploy another environment there, since names of buckets and "
            f"roles are taken: NEARCAST_HOME={AWS_HOME}-{named} NEARCAST_ENVIRONMENT=other.",
        )
    region = named or recorded
    if region is None:
        raise NoRegionError
    _check_region(region, Session())
    return str(region)


def _check_region(region: str, session: Any) -> None:
    """Refuse a region that boto3 does not know at once: to find no server of that name takes half a minute."""
    known = [
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("cloudformation", partition)
    ]
    if region not in known:
        meant = " or ".join(difflib.get_close_matches(region, known, 2)) or "one of the account's"
        raise DeployError(
            f"There is no AWS region {region}.",
            kept="Nothing was sent anywhere.",
            todo=f"Set AWS_REGION to {meant}. A region newer than this boto3 needs a newer one.",
        )


def open_target(settings: Settings, note: Note, report: Report | None) -> Connection:
    """Ask whose account the settings lead to, and say so before anything is done there.

    Raises
    ------
    DeployError
        It is not the account that the home was deployed to.
    """
    account = client("sts", settings).get_caller_identity()["Account"]
    if settings.aws_account_id not in (None, account):
        raise DeployError(
            f"{settings.home} belongs to AWS account {settings.aws_account_id}; these credentials to {account}.",
            kept="Nothing was changed.",
            todo=f"Set AWS_PROFILE to the other account's, or use another home: {AWS_HOME}-{account}.",
        )
    if settings.target == "aws":
        note(f"AWS account {account}, region {settings.aws_region}, environment {settings.environment}")
    return Connection(settings, account, note, report)


def remember(connection: Connection, outputs: dict[str, str]) -> None:
    """Write what the stacks put out to the home, so that every command finds it there."""
    values = dict(outputs)
    if connection.settings.target == "aws":
        values |= {
            "target": "aws",
            "aws_region": connection.settings.aws_region,
            "aws_account_id": connection.account,
            "environment": connection.settings.environment,
        }
    write_env_file(connection.settings.home / STACKS_FILE, values)
