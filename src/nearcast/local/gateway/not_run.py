"""What the local CloudFormation takes without doing it: said where CloudFormation gives a resource's reason.

A stack's events and DescribeStackResources carry it as ResourceStatusReason, so that a deployment can list it.
"""

from __future__ import annotations

from typing import Any

from nearcast.local.gateway.quicksight import PREFIX

CHECKED = "checked against botocore's model, not run"
ACCEPTED = "accepted, not run"

TYPES: dict[str, str] = {}
"""Types that are kept and do nothing, with what they would do."""

PROPERTIES: dict[str, tuple[str, ...]] = {}
"""Properties, by type, that nothing here acts upon."""


def reason(resource_type: str, properties: dict[str, Any]) -> str:
    """Return what of a resource is not run here; "" when it is all run."""
    if resource_type.startswith(PREFIX):
        return CHECKED
    if resource_type in TYPES:
        return f"{TYPES[resource_type]}: {ACCEPTED}"
    idle = [name for name in PROPERTIES.get(resource_type, ()) if properties.get(name)]
    return f"{', '.join(idle)}: {ACCEPTED}" if idle else ""


def install() -> None:
    """Let ministack's stack events and descriptions of resources carry the reasons."""
    from ministack.services.cloudformation import _stacks, handlers, stacks

    add_event, reason_xml = stacks._add_event, handlers._resource_status_reason_xml

    def with_reason(
        stack_id: str, stack: str, logical_id: str, kind: str, status: str, *rest: Any, **named: Any
    ) -> None:
        done = status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        if done and not rest and (held := _stacks.get(stack, {}).get("_resources", {}).get(logical_id)):
            named.setdefault("reason", reason(kind, held["Properties"]))
        add_event(stack_id, stack, logical_id, kind, status, *rest, **named)

    def reason_of(resource: dict[str, Any]) -> str:
        said = resource.get("ResourceStatusReason") or reason(
            resource.get("ResourceType", ""), resource.get("Properties", {})
        )
        return str(reason_xml({**resource, "ResourceStatusReason": said}))

    stacks._add_event = with_reason
    handlers._resource_status_reason_xml = reason_of
