"""What the local CloudFormation takes without doing it: said where CloudFormation gives a resource's reason.

A stack's events and DescribeStackResources carry it as ResourceStatusReason, so that a deployment can list it.
"""

from __future__ import annotations

from typing import Any

from nearcast.local.gateway.quicksight import PREFIX

CHECKED = "checked against botocore's model, not run"
ACCEPTED = "accepted, not run"

PROPERTIES = {
    "AWS::DynamoDB::Table": (
        "ContributorInsightsSpecification",
        "OnDemandThroughput",
        "PointInTimeRecoverySpecification",
        "SSESpecification",
        "TimeToLiveSpecification",
    ),
    "AWS::Kinesis::Stream": ("StreamEncryption",),
    "AWS::S3::Bucket": ("BucketEncryption", "LifecycleConfiguration", "LoggingConfiguration", "Tags"),
}
"""Properties, by type, that ministack's CloudFormation takes and drops: the resource does not have them afterwards."""


def reason(resource_type: str, properties: dict[str, Any]) -> str:
    """Return what of a resource is not run here; "" when it is all run."""
    if resource_type.startswith(PREFIX):
        return CHECKED
    dropped = [name for name in PROPERTIES.get(resource_type, ()) if properties.get(name)]
    return f"{', '.join(dropped)}: {ACCEPTED}" if dropped else ""


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
