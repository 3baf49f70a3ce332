"""Creating and updating the stacks, one layer after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nearcast.aws import client
from nearcast.deploy.artifacts import artifacts, upload
from nearcast.deploy.change_capture import start_change_capture
from nearcast.deploy.change_sets import Change, ChangeSet, counted, discard, execute, make
from nearcast.deploy.connection import Connection, Note, Report
from nearcast.deploy.parameters import (
    LOCAL_PARAMETERS,
    OPTIONAL,
    check_environment,
    check_given,
    values,
)
from nearcast.deploy.stacks import NotRun, describe, not_run, outputs
from nearcast.deploy.states import READY, WAYS_ON, make_ready
from nearcast.deploy.target import open_target, remember
from nearcast.deploy.templates import Template, load
from nearcast.errors import DeployError
from nearcast.settings import Settings

LAYERS = ("bootstrap", "stream", "lake", "access", "analytics")
"""Every layer, in the order of what they take from each other."""
Approve = Callable[[ChangeSet], bool]


@dataclass(frozen=True)
class Stack:
    """A stack's name, its status, and whether this deployment changed it."""

    name: str
    status: str
    changed: bool


@dataclass
class Deployed:
    """What a deployment did.

    Parameters
    ----------
    outputs
        The stacks' outputs, under the names of the settings.
    only_checked
        The resources that the local gateway checked and does not run.
    left_out
        The layers that were not deployed, and why.
    """

    stacks: list[Stack] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    only_checked: list[NotRun] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Planned:
    """What a deployment would do with a stack.

    ``why_not`` says why CloudFormation could not be asked; the changes are the template's resources then.
    """

    stack: str
    changes: tuple[Change, ...]
    why_not: str = ""


def deploy(
    settings: Settings,
    given: Mapping[str, str] | None = None,
    *,
    approve: Approve = lambda change_set: True,
    note: Note = lambda text: None,
    report: Report | None = None,
) -> Deployed:
    """Create or update the stacks and write their outputs to NEARCAST_HOME.

    Parameters
    ----------
    given
        Values of the templates' parameters. Others keep what the stack has, or have the template's default.
    approve
        Is shown each stack's changes, and decides on them. Asked stack by stack, since CloudFormation can
        only tell a stack's changes when those before it are there.

    Raises
    ------
    ParameterError
        A parameter is unknown, or its value not allowed; nothing was done.
    DeployError
        A stack failed (which resource, and why, is in the message) or was not approved.
    """
    connection = open_target(settings, note, report)
    done = Deployed(outputs=_outputs_before(connection))
    try:
        for template, chosen in _layers(connection, given or {}, done.left_out):
            changes, stack = _apply(connection, template, chosen, done, approve)
            done.outputs |= outputs(stack)
            done.only_checked += not_run(connection.cloudformation, stack["StackName"])
            if template.layer == "bootstrap":
                for key, body in artifacts().values():
                    upload(client("s3", settings), done.outputs["artifacts_bucket"], key, body)
            if template.layer == "stream":
                adopted = ("Import", "AWS::DynamoDB::Table") in {(one.action, one.type) for one in changes}
                table, stream = done.outputs["prices_table"], done.outputs["stream_name"]
                start_change_capture(connection.settings, table, stream, adopted)
    finally:
        # Also where a later stack fails: what there is must be found.
        if done.outputs:
            remember(connection, done.outputs)
    return done


def _outputs_before(connection: Connection) -> dict[str, str]:
    """Return what the stacks put out that there are: services that run go on reading the home meanwhile."""
    before: dict[str, str] = {}
    for layer in LAYERS:
        before |= outputs(describe(connection.cloudformation, connection.stack_name(layer)) or {})
    return before


def plan(
    settings: Settings, given: Mapping[str, str] | None = None, *, note: Note = lambda text: None
) -> tuple[list[Planned], dict[str, str]]:
    """Return what a deployment would change, and the layers that it would leave out; change nothing.

    A template that is too large for a request is put into the artifacts bucket; nothing else stays.
    """
    connection = open_target(settings, note, None)
    planned: list[Planned] = []
    left_out: dict[str, str] = {}
    bucket = None
    for template, chosen in _layers(connection, given or {}, left_out):
        name = connection.stack_name(template.layer)
        stack = describe(connection.cloudformation, name)
        stack = None if stack and stack["StackStatus"] == "REVIEW_IN_PROGRESS" else stack
        if template.layer == "bootstrap" and stack:
            bucket = outputs(stack).get("artifacts_bucket")
        if why_not := _unplannable(connection, template, stack):
            added = (Change("Add", resource, one["Type"]) for resource, one in template.resources.items())
            planned.append(Planned(name, tuple(added), why_not))
            continue
        made = make(connection, name, template, values(template, chosen, stack), stack, bucket)
        if made:
            discard(connection, made)
        planned.append(Planned(name, made.changes if made else ()))
    return planned, left_out


def _layers(
    connection: Connection, given: Mapping[str, str], left_out: dict[str, str]
) -> Iterator[tuple[Template, dict[str, str]]]:
    """Yield each layer's template with the values chosen for its parameters; note which are left out, and why."""
    settings = connection.settings
    templates = [
        load(layer, settings.environment, connection.account, settings.aws_region) for layer in LAYERS
    ]
    check_environment(templates[0], settings.environment)
    check_given(templates, given)
    common = {"Environment": settings.environment, **{name: key for name, (key, _) in artifacts().items()}}
    if "table_type" in settings.model_fields_set:
        common["TableType"] = settings.table_type
    for template in templates:
        local = LOCAL_PARAMETERS.get(template.layer, {}) if settings.target == "local" else {}
        chosen = {**common, **local, **given}
        required = OPTIONAL.get(template.layer)
        if required and required not in chosen and not _exists(connection, template.layer):
            left_out[template.layer] = f"it needs --set {required}=…"
        else:
            yield template, chosen


def _exists(connection: Connection, layer: str) -> bool:
    stack = describe(connection.cloudformation, connection.stack_name(layer))
    return bool(stack and stack["StackStatus"] in READY)


def _apply(
    connection: Connection,
    template: Template,
    chosen: Mapping[str, str],
    done: Deployed,
    approve: Approve,
) -> tuple[tuple[Change, ...], dict[str, Any]]:
    """Create or update one stack; return what was changed, and the stack."""
    name = connection.stack_name(template.layer)
    stack = make_ready(connection, name)
    parameters = values(template, chosen, stack)
    change_set = make(connection, name, template, parameters, stack, done.outputs.get("artifacts_bucket"))
    if change_set is None:
        assert stack is not None  # A new stack always has changes.
        done.stacks.append(Stack(name, stack["StackStatus"], changed=False))
        return (), stack
    try:
        approved = approve(change_set)
    except BaseException:
        discard(connection, change_set)
        raise
    if not approved:
        discard(connection, change_set)
        raise DeployError(
            f"The changes to {name} were not approved.",
            kept="It is as it was; the stacks before it are deployed.",
            todo="Run the same command again to go on from there.",
        )
    connection.note(f"stack {name}: making {counted(len(change_set.changes))}")
    status = execute(connection, change_set)
    if adopted := [one.resource for one in change_set.changes if one.action == "Import"]:
        connection.note(
            f"taken over as they were: {', '.join(adopted)}. Whether they are as the template has them: "
            f"aws cloudformation detect-stack-drift --stack-name {name}"
        )
    done.stacks.append(Stack(name, status, changed=True))
    changed = describe(connection.cloudformation, name)
    assert changed is not None
    return change_set.changes, changed


def _unplannable(connection: Connection, template: Template, stack: dict[str, Any] | None) -> str:
    """Return why a change set cannot be made now, or an empty text."""
    status = stack["StackStatus"] if stack else ""
    if status and status not in READY:
        return WAYS_ON[status][1] if status in WAYS_ON else f"it is {status}, by another run"
    pages = connection.cloudformation.get_paginator("list_exports").paginate()
    missing = template.imports - {one["Name"] for page in pages for one in page["Exports"]}
    return f"the stacks before it do not export {', '.join(sorted(missing))} yet" if missing else ""
