"""Checking a request against botocore's model of a service: what AWS would refuse before it does anything."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

MOST = 5
"""Findings that an error names."""


def check_request(service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return a request with its numbers and truth values typed, as CloudFormation types what a template gives as text.

    Raises ValueError with the first findings: required and unknown members and types (botocore's own validator),
    enumerations, patterns and lengths (which that does not look at).
    """
    from botocore.validate import ParamValidator

    shape = _model(service).operation_model(operation).input_shape
    typed: dict[str, Any] = _typed(shape, request)
    report = ParamValidator().validate(typed, shape)
    found = report.generate_report().splitlines() if report.has_errors() else []
    found += _beyond(shape, typed, "")
    if found:
        more = f" (and {len(found) - MOST} more)" if len(found) > MOST else ""
        raise ValueError("; ".join(found[:MOST]) + more)
    return typed


@lru_cache
def _model(service: str) -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model(service)


def _typed(shape: Any, value: Any) -> Any:
    """Return ``value`` with text where the shape wants a number or a truth value converted; what does not fit stays."""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        return {
            name: _typed(shape.members[name], item) if name in shape.members else item
            for name, item in value.items()
        }
    if kind == "list" and isinstance(value, list):
        return [_typed(shape.member, item) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {name: _typed(shape.value, item) for name, item in value.items()}
    if kind == "string" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return value
    if kind == "boolean" and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind in ("integer", "long") and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind in ("double", "float") and re.fullmatch(r"-?\d+(\.\d+)?([eE]-?\d+)?", value):
        return float(value)
    return value


def _beyond(shape: Any, value: Any, path: str) -> list[str]:
    """Return what breaks an enumeration, a pattern or a greatest length or value."""
    kind, found = shape.type_name, list[str]()
    if kind == "structure" and isinstance(value, dict):
        for name, item in value.items():
            if name in shape.members:
                found += _beyond(shape.members[name], item, f"{path}.{name}")
    elif kind == "list" and isinstance(value, list):
        for place, item in enumerate(value):
            found += _beyond(shape.member, item, f"{path}[{place}]")
    elif kind == "map" and isinstance(value, dict):
        for name, item in value.items():
            found += _beyond(shape.key, name, f"{path} (key: {name})")
            found += _beyond(shape.value, item, f"{path}.{name}")
    size = len(value) if isinstance(value, (str, list, dict)) else value
    most = shape.metadata.get("max")
    if most is not None and isinstance(size, (int, float)) and size > most:
        found.append(f"{path[1:]}: {size} is more than the {most} that there may be")
    if kind == "string" and isinstance(value, str):
        found += _text(shape, value, path[1:])
    return found


def _text(shape: Any, value: str, path: str) -> list[str]:
    if shape.enum and value not in shape.enum:
        return [f"{path}: {value!r} is none of {', '.join(shape.enum)}"]
    pattern = shape.metadata.get("pattern")
    if not pattern:
        return []
    try:
        fits = re.fullmatch(pattern, value, re.DOTALL)
    except re.error:
        # A few patterns are written in a dialect that Python lacks (\\p{L}).
        return [f"{path}: whether it matches {pattern} cannot be told here"]
    return [] if fits else [f"{path}: {value!r} does not match {pattern}"]
