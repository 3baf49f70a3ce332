"""Stacks as CloudFormation describes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NOT_RUN = re.compile(r"checked|.*not run$")
"""The reason that the local gateway gives a resource which it only looked at."""


@dataclass(frozen=True)
class NotRun:
    """A resource that was checked and is not run here, and the reason."""

    resource: str
    type: str
    reason: str


def describe(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """Return a stack by its name or id; None when there is none of that name."""
    from botocore.exceptions import ClientError

    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    stack: dict[str, Any] = stacks[0]
    return stack


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    """Return a stack's outputs under the names of the settings: RawBucket becomes raw_bucket."""
    return {
        re.sub(r"(?<!^)(?=[A-Z])", "_", item["OutputKey"]).lower(): item["OutputValue"]
        for item in stack.get("Outputs", [])
    }


def resources(cloudformation: Any, name: str) -> list[dict[str, Any]]:
    """Return the resources of a stack that there are."""
    found = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return [one for one in found if one["ResourceStatus"] != "DELETE_COMPLETE"]


def not_run(cloudformation: Any, name: str) -> list[NotRun]:
    """Return the resources of a stack that were only checked."""
    return [
        NotRun(one["LogicalResourceId"], one["ResourceType"], one["ResourceStatusReason"])
        for one in resources(cloudformation, name)
        if NOT_RUN.match(one.get("ResourceStatusReason") or "")
    ]


def events(cloudformation: Any, name: str, since: str | None) -> list[dict[str, Any]]:
    """Return a stack's events after the one with the id ``since`` (None: all), the oldest first."""

    def newest_first() -> Iterator[dict[str, Any]]:
        for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=name):
            yield from page["StackEvents"]

    found = []
    for event in newest_first():
        if event["EventId"] == since:
            break
        found.append(event)
    return found[::-1]


def last_event(cloudformation: Any, name: str) -> str | None:
    """Return the id of a stack's newest event."""
    found = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return str(found[0]["EventId"]) if found else None
