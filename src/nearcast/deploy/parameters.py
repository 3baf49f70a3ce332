"""The values of a template's parameters: those given now, those of the stack, and the template's defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from nearcast.deploy.templates import Template
from nearcast.errors import DeployError

LOCAL_PARAMETERS: dict[str, dict[str, str]] = {
    "stream": {
        "BufferSeconds": "1",
        "LambdaBufferSeconds": "0",
        "VisibilitySeconds": "60",
        "Versioning": "Suspended",
    },
    "lake": {"Versioning": "Suspended", "ScheduleState": "DISABLED"},
    "analytics": {"QuickSightPrincipalArn": "arn:aws:quicksight:us-east-1:000000000000:user/default/local"},
}
"""What differs on one machine: Firehose gathers for one second, the Lambda gets its records at once, and what a
killed job had taken returns after a minute. Airflow starts crawler and job, and versions, which nothing would
expire, are not kept. There is no one for QuickSight to show anything to."""
OPTIONAL = {"analytics": "QuickSightPrincipalArn"}
"""Layers that are deployed to AWS only when this parameter of theirs has a value."""
COMPUTED = ("Environment", "TransformerKey", "HudiJobKey")
"""The parameters that a deployment fills in by itself."""


class ParameterError(DeployError):
    """A parameter that no template has, or a value that its template does not allow."""


def check_environment(template: Template, environment: str) -> None:
    """Make sure that resources can be named for an environment. Raises DeployError."""
    if problem := refusal(template.parameters["Environment"], environment):
        raise DeployError(
            f"The environment {environment!r} {problem}.",
            kept="Nothing was changed.",
            todo="Set NEARCAST_ENVIRONMENT to 2 to 12 small letters and digits, a letter first.",
        )


def check_given(templates: Iterable[Template], given: Mapping[str, str]) -> None:
    """Make sure that every parameter is one of the templates' and has a value that they allow.

    Raises
    ------
    ParameterError
        One is not; the message lists the parameters that there are.
    """
    known: dict[str, list[dict[str, Any]]] = {}
    for template in templates:
        for name, definition in template.parameters.items():
            if name not in COMPUTED:
                known.setdefault(name, []).append(definition)
    for name, value in given.items():
        if name not in known:
            listed = "\n".join(f"  {_describe(name, definitions[0])}" for name, definitions in known.items())
            raise ParameterError(f"There is no parameter {name}. There are:\n{listed}")
        for definition in known[name]:
            if problem := refusal(definition, value):
                raise ParameterError(f"{name}={value} {problem}. Parameter:\n  {_describe(name, definition)}")


def refusal(definition: Mapping[str, Any], value: str) -> str | None:
    """Return why a template's definition of a parameter does not allow a value, or None."""
    if definition["Type"] == "Number":
        try:
            number = float(value)
        except ValueError:
            return "is not a number"
        if number < float(definition.get("MinValue", "-inf")):
            return f"is less than {definition['MinValue']}"
        if number > float(definition.get("MaxValue", "inf")):
            return f"is more than {definition['MaxValue']}"
    allowed = [str(one) for one in definition.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"is not one of {', '.join(allowed)}"
    pattern = definition.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        return f"does not match {pattern}"
    if not int(definition.get("MinLength", 0)) <= len(value) <= int(definition.get("MaxLength", 4096)):
        return "is too short or too long"
    return None


def values(
    template: Template, chosen: Mapping[str, str], stack: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Return the request's parameters: those chosen, then those that the stack has; the rest has defaults.

    Raises
    ------
    ParameterError
        One has none of these.
    """
    held = {item["ParameterKey"] for item in (stack or {}).get("Parameters", [])}
    request: list[dict[str, Any]] = []
    for name, definition in template.parameters.items():
        if name in chosen:
            request.append({"ParameterKey": name, "ParameterValue": chosen[name]})
        elif name in held:
            request.append({"ParameterKey": name, "UsePreviousValue": True})
        elif "Default" not in definition:
            raise ParameterError(f"{template.layer} needs a value: --set {_describe(name, definition)}")
    return request


def _describe(name: str, definition: Mapping[str, Any]) -> str:
    default = f" (default {definition['Default']})" if "Default" in definition else ""
    allowed = definition.get("AllowedValues")
    choice = "|".join(str(one) for one in allowed) if allowed else definition["Type"].upper()
    return f"{name}={choice}{default}  {' '.join(str(definition.get('Description', '')).split())}"
