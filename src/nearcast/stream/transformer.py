"""The Lambda of the delivery stream: DynamoDB's change records in, flat JSON lines out.

Deployed as it stands (Python 3.12, standard library only). Each Kinesis record holds one change record of
the table's Kinesis streaming destination. INSERT and MODIFY become a line with the NewImage; REMOVE becomes a
line without prices, `deleted` true, whose version is the OldImage's; year and month of the date become the
partition keys of Firehose's dynamic partitioning.

A deletion comes in two steps (docs/decisions/0010-deletions-and-tombstones.md): the publisher puts a deletion
mark over the item, which gives the REMOVE that follows the deletion's version. The mark itself is dropped.

Sources: docs.aws.amazon.com/firehose/latest/dev/data-transformation.html and
docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_using-shards-and-metrics.html
"""

from __future__ import annotations

import base64
import json
import math
import re
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

PRICES = ("open_price", "high_price", "low_price", "close_price")
INTEGERS = ("volume", "version")
BAR = ("stock_symbol", "date", *PRICES, *INTEGERS)
RESERVED = ("deleted", "event_name", "event_time", "year", "month")
EVENTS = ("INSERT", "MODIFY", "REMOVE")
SYMBOL = re.compile(r"(?=.*\w)[\w.^-]{1,64}")
"""A symbol names a folder of the lake, so it holds no slash and no control character."""


class TransformError(ValueError):
    """A change record that cannot become a line; its message says why."""


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Transform a batch; one bad record never fails the others."""
    return {"records": [transform_record(record) for record in event["records"]]}


def transform_record(record: Any) -> dict[str, Any]:
    """Return Firehose's answer for one record.

    Ok with its line, Dropped for a deletion mark, or ProcessingFailed with the record's own data. Whatever
    the record holds, no exception leaves here: Firehose would fail the whole batch.
    """
    given = record if isinstance(record, dict) else {}
    answer = {"recordId": given.get("recordId"), "data": given.get("data", "")}
    try:
        line = to_line(decode(answer["data"]))
    except Exception as error:
        print(json.dumps({"recordId": answer["recordId"], "failed": reason(error)}))
        return {**answer, "result": "ProcessingFailed"}
    if line is None:
        return {**answer, "result": "Dropped"}
    return {
        "recordId": answer["recordId"],
        "result": "Ok",
        "data": base64.b64encode(json.dumps(line, separators=(",", ":")).encode() + b"\n").decode(),
        "metadata": {"partitionKeys": {"year": line["date"][:4], "month": line["date"][5:7]}},
    }


def reason(error: Exception) -> str:
    """Return what a log or an error record says of a failure; it may quote a few hundred characters."""
    return f"{type(error).__name__}: {error}"[:500]


def decode(data: str) -> Any:
    """Return the change record in a Kinesis record's base64 ``data``. Raises ValueError when there is none."""
    return json.loads(base64.b64decode(data, validate=True))


def to_line(change: Any) -> dict[str, Any] | None:
    """Return the flat line of a change record, or None for a deletion mark.

    Prices are doubles (US dollars), volume and version integers of 64 bits, all null in a deletion but the
    version; date is YYYY-MM-DD, event_time ISO 8601 UTC. Other attributes come before them, as they are.
    Raises TransformError when a part is missing or is not what it should be.
    """
    event_name = _map(change, "the change record").get("eventName")
    if event_name not in EVENTS:
        raise TransformError(f"eventName is {event_name!r:.50}, not one of {', '.join(EVENTS)}")
    body = _map(change.get("dynamodb"), "dynamodb")
    deleted = event_name == "REMOVE"
    image_name = "OldImage" if deleted else "NewImage"
    image = _map(body.get(image_name), f"{event_name}'s {image_name}")
    if not deleted and image.get("deleted") == {"BOOL": True}:
        return None
    key = {"stock_symbol": _symbol(image), "date": _date(image)}
    if {name: _attribute(_map(body.get("Keys"), "Keys"), name, "S") for name in key} != key:
        raise TransformError(f"Keys and {image_name} name different rows")
    return {
        **({} if deleted else _others(image)),
        **key,
        **{name: None if deleted else _double(image, name) for name in PRICES},
        "volume": None if deleted else _integer(image, "volume"),
        "version": _integer(image, "version"),
        "deleted": deleted,
        "event_name": event_name,
        "event_time": event_time(body.get("ApproximateCreationDateTime")),
    }


def _others(image: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes beyond a bar's: columns that the source has been given since."""
    others = {}
    for name, attribute in image.items():
        if name in BAR:
            continue
        if name in RESERVED:
            raise TransformError(f"{name} cannot be a column of the source: the lake has it already")
        [(kind, value)] = _map(attribute, name).items()
        if kind not in ("S", "N", "BOOL", "NULL"):
            raise TransformError(
                f"{name} is of DynamoDB's type {kind}: only texts, numbers and flags are columns"
            )
        if kind != "NULL":
            others[name] = _double(image, name) if kind == "N" else value
    return others


def _map(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TransformError(f"{name} is missing or not an object")
    return value


def _attribute(image: dict[str, Any], name: str, kind: str) -> str:
    """Return an attribute's text: DynamoDB's JSON holds numbers (N) as strings too."""
    value = _map(image.get(name), name).get(kind)
    if not isinstance(value, str) or not value:
        raise TransformError(f"{name} has no {kind} that is a text")
    return value


def _symbol(image: dict[str, Any]) -> str:
    symbol = _attribute(image, "stock_symbol", "S")
    if not SYMBOL.fullmatch(symbol):
        raise TransformError(f"stock_symbol {symbol[:80]!r} is not up to 64 letters, digits, dots, -, _, ^")
    return symbol


def _date(image: dict[str, Any]) -> str:
    text = _attribute(image, "date", "S")
    # Another spelling of a day (20130102) would be another item of the table, but the same row of the lake.
    if date.fromisoformat(text).isoformat() != text:
        raise TransformError(f"date {text!r} is not spelt YYYY-MM-DD")
    return text


def _double(image: dict[str, Any], name: str) -> float:
    value = float(_attribute(image, name, "N"))
    if not math.isfinite(value):
        raise TransformError(f"{name} is not finite")
    return value


def _integer(image: dict[str, Any], name: str) -> int:
    text = _attribute(image, name, "N")
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise TransformError(f"{name} is not a number: {text[:80]}") from None
    # The size first: the integer of 1e999999 would take minutes.
    if not value.is_finite() or abs(value) >= 2**63 or value != value.to_integral_value():
        raise TransformError(f"{name} is not an integer of 64 bits: {text[:80]}")
    return int(value)


def event_time(value: Any) -> str:
    """Return ISO 8601 UTC of DynamoDB's time: seconds, milliseconds or microseconds since 1970.

    The unit is the destination's precision (milliseconds by default); each one's range is its own until
    the year 5138, so the size of the number tells it. Raises TransformError when it is not such a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e17:
        raise TransformError(f"ApproximateCreationDateTime {value!r:.50} is not a time")
    seconds = float(value)
    while seconds >= 1e11:
        seconds /= 1000
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")  # noqa: UP017
