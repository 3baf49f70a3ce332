"""Calls to ministack's services from inside its process: no HTTP, no signatures.

They run on worker threads, never on the event loop's own thread.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from nearcast.local.gateway.hooks import AwsError

ACCOUNT = "000000000000"
TARGETS = {
    "glue": "AWSGlue",
    "kinesis": "Kinesis_20131202",
    "firehose": "Firehose_20150804",
    "athena": "AmazonAthena",
    "sqs": "AmazonSQS",
}
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class StoredObject:
    """An object of S3: its key, size in bytes, last change (ISO 8601, UTC) and ETag."""

    key: str
    size: int
    last_modified: str
    etag: str
    locate: Callable[[], Path]

    @cached_property
    def path(self) -> Path:
        """The file that holds it. Found when it is asked for: that takes longer than listing the object."""
        return self.locate()


def enter_account(region: str) -> None:
    """Make this thread's calls those of the local account in ``region``."""
    from ministack.core.responses import set_request_account_id, set_request_region

    set_request_account_id(ACCOUNT)
    set_request_region(region)


def on_loop(function: Callable[..., None], *arguments: Any) -> None:
    """Have a function called on the event loop's thread, in this thread's account and region."""
    from ministack import app

    app._MAIN_LOOP.call_soon_threadsafe(function, *arguments)


def from_loop(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns on the event loop's thread, in this thread's account and region."""
    from ministack import app

    async def called() -> Any:
        return function(*arguments)

    return asyncio.run_coroutine_threadsafe(called(), app._MAIN_LOOP).result(TIMEOUT_S)


def settle() -> None:
    """Wait until the event loop is done with the call that it is at: S3 lists an object before its file is written."""
    from_loop(lambda: None)


def _send(
    service: str,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    timeout_s: float = TIMEOUT_S,
) -> tuple[Any, Any]:
    from ministack import app

    status, answered, content = app.call_service_handler_sync(
        app.SERVICE_HANDLERS[service], method, path, headers, body, {}, timeout_s
    )
    if status >= 300:
        raise _error(service, status, content)
    return answered, content


def _error(service: str, status: int, content: bytes) -> AwsError:
    try:
        document = json.loads(content)
    except ValueError:
        return AwsError("InternalFailure", f"{service}: {status} {content[:300]!r}", status)
    code = str(document.get("__type", "InternalFailure")).rpartition("#")[2]
    return AwsError(code, str(document.get("message") or document.get("Message") or document), status)


def call(service: str, action: str, **document: Any) -> dict[str, Any]:
    """Call an action of a JSON service. Raises AwsError when the service refuses."""
    headers = {
        "x-amz-target": f"{TARGETS[service]}.{action}",
        "content-type": "application/x-amz-json-1.1",
    }
    _, content = _send(service, "POST", "/", headers, json.dumps(document, default=str).encode())
    answer: dict[str, Any] = json.loads(content) if content else {}
    return answer


def glue(action: str, **document: Any) -> dict[str, Any]:
    """Call an action of the Glue catalog."""
    return call("glue", action, **document)


def invoke(function_arn: str, payload: bytes, timeout_s: float) -> bytes:
    """Invoke a Lambda function and return its answer.

    Raises AwsError when the function fails, TimeoutError when it takes more than ``timeout_s`` seconds.
    """
    name = function_arn.partition(":function:")[2] or function_arn
    path = f"/2015-03-31/functions/{name.partition(':')[0]}/invocations"
    answered, content = _send(
        "lambda", "POST", path, {"content-type": "application/json"}, payload, timeout_s
    )
    if any(header.lower() == "x-amz-function-error" for header in answered):
        raise AwsError("Lambda.FunctionError", content.decode(errors="replace")[:500])
    return bytes(content)


def put_object(bucket: str, key: str, body: bytes) -> None:
    """Store an object; its notifications are sent as for any other."""
    headers = {
        "host": "localhost",
        "content-length": str(len(body)),
        "content-type": "application/octet-stream",
    }
    _send("s3", "PUT", f"/{bucket}/{key}", headers, body)


def delete_object(bucket: str, key: str) -> None:
    """Delete an object; one that is not there stays so."""
    _send("s3", "DELETE", f"/{bucket}/{key}", {"host": "localhost"}, b"")


def get_object(bucket: str, key: str) -> bytes:
    """Return the body of an object. Raises AwsError when there is none."""
    _, content = _send("s3", "GET", f"/{bucket}/{key}", {"host": "localhost"}, b"")
    return bytes(content.read() if hasattr(content, "read") else content)


def list_objects(bucket: str, prefix: str = "") -> list[StoredObject]:
    """Return the objects under a prefix, by key. Raises AwsError when there is no such bucket."""
    from ministack.core.responses import get_account_id
    from ministack.services import s3

    held = s3._buckets.get(bucket)
    if held is None:
        raise AwsError("NoSuchBucket", f"The specified bucket does not exist: {bucket}", 404)
    found = sorted((key, item) for key, item in list(held["objects"].items()) if key.startswith(prefix))
    account = get_account_id()

    def locate(key: str) -> Path:
        return Path(s3._object_disk_path(bucket, key, account))

    return [
        StoredObject(
            key,
            int(item.get("size", 0)),
            item["last_modified"],
            str(item.get("etag", "")),
            partial(locate, key),
        )
        for key, item in found
    ]


def split_uri(uri: str) -> tuple[str, str]:
    """Split ``s3://bucket/key`` (or s3a://) into bucket and key."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key
