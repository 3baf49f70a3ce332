"""Two things that CloudFormation's change sets do on AWS and ministack's do not, and its templates read faster."""

from __future__ import annotations

import re
from typing import Any

import yaml  # type: ignore[import-untyped]

_ID = re.compile(r"<Id>(.*?)</Id>")


def install() -> None:
    """Let a change set of nothing but outputs be carried out, and a bucket that it takes over be there already."""
    from ministack.services.cloudformation import engine, handlers, stacks

    # A deployment has every template read about ten times; libyaml needs a tenth of the time.
    reading = {"yaml_constructors": engine.CfnLoader.yaml_constructors}
    engine.CfnLoader = type("CfnLoader", (yaml.CSafeLoader,), reading)
    create = handlers._ACTION_HANDLERS["CreateChangeSet"]
    errors = stacks._validation_errors

    def create_change_set(parameters: Any) -> Any:
        answer = create(parameters)
        if found := _ID.search(_text(answer)):
            _allow_outputs(found.group(1))
        return answer

    def validation_errors(
        resources: Any,
        ordered: Any,
        values: Any,
        conditions: Any,
        mappings: Any,
        stack: str,
        stack_id: str,
        *rest: Any,
    ) -> list[tuple[Any, ...]]:
        adopted = _adopted(stack_id)
        found = errors(resources, ordered, values, conditions, mappings, stack, stack_id, *rest)
        return [one for one in found if not (one[2] == "NAME_CONFLICT_VALIDATION" and one[0] in adopted)]

    handlers._ACTION_HANDLERS["CreateChangeSet"] = create_change_set
    stacks._validation_errors = validation_errors


def _text(answer: Any) -> str:
    body = answer[2]
    return body.decode() if isinstance(body, bytes) else str(body)


def _allow_outputs(change_set_id: str) -> None:
    """Make a change set available that has no change of a resource, but one of an output."""
    from ministack.services.cloudformation import _change_sets, _stacks

    change_set = _change_sets[change_set_id]
    held = _stacks[change_set["StackName"]].get("_template", {}).get("Outputs", {})
    empty = change_set["Status"] == "FAILED" and "didn't contain changes" in change_set["StatusReason"]
    if empty and change_set["_template"].get("Outputs", {}) != held:
        change_set.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")


def _adopted(stack_id: str) -> set[str]:
    """Return the resources that the change set of a stack which is being carried out takes over."""
    from ministack.services.cloudformation import _change_sets

    return {
        resource
        for change_set in _change_sets.values()
        if change_set["StackId"] == stack_id and change_set["ExecutionStatus"] == "EXECUTE_IN_PROGRESS"
        for resource in change_set["_import_existing"]
    }
