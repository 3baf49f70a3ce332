"""From the calls of a part to the IAM actions that it needs, and from a template's policy to those that it has."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from tests.infrastructure.documented import ACTIONS, DEPENDENT, KMS, PART_NEEDS, Needed
from tests.infrastructure.parts import SERVICE_PARTS, Part, operations
from tests.infrastructure.templates import Statement, Template

Right = tuple[str, str]
"""An action, and for one on the key the service by which alone it may be taken (else empty)."""


def actions_of(service: str, operation: str) -> tuple[str, ...]:
    """Return the IAM actions that an operation needs."""
    return ACTIONS.get((service, operation), (f"{service}:{operation}",))


def needed(name: str, part: Part, template: Template | None = None) -> dict[Right, list[str]]:
    """Return the rights that a part needs, each with its reasons: places of calls, or what AWS documents."""
    reasons: defaultdict[Right, list[str]] = defaultdict(list)
    for (service, operation), places in operations(part).items():
        for action in actions_of(service, operation):
            reasons[action, ""] += places
        for one in DEPENDENT.get((service, operation), ()):
            for action in one.actions:
                reasons[action, ""].append(f"{service} {operation}: {one.why} ({one.source})")
    for one in (*PART_NEEDS.get(name, ()), *(_configured(name, template) if template else ())):
        for action in one.actions:
            reasons[action, one.via].append(f"{one.why} ({one.source})")
    for action, _ in list(reasons):
        keys, service = KMS.get(action, ((), ""))
        for key in keys:
            reasons[key, service].append(f"{action} on what the key encrypts")
    return dict(reasons)


def service_role(name: str) -> Part | None:
    """Return the part of a role in a template; None for a role that nothing is known of."""
    if name in PART_NEEDS or name in SERVICE_PARTS or name == "ScheduleRole":
        return SERVICE_PARTS.get(name, Part(()))
    return None


def _configured(role: str, template: Template) -> Iterable[Needed]:
    """Yield what a role needs because of how the template has set up what works with it."""
    users = [one for one in template.resources.values() if _role_of(one) == role]
    for resource in users:
        properties = resource["Properties"]
        if {"SecurityConfiguration", "CrawlerSecurityConfiguration"} & properties.keys():
            yield Needed(
                ("glue:GetSecurityConfiguration", "logs:AssociateKmsKey"),
                "its security configuration encrypts the log",
                "docs.aws.amazon.com/glue/latest/dg/set-up-encryption.html",
            )
        if resource["Type"] == "AWS::Scheduler::Schedule":
            yield from _scheduled(template, properties)


def _role_of(resource: dict[str, Any]) -> str | None:
    properties = resource.get("Properties", {})
    for holder in (properties, properties.get("Target", {})):
        for key in ("Role", "RoleArn"):
            if isinstance(given := holder.get(key) if isinstance(holder, dict) else None, dict):
                name = given.get("Fn::GetAtt")
                return str(name[0] if isinstance(name, list) else str(name).partition(".")[0])
    return None


def _scheduled(template: Template, schedule: dict[str, Any]) -> Iterable[Needed]:
    """Yield what EventBridge Scheduler needs: the action that its target's ARN names (``…:glue:startJobRun``)."""
    target = schedule["Target"]
    service, method = str(template.value(target["Arn"])).split(":")[-2:]
    guide = "docs.aws.amazon.com/scheduler/latest/UserGuide"
    operation = method[0].upper() + method[1:]
    yield Needed(
        actions_of(service, operation), "the schedule's target", f"{guide}/managing-targets-universal.html"
    )
    if "DeadLetterConfig" in target:
        why = "starts that failed go to the schedule's dead-letter queue"
        yield Needed(("sqs:SendMessage",), why, f"{guide}/configuring-schedule-dlq.html")
    if "KmsKeyArn" in schedule:
        why = "the schedule is encrypted"
        yield Needed(("kms:Decrypt",), why, f"{guide}/encryption-rest.html", via="scheduler")


def given(statements: Iterable[Statement]) -> dict[Right, list[str]]:
    """Return the rights that statements give, each with their places."""
    rights: defaultdict[Right, list[str]] = defaultdict(list)
    for statement in statements:
        if statement.effect != "Allow":
            continue
        for action in statement.actions:
            if not action.startswith("kms:"):
                rights[action, ""].append(statement.place)
                continue
            via = statement.condition.get("StringEquals", {}).get("kms:ViaService", ["any service"])
            for service in [via] if isinstance(via, str) else via:
                rights[action, service.partition(".")[0]].append(statement.place)
    return dict(rights)


def compare(name: str, wanted: dict[Right, list[str]], had: dict[Right, list[str]]) -> list[str]:
    """Return a line for each right that is missing or unused."""

    def spelt(right: Right) -> str:
        return right[0] + (f" via {right[1]}" if right[1] else "")

    missing = [
        f"{name} lacks {spelt(right)}, needed by {'; '.join(dict.fromkeys(wanted[right]))}"
        for right in sorted(wanted.keys() - had.keys())
    ]
    unused = [
        f"{name} has {spelt(right)} in {', '.join(had[right])}, and nothing needs it"
        for right in sorted(had.keys() - wanted.keys())
    ]
    return missing + unused


@cache
def reference() -> dict[str, Any]:
    """Return AWS's service authorization reference, as cfn-lint ships it: actions and resource types by service."""
    import cfnlint

    path = Path(cfnlint.__file__).parent / "data" / "AdditionalSpecs" / "Policies.json"
    return dict(json.loads(path.read_text()))


def known_action(action: str) -> dict[str, Any] | None:
    """Return what AWS's reference has of an action, None when there is no such action."""
    service, _, name = action.partition(":")
    found = reference().get(service, {}).get("Actions", {}).get(name.lower())
    return None if found is None else dict(found)


def arn_patterns(action: str) -> list[str]:
    """Return the patterns of the ARNs that an action can be granted on; none when it takes ``*`` alone."""
    service = action.partition(":")[0]
    types = reference()[service]["Resources"]
    names = (known_action(action) or {}).get("Resources", [])
    return [pattern for name in names for pattern in types.get(name, {}).get("ARNFormats", [])]
