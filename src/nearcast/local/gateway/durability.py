"""Nothing that the gateway acknowledged is lost when its process is killed.

Every successful call is one of four kinds. Writes of data are logged as they came and made again at the next start.
Changes of what is there (stacks, buckets, functions, roles) are few: their answer waits for a snapshot. Changes that
may happen twice, or lie on the disk already, are left to the next regular snapshot. Reads change nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any
from urllib.parse import parse_qs

from nearcast.local.gateway import journal
from nearcast.local.gateway.snapshots import SnapshotError, Snapshots, stack_events
from nearcast.local.gateway.wal import Entry, WriteAheadLog
from nearcast.log import get_logger

log = get_logger("durability")
SNAPSHOT_EVERY_S = 15.0

READS = re.compile(
    "(Batch)?Get|List|Describe|Search|Scan|Query|Select|Head|Check|Validate|Estimate|Simulate|Lookup|TransactGet"
    "|BatchDescribe|AssumeRole|Receive|SubscribeToShard"
)
LOGGED = {
    "dynamodb": re.compile(
        "(PutItem|UpdateItem|DeleteItem|BatchWriteItem|TransactWriteItems"
        "|ExecuteStatement|BatchExecuteStatement|ExecuteTransaction)$"
    ),
    "kinesis": re.compile("PutRecords?$"),
    "sqs": re.compile("SendMessage(Batch)?$"),
    "glue": re.compile("(Batch)?(Create|Update|Delete)(Database|Table|Partition|Job|Crawler|Classifier)"),
}
LATER = {
    # A message that is taken or deleted again only repeats work.
    "sqs": re.compile("(DeleteMessage|ChangeMessageVisibility)(Batch)?$"),
    # Their records are noted in the journal.
    "glue": re.compile("(StartJobRun|BatchStopJobRun|StartCrawler)$"),
    "athena": re.compile("(Start|Stop)QueryExecution$"),
    "logs": re.compile("PutLogEvents$|CreateLog(Group|Stream)$"),
    "monitoring": re.compile("PutMetricData$"),
}
HEADERS = ("x-amz-target", "content-type")


class Kind(Enum):
    """What has to happen to a call before its answer leaves."""

    READ = "nothing"
    LATER = "the next snapshot holds it"
    LOGGED = "it is written to the log"
    SAVED = "a snapshot has to hold it"


def action_of(headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]) -> str:
    """Return the name of the action that a call asks for; empty for calls of the REST services."""
    if target := headers.get("x-amz-target", ""):
        return target.rpartition(".")[2]
    given = query.get("Action")
    if not given and "x-www-form-urlencoded" in headers.get("content-type", ""):
        given = parse_qs(body.decode(errors="replace")).get("Action")
    return str(given[0] if isinstance(given, list) else given or "")


def kind_of(service: str, method: str, path: str, action: str, query: Mapping[str, Any]) -> Kind:
    """Return what has to happen to a call that succeeded."""
    for rules, kind in ((LOGGED, Kind.LOGGED), (LATER, Kind.LATER)):
        if service in rules and rules[service].match(action):
            return kind
    if service == "sts" or (READS.match(action) if action else method in ("GET", "HEAD", "OPTIONS")):
        return Kind.READ
    if service == "lambda" and path.endswith("/invocations"):
        return Kind.READ
    # ministack writes objects, with what belongs to them, to the disk itself.
    is_object = "/" in path.strip("/") or (method == "POST" and "delete" in query)
    return Kind.LATER if service == "s3" and is_object else Kind.SAVED


class Durability:
    """Stands between callers and every service, and brings back after a start what the snapshot lacks."""

    def __init__(self, wal: WriteAheadLog, snapshots: Snapshots) -> None:
        self.wal = wal
        self.snapshots = snapshots
        self.handlers: dict[str, Any] = {}

    def install(self) -> None:
        """Wrap every service's handler; to be called after all other hooks."""
        from ministack import app

        self.handlers = dict(app.SERVICE_HANDLERS)
        app.SERVICE_HANDLERS.update({name: self._wrapped(name) for name in self.handlers})
        journal.install(self._note)

    def _wrapped(self, service: str) -> Any:
        handle = self.handlers[service]

        async def handler(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
        ) -> Any:
            answer = await handle(method, path, headers, body, query)
            if answer[0] >= 300:
                return answer
            kind = kind_of(service, method, path, action_of(headers, body, query), query)
            if kind is Kind.LOGGED:
                # Nothing ran on the loop since DynamoDB, Kinesis or SQS made the change, so a snapshot holds it or
                # the log after it, not both. Glue works on threads: it may be asked twice, and then refuses.
                self.wal.append(_entry(service, path, headers, body, answer))
            if kind is not Kind.READ:
                self.snapshots.changed()
            if kind is Kind.SAVED or self._has_news_of_stacks(service):
                await self._saved()
            return answer

        return handler

    def _has_news_of_stacks(self, service: str) -> bool:
        """Tell whether CloudFormation, which works in the background, did what no snapshot holds."""
        if service != "cloudformation" or stack_events() == self.snapshots.stacks_saved:
            return False
        self.snapshots.changed()
        return True

    async def _saved(self) -> None:
        try:
            await self.snapshots.durable()
        except SnapshotError:
            log.exception("a change could not be saved")
            raise

    def _note(self, kind: str, key: str, record: Mapping[str, Any]) -> None:
        self.wal.append({**_scope(), "kind": kind, "key": key, "record": record})
        self.snapshots.changed()

    async def replay(self, first: int) -> int:
        """Make the logged calls again that snapshot ``first`` does not hold; return how many entries there were.

        The change records of DynamoDB's writes come into being again, with newer sequence numbers.
        """
        from ministack.core.responses import set_request_account_id, set_request_region

        count = refused = 0
        for entry in self.wal.entries(first):
            set_request_account_id(entry["account"])
            set_request_region(entry["region"])
            count += 1
            if "kind" in entry:
                journal.restore(entry["kind"], entry["key"], entry["record"])
                continue
            body = entry["body"].encode(errors="surrogateescape")
            handle = self.handlers[entry["service"]]
            status, *_ = await handle("POST", entry["path"], entry["headers"], body, {})
            refused += status >= 300
        if count:
            log.info("replayed", entries=count, refused=refused)
            self.snapshots.changed()
        return count


def _scope() -> dict[str, str]:
    from ministack.core.responses import get_account_id, get_region

    return {"account": get_account_id(), "region": get_region()}


def _entry(service: str, path: str, headers: Mapping[str, str], body: bytes, answer: Any) -> Entry:
    if (
        service == "dynamodb"
        and b'"UnprocessedItems": {}' not in answer[2]
        and b"UnprocessedItems" in answer[2]
    ):
        body = _processed(body, json.loads(answer[2])["UnprocessedItems"])
    return {
        **_scope(),
        "service": service,
        "path": path,
        "headers": {name: headers[name] for name in HEADERS if name in headers},
        "body": body.decode(errors="surrogateescape"),
    }


def _processed(body: bytes, unprocessed: Mapping[str, list[Any]]) -> bytes:
    """Return a BatchWriteItem request without the items that were handed back to the caller."""
    request = json.loads(body)
    done = {
        table: [item for item in items if item not in unprocessed.get(table, [])]
        for table, items in request["RequestItems"].items()
    }
    return json.dumps(
        {**request, "RequestItems": {table: items for table, items in done.items() if items}}
    ).encode()


def interval() -> float:
    """Return the seconds between two snapshots while something changes."""
    return float(os.environ.get("NEARCAST_GATEWAY_SNAPSHOT_SECONDS") or SNAPSHOT_EVERY_S)
