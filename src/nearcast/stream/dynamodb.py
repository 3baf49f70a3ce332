"""Rows and deletions as DynamoDB takes them: BatchWriteItem, 25 requests at a time, until all are processed.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Sequence
from typing import Any

from nearcast.errors import NearcastError
from nearcast.schema import BAR
from nearcast.stream.cursor import Change, Row

BATCH = 25
"""Items in one BatchWriteItem: DynamoDB's limit."""
ATTEMPTS = 12
"""How often items that DynamoDB did not process are sent before giving up (about half a minute)."""

KEPT = "Every row that DynamoDB took is recorded; the others are still pending."
NEXT_STEP = "Publish again: it goes on where it stopped."

Item = dict[str, dict[str, Any]]

_TYPES = tuple((column.name, column.postgres in ("text", "date")) for column in BAR)


def to_item(row: Row, more: dict[str, Any] | None = None) -> Item:
    """Return a row as DynamoDB's item; its numbers come back from their strings bit by bit.

    ``more`` are its other columns; one that is null is left out, and one that is a list or an object is text.
    """
    others = {name: _attribute(value) for name, value in (more or {}).items() if value is not None}
    own = {
        name: {"S": str(value)} if is_text else {"N": repr(value)}
        for (name, is_text), value in zip(_TYPES, row, strict=True)
    }
    return {**others, **own}


def _attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        return {"N": repr(value)}
    return {"S": value if isinstance(value, str) else json.dumps(value)}


def deletion_mark(row: Row) -> Item:
    """Return the item that replaces a row before it is deleted: the deletion's version, and no prices.

    A deletion's change record holds the item that was there. Only thus does it carry a version that PostgreSQL
    gave, by which it is older or newer than a row of the same key.
    """
    return {**_key(row), "version": {"N": repr(row[-1])}, "deleted": {"BOOL": True}}


def _key(row: Row) -> Item:
    return {"stock_symbol": {"S": row[0]}, "date": {"S": str(row[1])}}


class Writer:
    """Writes changes into one table."""

    def __init__(self, client: Any, table: str) -> None:
        self.client = client
        self.table = table

    def __call__(self, changes: Sequence[Change]) -> None:
        """Write up to 25 changes: rows and deletion marks, then the marked items are deleted.

        Raises NearcastError when DynamoDB refuses; then some of them may have been written.
        """
        self._send(
            {
                "PutRequest": {
                    "Item": deletion_mark(change.row) if change.deleted else to_item(change.row, change.more)
                }
            }
            for change in changes
        )
        self._send({"DeleteRequest": {"Key": _key(change.row)}} for change in changes if change.deleted)

    def _send(self, requests: Iterable[dict[str, Any]]) -> None:
        """Send requests; what DynamoDB leaves unprocessed is sent again, ever later.

        Exponential backoff with full jitter: AWS Architecture Blog, Exponential Backoff And Jitter.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        left = list(requests)
        for attempt in range(ATTEMPTS):
            if not left:
                return
            if attempt:
                time.sleep(random.uniform(0, min(5.0, 0.025 * 2**attempt)))
            try:
                answer = self.client.batch_write_item(RequestItems={self.table: left})
            except (BotoCoreError, ClientError) as error:
                raise NearcastError(f"DynamoDB refused: {error}", kept=KEPT, todo=NEXT_STEP) from error
            left = answer.get("UnprocessedItems", {}).get(self.table, [])
        if left:
            raise NearcastError(
                f"DynamoDB left {len(left)} rows of a batch unprocessed {ATTEMPTS} times.",
                kept=KEPT,
                todo=f"Raise the table's write capacity, or publish at a lower rate. {NEXT_STEP}",
            )
