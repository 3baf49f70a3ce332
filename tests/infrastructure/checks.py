"""What is wrong with the arguments of a call, as far as the source says what they are."""

from __future__ import annotations

import inspect

from boto3.s3 import inject

from tests.infrastructure.calls import TRANSFERS, Call
from tests.infrastructure.models import service_named
from tests.infrastructure.program import Program
from tests.infrastructure.values import arguments


def wrong_arguments(program: Program, call: Call) -> list[str]:
    """Return a line for each argument that does not fit the operation, or the transfer's function."""
    given = arguments(program, call.module, call.node)
    positional = call.node.args if call.node else []
    if call.how in TRANSFERS:
        signature = inspect.signature(getattr(inject, call.how))
        try:
            bind = signature.bind_partial if given.open else signature.bind
            bind(None, *positional, **given.fields)
        except TypeError as error:
            return [f"{call.how}: {error}"]
        return []
    if positional:
        return [f"{call.operation} takes keywords alone"]
    service = service_named(call.service)
    assert service is not None
    return service.check(call.operation, given, call.how)
