"""Deleting the stacks, and naming the data that outlives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nearcast.aws import client
from nearcast.cost.tables import price_table
from nearcast.deploy.change_capture import stop_change_capture
from nearcast.deploy.connection import Connection, Note, Report
from nearcast.deploy.deployment import LAYERS
from nearcast.deploy.failures import failure, refusals
from nearcast.deploy.stacks import describe, last_event, outputs, resources
from nearcast.deploy.states import TODO
from nearcast.deploy.target import open_target, remember
from nearcast.deploy.templates import parse, retained
from nearcast.deploy.waiting import finish
from nearcast.errors import DeployError
from nearcast.settings import Settings

WHAT_IT_COSTS = {
    "AWS::S3::Bucket": ("${} a month for each GB, old versions included", "s3-storage"),
    "AWS::DynamoDB::Table": (
        "${} a month for each GB, and ${} for its point-in-time recovery",
        "dynamodb-storage",
        "dynamodb-point-in-time-recovery",
    ),
    "AWS::KMS::Key": ("${} a month", "kms-key"),
}
"""What it costs to keep, by type: the text, and the prices in it by their names in the table of prices."""
GONE = "not there any more"
HOW_TO_REMOVE = {
    "AWS::S3::Bucket": "empty it in the S3 console (Empty, with all versions), then: aws s3 rb s3://{name}",
    "AWS::DynamoDB::Table": "aws dynamodb delete-table --table-name {name}",
    "AWS::CloudFormation::Stack": "aws cloudformation delete-stack --stack-name {name}; then remove the artifacts "
    "bucket as above, and schedule the key's deletion in the KMS console",
}


@dataclass(frozen=True)
class Kept:
    """A resource that stays: what it is, its name, and how much it holds (empty where that is not known)."""

    type: str
    name: str
    holds: str


@dataclass(frozen=True)
class Doomed:
    """A stack that goes, its resources that go with it, and those that stay."""

    name: str
    stack_id: str
    removed: tuple[str, ...]
    kept: tuple[Kept, ...]


def cost_of_keeping(kind: str) -> str:
    """Return what a resource of this type costs that stays, at us-east-1's prices."""
    text, *names = WHAT_IT_COSTS[kind]
    prices = price_table().prices
    return text.format(*(f"{prices[name].cost(1):g}" for name in names))


Approve = Callable[[list[Doomed]], bool]


def destroy(
    settings: Settings, *, approve: Approve, note: Note = lambda text: None, report: Report | None = None
) -> list[Doomed]:
    """Delete the stacks in reverse order and return them; bootstrap stays, since its key encrypts what stays.

    Raises
    ------
    DeployError
        It was not approved, or a stack cannot be deleted (which resource, and why, is in the message).
    """
    connection = open_target(settings, note, report)
    found = [one for layer in reversed(LAYERS[1:]) if (one := _doomed(connection, layer))]
    if not found:
        return []
    if not approve(found):
        raise DeployError("The destruction was not approved.", kept="Nothing was changed.")
    for stack in found:
        note(f"stack {stack.name}: deleting {len(stack.removed)} resources")
        for one in stack.kept:
            if one.type == "AWS::DynamoDB::Table" and one.holds != GONE:
                stop_change_capture(connection.settings, one.name)
        _delete(connection, stack)
    bootstrap = describe(connection.cloudformation, connection.stack_name(LAYERS[0]))
    remember(connection, outputs(bootstrap or {}))
    return found


def _doomed(connection: Connection, layer: str) -> Doomed | None:
    name = connection.stack_name(layer)
    stack = describe(connection.cloudformation, name)
    if stack and stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        return Doomed(name, stack["StackId"], (), ())
    if stack and stack["StackStatus"].endswith("_IN_PROGRESS"):
        connection.note(f"{name} is {stack['StackStatus']}, by another run: waiting for it")
        finish(connection, stack["StackId"], None, 0)
        stack = describe(connection.cloudformation, name)
    if stack is None:
        return None
    there = resources(connection.cloudformation, name)
    body = connection.cloudformation.get_template(StackName=name)["TemplateBody"]
    # boto3 hands a template that is JSON over as data.
    document = parse(body) if isinstance(body, str) else body
    stays = retained((document or {}).get("Resources", {}))
    kept = (one for one in there if one["LogicalResourceId"] in stays)
    removed = (one["LogicalResourceId"] for one in there if one["LogicalResourceId"] not in stays)
    return Doomed(name, stack["StackId"], tuple(removed), tuple(_kept(connection, one) for one in kept))


def _kept(connection: Connection, resource: dict[str, Any]) -> Kept:
    from botocore.exceptions import ClientError

    kind, name = resource["ResourceType"], resource["PhysicalResourceId"]
    try:
        return Kept(kind, name, _holds(connection, kind, name))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchBucket", "ResourceNotFoundException"):
            raise
        return Kept(kind, name, GONE)


def _holds(connection: Connection, kind: str, name: str) -> str:
    if kind == "AWS::S3::Bucket":
        page = client("s3", connection.settings).list_objects_v2(Bucket=name)
        return f"{'more than ' if page['IsTruncated'] else ''}{page['KeyCount']:,} objects"
    if kind == "AWS::DynamoDB::Table":
        table = client("dynamodb", connection.settings).describe_table(TableName=name)["Table"]
        return f"about {table['ItemCount']:,} items"
    return ""


def _delete(connection: Connection, stack: Doomed) -> None:
    since = last_event(connection.cloudformation, stack.stack_id)
    todo = TODO["delete_stack"].format(name=stack.name)
    with refusals(stack.name, todo):
        connection.cloudformation.delete_stack(StackName=stack.stack_id)
    status = finish(connection, stack.stack_id, since, len(stack.removed) + len(stack.kept))
    if status != "DELETE_COMPLETE":
        raise failure(connection, stack.stack_id, status, since, todo)
