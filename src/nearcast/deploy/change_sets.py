"""Change sets: made, looked at, carried out, or thrown away again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nearcast.deploy.artifacts import content_hash, upload
from nearcast.deploy.connection import Connection
from nearcast.deploy.failures import failure, refusals, refused_change_set
from nearcast.deploy.stacks import describe, last_event
from nearcast.deploy.templates import Template
from nearcast.deploy.waiting import finish

MAXIMUM_BODY = 51_200
"""Bytes that a request takes as a template; a larger one is read from S3 (CloudFormation quotas)."""
EMPTY = ("didn't contain changes", "No updates are to be performed")
DATA_TYPES = (
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
)
"""The types of resources that hold something which cannot be made again from the templates."""


@dataclass(frozen=True)
class Change:
    """What would be done with one resource.

    Parameters
    ----------
    action
        Add, Modify, Remove or Import, as CloudFormation names it.
    replacement
        True, False or Conditional for Modify, else empty.
    kept
        Whether the old resource stays, with what it holds, outside of the stack.
    """

    action: str
    resource: str
    type: str
    replacement: str = ""
    kept: bool = False

    @property
    def warning(self) -> str:
        """Return what happens to data, or an empty text when nothing does."""
        if self.type not in DATA_TYPES:
            return ""
        if self.action == "Remove":
            return "leaves the stack, its data stays" if self.kept else "DELETED, WITH ITS DATA"
        if self.replacement in ("True", "Conditional"):
            maybe = "may be " if self.replacement == "Conditional" else ""
            old = "the old one stays" if self.kept else "THE OLD ONE IS DELETED, WITH ITS DATA"
            return f"{maybe}REPLACED by an empty one; {old}"
        return ""


@dataclass(frozen=True)
class ChangeSet:
    """A change set that waits for its execution; ``creates`` tells whether it makes the stack."""

    stack: str
    stack_id: str
    id: str
    creates: bool
    changes: tuple[Change, ...]


def make(
    connection: Connection,
    name: str,
    template: Template,
    parameters: Sequence[dict[str, Any]],
    stack: dict[str, Any] | None,
    bucket: str | None,
) -> ChangeSet | None:
    """Make a change set for a stack (``stack`` None: a new one); None when there is nothing to change.

    ``bucket`` takes a template that is too large for a request.

    Raises
    ------
    DeployError
        CloudFormation cannot make it; nothing of it is left.
    """
    cloudformation = connection.cloudformation
    if stack and _same(connection, stack, template, parameters):
        return None
    with refusals(name, f"Mend infrastructure/{template.layer}.yaml, then run the same command again."):
        answer = cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=f"nearcast-{time.time_ns()}",
            ChangeSetType="UPDATE" if stack else "CREATE",
            Parameters=list(parameters),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            # CloudFormation hands them on to every resource that has tags.
            Tags=[
                {"Key": "Project", "Value": "nearcast"},
                {"Key": "Environment", "Value": connection.settings.environment},
            ],
            # A deployment after a destruction takes over the data that was kept.
            ImportExistingResources=True,
            # A new stack that fails goes away again, so that the next try begins with none.
            OnStackFailure="ROLLBACK" if stack else "DELETE",
            **_body(connection, template, bucket),
        )
    described = _described(connection, answer["Id"])
    changes = tuple(_change(item["ResourceChange"], template) for item in described["Changes"])
    made = ChangeSet(name, answer["StackId"], answer["Id"], stack is None, changes)
    if described["Status"] == "CREATE_COMPLETE":
        return made
    try:
        if any(words in described.get("StatusReason", "") for words in EMPTY):
            return None
        raise refused_change_set(connection, name, described)
    finally:
        discard(connection, made)


def execute(connection: Connection, change_set: ChangeSet) -> str:
    """Carry a change set out and return the stack's status at the end. Raises DeployError when it fails."""
    stack_id = change_set.stack_id
    since = last_event(connection.cloudformation, stack_id)
    connection.cloudformation.execute_change_set(ChangeSetName=change_set.id)
    status = finish(connection, stack_id, since, len(change_set.changes))
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise failure(connection, stack_id, status, since)
    return status


def discard(connection: Connection, change_set: ChangeSet) -> None:
    """Delete a change set that was not carried out, and the empty stack that one of a new stack leaves."""
    cloudformation = connection.cloudformation
    cloudformation.delete_change_set(ChangeSetName=change_set.id, StackName=change_set.stack_id)
    stack = describe(cloudformation, change_set.stack_id)
    if stack and stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        cloudformation.delete_stack(StackName=change_set.stack_id)


def _same(
    connection: Connection, stack: dict[str, Any], template: Template, parameters: Sequence[dict[str, Any]]
) -> bool:
    """Tell whether a stack has this very text and these values, which a look answers faster than a change set."""
    held = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}
    given = {one["ParameterKey"]: one["ParameterValue"] for one in parameters if "ParameterValue" in one}
    text = connection.cloudformation.get_template(StackName=stack["StackId"])["TemplateBody"]
    return bool(text == template.body and given.items() <= held.items())


def _body(connection: Connection, template: Template, bucket: str | None) -> dict[str, str]:
    body = template.body.encode()
    if len(body) <= MAXIMUM_BODY or bucket is None:
        return {"TemplateBody": template.body}
    from nearcast.aws import client

    key = f"templates/{template.layer}-{content_hash(body)}.yaml"
    upload(client("s3", connection.settings), bucket, key, body)
    return {"TemplateURL": f"https://s3.{connection.settings.aws_region}.amazonaws.com/{bucket}/{key}"}


def _described(connection: Connection, change_set_id: str) -> dict[str, Any]:
    """Wait until a change set is made or refused, and return it with all of its changes."""
    paginator = connection.cloudformation.get_paginator("describe_change_set")
    while True:
        pages = list(paginator.paginate(ChangeSetName=change_set_id))
        if not pages[0]["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
            changes = [change for page in pages for change in page.get("Changes", [])]
            return {**pages[0], "Changes": changes}
        time.sleep(connection.poll_s)


def _change(item: dict[str, Any], template: Template) -> Change:
    attribute = "DeletionPolicy" if item["Action"] == "Remove" else "UpdateReplacePolicy"
    policy = template.resources.get(item["LogicalResourceId"], {}).get(attribute, "Delete")
    kept = "Retain" in item.get("PolicyAction", policy)
    return Change(
        item["Action"], item["LogicalResourceId"], item["ResourceType"], item.get("Replacement", ""), kept
    )


def counted(changes: int) -> str:
    """Return a number of changes in words."""
    return f"{changes} change{'s' * (changes != 1)}"
