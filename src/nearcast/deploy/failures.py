"""Why a stack failed: the resource and the reason that came first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nearcast.aws_errors import explain_reason
from nearcast.deploy.connection import Connection
from nearcast.deploy.stacks import events
from nearcast.errors import DeployError

FOLLOWED = ("Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled")
"""Reasons of resources that only stopped because another one had failed."""
KEPT = {
    "DELETE_COMPLETE": "Nothing of this stack is left but the data that it had taken over; earlier stacks stay.",
    "UPDATE_ROLLBACK_COMPLETE": "The stack is as it was before; earlier stacks stay.",
    "ROLLBACK_COMPLETE": "Nothing of this stack is left but its data; earlier stacks stay.",
}
"""What is still there, by the status in which the stack ended."""


def failure(
    connection: Connection, stack_id: str, status: str, since: str | None, todo: str = ""
) -> DeployError:
    """Return the error that says which resource of a stack failed, and why.

    ``todo`` is what helps where the reason itself does not tell.
    """
    resource, kind, reason = _first(connection, stack_id, since)
    explained = explain_reason(kind, reason)
    happened = f"Stack {stack_id.split('/')[1]} ended {status}: {resource} ({kind}): {reason}"
    return DeployError(
        happened,
        kept=KEPT.get(status, "What was made stays, so that the next try goes on from there."),
        todo=explained[1] if explained else todo or "Mend the cause, then run the same command again.",
    )


@contextmanager
def refusals(name: str, todo: str) -> Iterator[None]:
    """Turn CloudFormation's refusal of a request for a stack into a DeployError; other errors pass."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise DeployError(
            f"Stack {name} was refused: {error.response['Error']['Message']}",
            kept="It is as it was; the stacks before it are deployed.",
            todo=todo,
        ) from error


def refused_change_set(connection: Connection, name: str, change_set: dict[str, Any]) -> DeployError:
    """Return the error of a change set that CloudFormation could not make."""
    reason = change_set.get("StatusReason", "no reason given")
    kind = ""
    if "DescribeEvents" in reason:
        found = connection.cloudformation.describe_events(ChangeSetName=change_set["ChangeSetId"])
        resource, kind, why = _invalid(found["OperationEvents"]) or ("", "", "")
        reason = f"{resource} ({kind}): {why}" if resource else reason
    explained = explain_reason(kind, reason)
    return DeployError(
        f"Stack {name} was refused: {reason}",
        kept="It is as it was; earlier stacks stay.",
        todo=explained[1] if explained else "Mend the cause, then run the same command again.",
    )


def _first(connection: Connection, stack_id: str, since: str | None) -> tuple[str, str, str]:
    """Return the resource, its type and the reason of the first failure."""
    failed = [
        event
        for event in events(connection.cloudformation, stack_id, since)
        if event["ResourceStatus"].endswith("_FAILED")
        and not event.get("ResourceStatusReason", "").startswith(FOLLOWED)
    ]
    if not failed:
        return "the stack", "AWS::CloudFormation::Stack", "no failed resource in its events"
    first = failed[0]
    if first.get("DetailedStatus") == "VALIDATION_FAILED":
        found = connection.cloudformation.describe_events(StackName=stack_id, Filters={"FailedEvents": True})
        if invalid := _invalid(found["OperationEvents"]):
            return invalid
    reason = first.get("ResourceStatusReason") or "no reason given"
    return first["LogicalResourceId"], first["ResourceType"], reason


def _invalid(operation_events: list[dict[str, Any]]) -> tuple[str, str, str] | None:
    """Return the resource, its type and the reason of the first check before a deployment that failed."""
    for event in operation_events:
        if event.get("ValidationStatus") == "FAILED" and event.get("ValidationFailureMode") == "FAIL":
            return event["LogicalResourceId"], event["ResourceType"], event["ValidationStatusReason"]
    return None
