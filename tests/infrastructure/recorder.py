"""The requests that botocore is really asked to send, by the part that asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.handlers import BUILTIN_HANDLERS
from botocore.validate import ParamValidator

from nearcast import aws


@dataclass(frozen=True)
class Request:
    """An operation with its parameters, and what is wrong with them by botocore's model."""

    part: str
    service: str
    operation: str
    parameters: dict[str, Any]
    wrong: str


@dataclass
class Recorder:
    """Requests since the recorder was put in; those outside `of` are the test's own, and not kept."""

    requests: list[Request] = field(default_factory=list)
    part: str | None = None

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Let the requests within this block, of all threads, be a part's."""
        self.part = part
        try:
            yield
        finally:
            self.part = None

    def __call__(self, params: dict[str, Any], model: Any, **more: Any) -> None:
        """Keep a request; botocore calls this before it builds it."""
        if self.part is None:
            return
        wrong = ""
        if model.input_shape is not None:
            wrong = ParamValidator().validate(params, model.input_shape).generate_report()
        service = model.service_model.service_name
        self.requests.append(Request(self.part, service, model.name, dict(params), wrong))


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record the requests of every client that is made within this block."""
    recorder = Recorder()
    entry = ("before-parameter-build", recorder)
    BUILTIN_HANDLERS.append(entry)
    _forget_clients()
    try:
        yield recorder
    finally:
        BUILTIN_HANDLERS.remove(entry)
        _forget_clients()


def _forget_clients() -> None:
    aws._client.cache_clear()
    boto3.DEFAULT_SESSION = None
