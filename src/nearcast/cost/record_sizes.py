"""How many bytes a row is at each hop: a real bar, taken through the code that writes it there."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from nearcast.schema import RECORD_KEY
from nearcast.stream.dynamodb import Item, to_item
from nearcast.stream.transformer import transform_record

REFERENCE_ROW = (
    "NFLX",
    date(2013, 1, 2),
    13.601428985595703,
    13.687143325805664,
    12.955714225769043,
    13.144286155700684,
    19_431_300,
    1_234_567,
)
"""A bar of the bundled prices (data/stocks_daily.csv), with the version of a table that is some time in use."""
TABLE_NAME = "nearcast-dev-prices"


@dataclass(frozen=True)
class RecordSizes:
    """Bytes of one row.

    Parameters
    ----------
    item
        In DynamoDB, by its rule for the size of items.
    change
        The change record of a newer version of an item, with both images, as Kinesis carries it and Firehose takes
        it in; that of a new item has one image, and about 0.7 of the bytes.
    event
        That record in the Lambda's request, with what Firehose puts around it.
    line
        The line of the raw object.
    """

    item: int
    change: int
    event: int
    line: int


@cache
def record_sizes() -> RecordSizes:
    """Return the sizes of `REFERENCE_ROW`."""
    return sizes_of(to_item(REFERENCE_ROW))


def sizes_of(item: Item) -> RecordSizes:
    """Return the sizes of an item."""
    change = json.dumps(change_record(item, item), separators=(",", ":")).encode()
    event = firehose_record(change)
    line = base64.b64decode(transform_record(event)["data"])
    return RecordSizes(item_bytes(item), len(change), len(json.dumps(event)), len(line))


def item_bytes(item: Item) -> int:
    """Return an item's size: names and texts in UTF-8; a number's two digits a byte and one byte more; a flag one.

    DynamoDB drops a number's leading and trailing zeros. Source:
    docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_bytes(attribute) for name, attribute in item.items())


def _value_bytes(attribute: dict[str, Any]) -> int:
    [(kind, value)] = attribute.items()
    text = str(value)
    if kind == "S":
        return len(text.encode())
    if kind == "BOOL":
        return 1
    digits = text.lstrip("-").lower().partition("e")[0].replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


def change_record(item: Item, replaced: Item | None = None) -> dict[str, Any]:
    """Return the change record that DynamoDB writes to Kinesis for a new item, or for one that replaces another.

    Source: docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_gettingstarted.html
    """
    images = {"NewImage": item} | ({"OldImage": replaced} if replaced else {})
    return {
        "awsRegion": "us-east-1",
        "eventID": "9df2ca3f-4d6c-4c0e-b2f8-c1b6a0a3b1a0",
        "eventName": "MODIFY" if replaced else "INSERT",
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": TABLE_NAME,
        "dynamodb": {
            "ApproximateCreationDateTime": 1687368186123,
            "ApproximateCreationDateTimePrecision": "MILLISECOND",
            "Keys": {name: item[name] for name in RECORD_KEY},
            **images,
            "SizeBytes": sum(map(item_bytes, images.values())),
        },
        "eventSource": "aws:dynamodb",
    }


def firehose_record(change: bytes) -> dict[str, Any]:
    """Return a Kinesis record as Firehose hands it to the Lambda.

    Source: docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
    """
    sequence_number = "4" * 56
    return {
        "recordId": sequence_number + "0" * 30,
        "approximateArrivalTimestamp": 1687368186123,
        "data": base64.b64encode(change).decode(),
        "kinesisRecordMetadata": {
            "sequenceNumber": sequence_number,
            "subsequenceNumber": 0,
            "partitionKey": "4" * 32,
            "shardId": "shardId-000000000000",
            "approximateArrivalTimestamp": 1687368186123,
        },
    }
