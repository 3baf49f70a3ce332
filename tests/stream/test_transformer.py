"""The Lambda: both record formats are read, values survive bit by bit, one bad record fails alone."""

from __future__ import annotations

import ast
import base64
import copy
import json
import math
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

HERE = Path(__file__).parent
AWS = json.loads((HERE / "change_records_aws.json").read_text())
"""Written after AWS's documentation of the records that DynamoDB puts on a Kinesis stream."""
EMULATOR = json.loads((HERE / "change_records_emulator.json").read_text())
"""Recorded from ministack 1.5.33: an item put, changed, marked as deleted, and deleted."""
RECORDS = {"aws": AWS, "emulator": EMULATOR}
IMAGE = AWS["insert"]["dynamodb"]["NewImage"]


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


def transform(change: Any) -> dict[str, Any]:
    """Return the Lambda's answer for one change."""
    [answer] = transformer.lambda_handler({"records": [record(change)]}, None)["records"]
    return dict(answer)


@pytest.mark.parametrize("source", RECORDS)
@pytest.mark.parametrize(
    ("name", "version", "close"), [("insert", 7, 13.144286155700684), ("modify", 8, 13.15)]
)
def test_an_insert_and_a_change_become_one_flat_line_with_its_partition_keys(
    source: str, name: str, version: int, close: float
) -> None:
    answer = transform(RECORDS[source][name])
    assert answer["result"] == "Ok"
    assert answer["metadata"] == {"partitionKeys": {"year": "2013", "month": "01"}}
    got = line(answer)
    assert list(got) == [column.name for column in BAR] + ["deleted", "event_name", "event_time"]
    assert (got["close_price"], got["volume"], got["version"]) == (close, 19431300, version)
    assert got["deleted"] is False and got["event_name"] == name.upper()
    assert got["event_time"].startswith(
        "2023-06-21T17:23:06.123" if source == "aws" else "2026-11-24T11:19:48."
    )


@pytest.mark.parametrize("source", RECORDS)
def test_a_removal_becomes_a_deletion_with_the_version_of_its_mark(source: str) -> None:
    answer = transform(RECORDS[source]["remove"])
    assert answer["metadata"] == {"partitionKeys": {"year": "2013", "month": "01"}}
    got = line(answer)
    nulls = dict.fromkeys((*PRICE_COLUMNS, "volume"))
    assert got.pop("event_time")
    assert got == {
        "stock_symbol": "NFLX",
        "date": "2013-01-02",
        **nulls,
        "version": 9,
        "deleted": True,
        "event_name": "REMOVE",
    }


def test_a_removal_without_a_mark_is_a_deletion_with_the_version_of_the_item() -> None:
    got = line(transform(AWS["remove_by_time_to_live"]))
    assert (got["deleted"], got["version"], got["close_price"]) == (True, 8, None)


@pytest.mark.parametrize("source", RECORDS)
def test_a_deletion_mark_is_dropped(source: str) -> None:
    assert transform(RECORDS[source]["mark"])["result"] == "Dropped"


def changed(name: str, **parts: Any) -> dict[str, Any]:
    """Return a record of AWS with parts of its ``dynamodb`` replaced; None: left out."""
    body = {key: value for key, value in {**AWS[name]["dynamodb"], **parts}.items() if value is not None}
    return {**AWS[name], "dynamodb": body}


def with_image(**attributes: Any) -> dict[str, Any]:
    """Return an insert with other attributes; None: left out. Its keys follow them where they can."""
    image = {name: value for name, value in {**IMAGE, **attributes}.items() if value is not None}
    keys = {name: image.get(name, IMAGE[name]) for name in ("stock_symbol", "date")}
    return changed("insert", NewImage=image, Keys=keys)


BAD_CHANGES: dict[str, tuple[Any, str]] = {
    "not JSON": (b"not json", "Expecting value"),
    "not UTF-8": (b"\xff\xfe\x00", "codec can't decode"),
    "nested too deeply": (b"[" * 100_000, "recursion"),
    "an integer of 5,000 digits": (b"9" * 5000, "4300 digits"),
    "a list": ([], "the change record is missing or not an object"),
    "null": (None, "the change record is missing or not an object"),
    "empty": ({}, "eventName is None"),
    "unknown event": ({**AWS["insert"], "eventName": "TRUNCATE"}, "TRUNCATE"),
    "no body": ({**AWS["insert"], "dynamodb": "x"}, "dynamodb is missing"),
    "no NewImage": (changed("insert", NewImage=None), "NewImage is missing"),
    "REMOVE without OldImage": (changed("remove", OldImage=None), "OldImage is missing"),
    "REMOVE without version": (
        changed("remove", OldImage={k: v for k, v in IMAGE.items() if k != "version"}),
        "version",
    ),
    "other keys": (
        changed("remove", Keys={"stock_symbol": {"S": "X"}, "date": {"S": "2013-01-02"}}),
        "differ",
    ),
    "no keys": (changed("insert", Keys=None), "Keys is missing"),
    "no date": (with_image(date=None), "date is missing"),
    "no day": (with_image(date={"S": "nodate"}), "isoformat"),
    "another spelling of a day": (with_image(date={"S": "20130102"}), "YYYY-MM-DD"),
    "no symbol": (with_image(stock_symbol={"S": ""}), "stock_symbol"),
    "a symbol with a slash": (with_image(stock_symbol={"S": "A/B"}), "stock_symbol"),
    "a symbol of dots": (with_image(stock_symbol={"S": ".."}), "stock_symbol"),
    "half a character": (with_image(stock_symbol={"S": "\ud800"}), "stock_symbol"),
    "not a number": (with_image(open_price={"N": "NaN"}), "open_price is not finite"),
    "larger than a double": (with_image(open_price={"N": "1e999"}), "open_price is not finite"),
    "text for a number": (with_image(open_price={"S": "1.0"}), "open_price has no N"),
    "a number for its text": (with_image(open_price={"N": 1.0}), "open_price has no N"),
    "a list for an attribute": (with_image(volume=["1"]), "volume is missing"),
    "half a share": (with_image(volume={"N": "1.5"}), "volume is not an integer"),
    "a huge volume": (with_image(volume={"N": "1e999999"}), "volume is not an integer"),
    "65 bits": (with_image(version={"N": str(2**63)}), "version is not an integer"),
    "no version": (with_image(version=None), "version is missing"),
    "no time": (changed("insert", ApproximateCreationDateTime=None), "ApproximateCreationDateTime"),
    "endless time": (changed("insert", ApproximateCreationDateTime=float("inf")), "is not a time"),
    "true for a time": (changed("insert", ApproximateCreationDateTime=True), "is not a time"),
}


@pytest.mark.parametrize("name", BAD_CHANGES)
def test_a_bad_record_is_given_back_as_it_was_and_its_reason_is_logged(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, reason = BAD_CHANGES[name]
    answer = transform(change)
    assert answer == {"recordId": "1", "result": "ProcessingFailed", "data": record(change)["data"]}
    logged = json.loads(capsys.readouterr().out)
    assert logged["recordId"] == "1" and reason in logged["failed"]


def test_columns_that_the_source_was_given_since_are_in_the_line_as_they_are() -> None:
    new = {"adjusted": {"N": "7"}, "note": {"S": "ü"}, "checked": {"BOOL": False}, "gone": {"NULL": True}}
    found = line(transform(with_image(**new)))
    assert {name: found.get(name) for name in new} == {
        "adjusted": 7.0,
        "note": "ü",
        "checked": False,
        "gone": None,
    }
    before = line(transform(AWS["insert"]))
    assert {name: found[name] for name in before} == before and found.keys() - before == new.keys() - {"gone"}
    for name, value in (
        ("parts", {"L": []}),
        ("year", {"N": "1"}),
        ("deep", {"M": {}}),
        ("nan", {"N": "NaN"}),
    ):
        assert transform(with_image(**{name: value}))["result"] == "ProcessingFailed"


def test_one_bad_record_does_not_fail_the_others() -> None:
    bad = [record(change, f"bad{i}") for i, (change, _) in enumerate(BAD_CHANGES.values())]
    strange: list[Any] = [
        {"recordId": "2", "data": 5},
        {"recordId": "3"},
        {"data": "e30="},
        {},
        None,
        "x",
        ["y"],
    ]
    batch = [record(AWS["insert"], "first"), *bad, *strange, record(EMULATOR["remove"], "last")]
    answers = transformer.lambda_handler({"records": batch}, None)["records"]
    assert [answer["recordId"] for answer in answers] == [
        item.get("recordId") if isinstance(item, dict) else None for item in batch
    ]
    assert [answer["result"] for answer in answers] == [
        "Ok",
        *["ProcessingFailed"] * (len(bad) + len(strange)),
        "Ok",
    ]


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
        record(
            changed("insert", NewImage=image, Keys={name: image[name] for name in ("stock_symbol", "date")})
        )
    )
    got = line(answer)
    assert struct.pack("<4d", *(got[name] for name in PRICE_COLUMNS)) == struct.pack("<4d", *values)
    assert (got["volume"], got["version"], got["date"]) == (volume, version, day.isoformat())
    assert answer["metadata"]["partitionKeys"] == {"year": f"{day.year:04d}", "month": f"{day.month:02d}"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["S", "N", "BOOL", "NewImage", "version", "date"]), children, max_size=3
        )
    ),
    max_leaves=8,
)


@given(data=st.text() | st.binary().map(lambda b: base64.b64encode(b).decode()) | json_values)
def test_no_data_whatever_makes_the_function_fail(data: Any) -> None:
    answer = transformer.transform_record({"recordId": "1", "data": data})
    assert answer["result"] == "ProcessingFailed"


@given(
    name=st.sampled_from(sorted(AWS)),
    path=st.lists(st.integers(0, 7), min_size=1, max_size=4),
    value=json_values,
)
def test_whatever_one_value_is_replaced_by_the_answer_is_well_formed(
    name: str, path: list[int], value: Any
) -> None:
    change = copy.deepcopy(AWS[name])
    place = change
    for step in path:
        key = sorted(place)[step % len(place)]
        if not isinstance(place[key], dict) or not place[key]:
            break
        place, outer = place[key], place
    else:
        place, key = outer, key
    place[key] = value
    answer = transform(change)
    if answer["result"] == "Ok":
        got = line(answer)
        assert isinstance(got["version"], int) and -(2**63) < got["version"] < 2**63
        numbers = [got[column] for column in (*PRICE_COLUMNS, "volume")]
        assert (
            all(number is None for number in numbers) if got["deleted"] else all(map(math.isfinite, numbers))
        )
        assert answer["metadata"]["partitionKeys"] == {"year": got["date"][:4], "month": got["date"][5:7]}
    else:
        assert answer["result"] in ("ProcessingFailed", "Dropped")


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
