"""The Lambda: both record formats are read, values survive bit by bit, one bad record fails alone."""

from __future__ import annotations

import ast
import base64
import json
import struct
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.schema import BAR, PRICE_COLUMNS
from nearcast.stream import transformer

IMAGE = {
    "stock_symbol": {"S": "NFLX"},
    "date": {"S": "2013-01-02"},
    "open_price": {"N": "13.601428985595703"},
    "high_price": {"N": "13.687143325805664"},
    "low_price": {"N": "12.955714225769043"},
    "close_price": {"N": "13.144286155700684"},
    "volume": {"N": "19431300"},
    "version": {"N": "7"},
}
AWS_RECORD = {
    # After the AWS documentation's example of a change data record in Kinesis.
    "awsRegion": "us-east-1",
    "eventID": "9df2ca3f-4d6c-4c0e-b2f8-c1b6a0a3b1a0",
    "eventName": "INSERT",
    "userIdentity": None,
    "recordFormat": "application/json",
    "tableName": "nearcast-dev-prices",
    "dynamodb": {
        "ApproximateCreationDateTime": 1687368186123,
        "Keys": {"stock_symbol": {"S": "NFLX"}, "date": {"S": "2013-01-02"}},
        "NewImage": IMAGE,
        "SizeBytes": 181,
    },
    "eventSource": "aws:dynamodb",
}
EMULATOR_RECORD = {
    "eventID": "0c7d",
    "eventName": "MODIFY",
    "eventVersion": "1.1",
    "eventSource": "aws:dynamodb",
    "awsRegion": "us-east-1",
    "dynamodb": {
        "ApproximateCreationDateTime": 1687368186,
        "Keys": {"stock_symbol": {"S": "NFLX"}, "date": {"S": "2013-01-02"}},
        "NewImage": IMAGE,
        "OldImage": IMAGE,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    },
}


def record(change: Any, record_id: str = "1") -> dict[str, Any]:
    """Return a record of Firehose's event that holds ``change``."""
    body = change if isinstance(change, bytes) else json.dumps(change).encode()
    return {"recordId": record_id, "data": base64.b64encode(body).decode()}


def line(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the line that an answer holds."""
    body = base64.b64decode(answer["data"])
    assert body.endswith(b"\n") and body.count(b"\n") == 1
    document: dict[str, Any] = json.loads(body)
    return document


@pytest.mark.parametrize("change", [AWS_RECORD, EMULATOR_RECORD], ids=["aws", "emulator"])
def test_a_change_record_becomes_one_flat_line_with_its_partition_keys(change: dict[str, Any]) -> None:
    [answer] = transformer.lambda_handler({"records": [record(change)]}, None)["records"]
    assert answer["result"] == "Ok"
    assert answer["metadata"] == {"partitionKeys": {"year": "2013", "month": "01"}}
    got = line(answer)
    assert list(got) == [column.name for column in BAR] + ["event_name", "event_time"]
    assert got["close_price"] == 13.144286155700684 and got["volume"] == 19431300 and got["version"] == 7
    assert got["event_name"] == change["eventName"]
    assert got["event_time"].startswith("2023-06-21T17:23:06.")


def bad_changes() -> list[Any]:
    """Return change records that must fail, each for another reason."""

    def with_image(**changed: Any) -> dict[str, Any]:
        image = {name: value for name, value in {**IMAGE, **changed}.items() if value is not None}
        return {**AWS_RECORD, "dynamodb": {**AWS_RECORD["dynamodb"], "NewImage": image}}  # type: ignore[dict-item]

    removed = {"ApproximateCreationDateTime": 1, "Keys": {}, "OldImage": IMAGE}
    return [
        b"not json",
        b"\xff\xfe",
        [],
        None,
        {},
        {**AWS_RECORD, "eventName": "REMOVE", "dynamodb": removed},
        with_image(date={"S": "nodate"}),
        with_image(date=None),
        with_image(stock_symbol={"S": ""}),
        with_image(open_price={"N": "NaN"}),
        with_image(open_price={"S": "1.0"}),
        with_image(volume={"N": "1.5"}),
        with_image(version=None),
    ]


def test_a_bad_record_is_marked_and_given_back_as_it_was_and_the_others_pass() -> None:
    bad = [record(change, f"bad{i}") for i, change in enumerate(bad_changes())]
    batch = [record(AWS_RECORD, "first"), *bad, record(EMULATOR_RECORD, "last")]
    batch.append({"recordId": "no base64", "data": "%%%"})
    answers = transformer.lambda_handler({"records": batch}, None)["records"]
    assert [answer["recordId"] for answer in answers] == [item["recordId"] for item in batch]
    results = {answer["recordId"]: answer["result"] for answer in answers}
    assert results.pop("first") == results.pop("last") == "Ok"
    assert set(results.values()) == {"ProcessingFailed"}
    given = {item["recordId"]: item["data"] for item in batch}
    assert all(a["data"] == given[a["recordId"]] for a in answers if a["result"] == "ProcessingFailed")


prices = st.floats(min_value=1e-6, max_value=1e9, allow_nan=False)


@given(
    values=st.tuples(prices, prices, prices, prices),
    volume=st.integers(0, 2**63 - 1),
    version=st.integers(1, 2**63 - 1),
    day=st.dates(date(1900, 1, 1)),
)
def test_every_number_survives_bit_by_bit(
    values: tuple[float, ...], volume: int, version: int, day: date
) -> None:
    image: dict[str, Any] = {"stock_symbol": {"S": "Ä.B-1"}, "date": {"S": day.isoformat()}}
    image |= {name: {"N": repr(value)} for name, value in zip(PRICE_COLUMNS, values, strict=True)}
    image |= {"volume": {"N": str(volume)}, "version": {"N": str(version)}}
    answer = transformer.transform_record(
        record({**AWS_RECORD, "dynamodb": {**AWS_RECORD["dynamodb"], "NewImage": image}})  # type: ignore[dict-item]
    )
    got = line(answer)
    assert struct.pack("<4d", *(got[name] for name in PRICE_COLUMNS)) == struct.pack("<4d", *values)
    assert (got["volume"], got["version"], got["date"]) == (volume, version, day.isoformat())
    assert answer["metadata"]["partitionKeys"] == {"year": f"{day.year:04d}", "month": f"{day.month:02d}"}


@given(data=st.text() | st.binary().map(lambda b: base64.b64encode(b).decode()))
def test_no_data_whatever_makes_the_function_fail(data: str) -> None:
    answer = transformer.transform_record({"recordId": "1", "data": data})
    assert answer["result"] == "ProcessingFailed"


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
def test_the_event_time_is_the_same_in_seconds_milliseconds_and_microseconds(unit: int) -> None:
    assert transformer.event_time(1687368186 * unit) == "2023-06-21T17:23:06.000+00:00"


def test_the_lambda_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(transformer.__file__).read_text())
    imported = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert {name.partition(".")[0] for name in imported} <= set(sys.stdlib_module_names)
