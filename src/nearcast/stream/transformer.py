"""The Lambda of the delivery stream: DynamoDB's change records in, flat JSON lines out.

Deployed as it stands (Python 3.12, standard library only). Each Kinesis record holds one change record of
the table's Kinesis streaming destination; the NewImage becomes one JSON line, and year and month of its
date become the partition keys of Firehose's dynamic partitioning.

Sources: docs.aws.amazon.com/firehose/latest/dev/data-transformation.html and
docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_using-shards-and-metrics.html
"""

from __future__ import annotations

import base64
import json
import math
from datetime import date, datetime, timezone
from typing import Any

PRICES = ("open_price", "high_price", "low_price", "close_price")
INTEGERS = ("volume", "version")


class TransformError(ValueError):
    """A change record that cannot become a line; its message says why."""


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Transform a batch; one bad record never fails the others."""
    return {"records": [transform_record(record) for record in event["records"]]}


def transform_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return Firehose's answer for one record: Ok with its line, or ProcessingFailed with its own data."""
    try:
        line = to_line(json.loads(base64.b64decode(record["data"], validate=True)))
    except (TransformError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(json.dumps({"recordId": record.get("recordId"), "failed": f"{type(error).__name__}: {error}"}))
        return {"recordId": record["recordId"], "result": "ProcessingFailed", "data": record.get("data", "")}
    return {
        "recordId": record["recordId"],
        "result": "Ok",
        "data": base64.b64encode(json.dumps(line, separators=(",", ":")).encode() + b"\n").decode(),
        "metadata": {"partitionKeys": {"year": line["date"][:4], "month": line["date"][5:7]}},
    }


def to_line(change: dict[str, Any]) -> dict[str, Any]:
    """Return the flat line of a change record.

    Prices are doubles (US dollars), volume and version integers, date is YYYY-MM-DD, event_time ISO 8601 UTC.
    Raises TransformError when an attribute is missing or is not what it should be.
    """
    image = change["dynamodb"].get("NewImage")
    if image is None:
        raise TransformError(f"{change.get('eventName')} has no NewImage")
    line: dict[str, Any] = {
        "stock_symbol": _text(image, "stock_symbol"),
        "date": date.fromisoformat(_text(image, "date")).isoformat(),
    }
    line.update({name: _price(image, name) for name in PRICES})
    line.update({name: _integer(image, name) for name in INTEGERS})
    line["event_name"] = change["eventName"]
    line["event_time"] = event_time(change["dynamodb"]["ApproximateCreationDateTime"])
    return line


def _text(image: dict[str, Any], name: str) -> str:
    value = image.get(name, {}).get("S")
    if not value:
        raise TransformError(f"{name} is missing or not a string")
    return str(value)


def _number(image: dict[str, Any], name: str) -> str:
    value = image.get(name, {}).get("N")
    if value is None:
        raise TransformError(f"{name} is missing or not a number")
    return str(value)


def _price(image: dict[str, Any], name: str) -> float:
    value = float(_number(image, name))
    if not math.isfinite(value):
        raise TransformError(f"{name} is not finite")
    return value


def _integer(image: dict[str, Any], name: str) -> int:
    text = _number(image, name)
    try:
        return int(text)
    except ValueError:
        raise TransformError(f"{name} is not an integer: {text}") from None


def event_time(value: float) -> str:
    """Return ISO 8601 UTC of DynamoDB's time: seconds, milliseconds or microseconds since 1970.

    The unit is the destination's precision (milliseconds by default); each one's range is its own until
    the year 5138, so the size of the number tells it.
    """
    seconds = float(value)
    while seconds >= 1e11:
        seconds /= 1000
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")  # noqa: UP017
