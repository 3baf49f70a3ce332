"""Replacing single actions of ministack's JSON services by functions of our own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Action = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes the request's JSON document, returns the response's."""


class AwsError(Exception):
    """An error that goes back over the wire as AWS would send it.

    Parameters
    ----------
    code
        AWS's name of the error, such as ``EntityNotFoundException``.
    message
        What the caller reads.
    status
        The HTTP status: 400 for the caller's mistakes, 500 for ours.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def _respond(action: Action, body: bytes) -> tuple[int, dict[str, str], bytes]:
    try:
        status, document = 200, action(json.loads(body or b"{}"))
    except AwsError as error:
        status = error.status
        document = {"__type": error.code, "message": str(error), "Message": str(error)}
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document, default=str).encode()


def install(service: str, actions: Mapping[str, Action]) -> None:
    """Let ``actions`` answer for ``service``; every other action goes to ministack's own handler.

    Each call runs on a thread of its own, with the request's account and region in its context.
    """
    from ministack import app
    from ministack.core.concurrency import run_reentrant

    original = app.SERVICE_HANDLERS[service]

    async def handler(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Any:
        name = headers.get("x-amz-target", "").rpartition(".")[2]
        action = actions.get(name)
        if action is None:
            return await original(method, path, headers, body, query)
        return await run_reentrant(_respond, action, body, thread_name=f"gateway-{service}-{name}")

    app.SERVICE_HANDLERS[service] = handler
