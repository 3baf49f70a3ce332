"""botocore's own models of the services: their operations, and whether what is passed to one fits its input."""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

from tests.infrastructure.values import Fields, Text, Unknown

PAGINATION = {"MaxItems", "PageSize", "StartingToken"}
WAITING = {"Delay", "MaxAttempts"}
NUMBERS: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
}


@cache
def _session() -> Any:
    return botocore.session.get_session()


@cache
def service_named(name: object) -> Service | None:
    """Return botocore's model of a service; None when it has none."""
    try:
        return Service(str(name), _session().get_service_model(name))
    except UnknownServiceError:
        return None


class Service:
    """One service's model."""

    def __init__(self, name: str, model: Any) -> None:
        self.name = name
        self.model = model

    @cached_property
    def methods(self) -> dict[str, str]:
        """Operations by the method of a client that calls them."""
        return {xform_name(operation): operation for operation in self.model.operation_names}

    def operation_of(self, method: str) -> str | None:
        """Return the operation that a client's method calls."""
        return self.methods.get(method)

    def paginated(self, method: str) -> str | None:
        """Return the operation of a client's paginator."""
        operation = self.methods.get(method)
        pages = _session().get_paginator_model(self.name)._paginator_config
        return operation if operation in pages else None

    def waited(self, waiter: str) -> str | None:
        """Return the operation that a client's waiter calls."""
        model = _session().get_waiter_model(self.name)
        names = {xform_name(name): name for name in model.waiter_names}
        return str(model.get_waiter(names[waiter]).operation) if waiter in names else None

    def check(self, operation: str, given: Fields, how: str = "call") -> list[str]:
        """Return what is wrong with the arguments of a call, as far as they are known."""
        fields = dict(given.fields)
        wrong = []
        extra = {"paginate": ("PaginationConfig", PAGINATION), "wait": ("WaiterConfig", WAITING)}.get(how)
        if extra and isinstance(config := fields.pop(extra[0], None), Fields):
            wrong += [f"{extra[0]} has no {name}" for name in config.fields.keys() - extra[1]]
        shape = self.model.operation_model(operation).input_shape
        if shape is None:
            return wrong + [f"{operation} takes no {name}" for name in fields]
        return wrong + _check(shape, Fields(fields, given.open), operation)


def _check(shape: Any, value: Any, path: str) -> list[str]:
    """Compare a value, as far as it is known, with the shape that botocore has for it."""
    if isinstance(value, Unknown):
        return []
    kind = shape.type_name
    if kind == "structure":
        return _check_structure(shape, value, path)
    if kind == "list":
        if not isinstance(value, list):
            return [f"{path} is {value!r}, not a list"]
        return [wrong for i, one in enumerate(value) for wrong in _check(shape.member, one, f"{path}[{i}]")]
    if kind == "map":
        if not isinstance(value, Fields):
            return [f"{path} is {value!r}, not a map"]
        return [
            wrong
            for name, one in value.fields.items()
            for wrong in _check(shape.value, one, f"{path}.{name}")
        ]
    return _check_scalar(shape, value, path)


def _check_structure(shape: Any, value: Any, path: str) -> list[str]:
    if not isinstance(value, Fields):
        return [f"{path} is {value!r}, not a structure"]
    wrong = []
    for name, one in value.fields.items():
        if name not in shape.members:
            wrong.append(f"{path} has no {name}")
        else:
            wrong += _check(shape.members[name], one, f"{path}.{name}")
    if not value.open:
        wrong += [f"{path} needs {name}" for name in shape.required_members if name not in value.fields]
    return wrong


def _check_scalar(shape: Any, value: Any, path: str) -> list[str]:
    kind = shape.type_name
    if kind in ("string", "character"):
        if not isinstance(value, str | Text):
            return [f"{path} is {value!r}, not a text"]
        if isinstance(value, str) and shape.enum and value not in shape.enum:
            return [f"{path} is {value!r}, none of {', '.join(shape.enum)}"]
    elif kind == "boolean" and not isinstance(value, bool):
        return [f"{path} is {value!r}, not true or false"]
    elif kind in NUMBERS and (isinstance(value, bool) or not isinstance(value, NUMBERS[kind])):
        return [f"{path} is {value!r}, not a number ({kind})"]
    elif kind == "blob" and not isinstance(value, bytes | str | Text):
        return [f"{path} is {value!r}, no bytes"]
    if kind in NUMBERS and isinstance(value, int | float):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is not None and value < low) or (high is not None and value > high):
            return [f"{path} is {value}, not within {low} and {high}"]
    return []
