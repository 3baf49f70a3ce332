"""The Hudi job's own parts: what it reads from messages and lines, and which row of a key it keeps."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote_plus

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from nearcast.lake import hudi_job

LINE = {
    "stock_symbol": "NFLX",
    "date": "2023-09-21",
    "open_price": 1.1,
    "high_price": 2.0,
    "low_price": 1.0,
    "close_price": 1.5,
    "volume": 10,
    "version": 3,
    "event_name": "INSERT",
    "event_time": "2023-09-22T00:00:00.000+00:00",
}
STORED_AT = datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC)


def message(number: int, *keys: str) -> dict[str, Any]:
    """Return a queue's message with an S3 event for ``keys``."""
    records = [{"s3": {"bucket": {"name": "raw"}, "object": {"key": quote_plus(key)}}} for key in keys]
    body = json.dumps({"Records": records})
    return {"MessageId": str(number), "ReceiptHandle": f"receipt-{number}", "Body": body}


class Objects:
    """An S3 client over a dictionary."""

    def __init__(self, held: dict[str, bytes]) -> None:
        self.held = held
        self.written: list[str] = []

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        """Return an object, or raise S3's error."""
        if Key not in self.held:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject")
        return {"Body": io.BytesIO(self.held[Key]), "LastModified": STORED_AT}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        """Keep an object."""
        self.held[Key] = Body
        self.written.append(Key)

    def get_paginator(self, operation: str) -> Objects:
        """Return the pages of a listing: this object."""
        assert operation == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803
        """List the keys that start with a prefix."""
        return [{"Contents": [{"Key": key} for key in self.held if key.startswith(Prefix)]}, {}]


def test_a_line_becomes_a_typed_row_in_the_order_of_the_schema() -> None:
    row = hudi_job.parse_row(json.dumps(LINE))
    assert row == ("NFLX", date(2023, 9, 21), 1.1, 2.0, 1.0, 1.5, 10, 3, "2023", {})
    assert len(row) == len(hudi_job.SPARK_SCHEMA.split(", ")) + 1


def test_a_deletion_has_a_key_and_a_version_and_nothing_else() -> None:
    nulls = dict.fromkeys(("open_price", "high_price", "low_price", "close_price", "volume"))
    row = hudi_job.parse_row(json.dumps({**LINE, **nulls, "deleted": True}))
    assert row == ("NFLX", date(2023, 9, 21), None, None, None, None, None, 3, "2023", {})
    assert hudi_job.is_deletion(row)


def test_lines_from_before_deletions_are_rows() -> None:
    assert "deleted" not in LINE
    assert hudi_job.parse_row(json.dumps(LINE)) == hudi_job.parse_row(json.dumps({**LINE, "deleted": False}))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{oops", "Expecting property name"),
        (b"\xff", "codec can't decode"),
        (b"[1]", "not a JSON object"),
        (b"[" * 100_000, "recursion"),
        *(
            (json.dumps({**LINE, **changed}).encode(), next(iter(changed)))
            for changed in (
                {"stock_symbol": 5},
                {"stock_symbol": "A/B"},
                {"date": 20230921},
                {"date": "2023-02-30"},
                {"open_price": None},
                {"open_price": "1"},
                {"open_price": True},
                {"open_price": float("nan")},
                {"open_price": 10**400},
                {"volume": 1.5},
                {"volume": 2**63},
                {"version": None},
                {"deleted": "yes"},
                {"version": float("inf"), "deleted": True},
            )
        ),
    ],
)
def test_a_line_that_is_no_row_says_why(line: bytes, reason: str) -> None:
    with pytest.raises((ValueError, RecursionError), match="month|day" if b"02-30" in line else reason):
        hudi_job.parse_row(line)


events = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.dates(date(2023, 1, 1), date(2023, 1, 3)),
        st.integers(1, 5),
        st.booleans(),
    ),
    max_size=30,
)


def as_row(event: tuple[str, date, int, bool]) -> tuple[Any, ...]:
    """Return the job's row of (symbol, day, version, deleted)."""
    symbol, day, version, deleted = event
    return (symbol, day, *((None,) * 5 if deleted else (1.0, 1.0, 1.0, 1.0, 1)), version, "2023", {})


@given(events)
def test_of_the_rows_with_one_key_the_newest_version_stays_and_of_equal_ones_the_deletion(
    given_events: list[tuple[str, date, int, bool]],
) -> None:
    kept = hudi_job.newest([as_row(event) for event in given_events])
    oracle: dict[tuple[str, date], tuple[int, bool]] = {}
    for symbol, day, version, deleted in sorted(given_events, key=lambda event: event[2:]):
        oracle[symbol, day] = (version, deleted)
    assert {row[:2]: (row[7], hudi_job.is_deletion(row)) for row in kept} == oracle
    assert len(kept) == len(oracle)


@given(st.lists(events, max_size=6), st.data())
def test_tombstones_let_no_older_row_return_whatever_the_order_and_the_restarts(
    batches: list[list[tuple[str, date, int, bool]]], data: st.DataObject
) -> None:
    """The table here is a dictionary that forgets a deleted row with its version, as copy-on-write does."""
    s3 = Objects({})
    tombstones = hudi_job.Tombstones(s3, "s3://lake/prices")
    table: dict[tuple[Any, ...], int] = {}
    for batch in batches:
        if data.draw(st.booleans()):
            tombstones = hudi_job.Tombstones(s3, "s3://lake/prices")
        for row in tombstones.screen(hudi_job.newest([as_row(event) for event in batch])):
            if row[7] < table.get(row[:2], 0):
                continue
            if hudi_job.is_deletion(row):
                table.pop(row[:2], None)
            else:
                table[row[:2]] = row[7]
    kept = hudi_job.newest([as_row(event) for batch in batches for event in batch])
    assert table == {row[:2]: row[7] for row in kept if not hudi_job.is_deletion(row)}


def test_tombstones_lie_beside_the_table_and_cost_nothing_without_deletions() -> None:
    s3 = Objects({"prices/x": b"", "tombstones/other/stock_symbol=A.json": b"{}"})
    tombstones = hudi_job.Tombstones(s3, "s3://lake/prices")
    day = date(2023, 1, 1)
    assert tombstones.screen([as_row(("A", day, 1, False))]) and s3.written == []
    tombstones.screen([as_row(("^Ä", day, 2, True))])
    assert s3.written == ["tombstones/prices/stock_symbol=%5E%C3%84.json"]
    assert json.loads(s3.held[s3.written[0]]) == {"2023-01-01": 2}
    again = hudi_job.Tombstones(s3, "s3://lake/prices")
    assert again.screen([as_row(("^Ä", day, 2, True))]) and len(s3.written) == 1
    assert again.screen([as_row(("^Ä", day, 2, False))]) == []


def test_keys_of_notifications_are_decoded() -> None:
    key = "prices/year=2023/month=09/a b+c"
    assert hudi_job.objects_of(message(1, key)) == [("raw", key)]


def test_an_object_that_cannot_be_fetched_keeps_its_message_and_the_others_pass() -> None:
    s3 = Objects({"good": (json.dumps(LINE) + "\n").encode()})
    batch = hudi_job.read_batch(
        s3, [message(i, key) for i, key in enumerate(["good", "gone"])], hudi_job.Columns({})
    )
    assert [row[0] for row in batch.rows] == ["NFLX"]
    assert batch.receipts == ["receipt-0"]
    assert [error.split(":")[0] for error in batch.unreadable.values()] == ["ClientError"]


def test_a_line_that_is_no_row_goes_to_an_error_object_and_the_others_of_its_object_pass() -> None:
    good = json.dumps(LINE).encode()
    s3 = Objects({"mixed": b"\n".join([b"{oops", good, b"", b'{"stock_symbol": "A"}', b""])})
    batch = hudi_job.read_batch(s3, [message(1, "mixed"), message(2, "mixed")], hudi_job.Columns({}))
    assert [row[0] for row in batch.rows] == ["NFLX"]
    assert batch.receipts == ["receipt-1", "receipt-2"] and not batch.unreadable
    [((bucket, key), body)] = batch.errors.items()
    assert bucket == "raw" and key.startswith("errors/hudi-job-failed/2026/11/24/")
    documents = [json.loads(line) for line in body.splitlines()]
    assert [base64.b64decode(one["rawData"]) for one in documents] == [b"{oops", b'{"stock_symbol": "A"}']
    assert (
        "Expecting property" in documents[0]["errorMessage"]
        and "date is None" in documents[1]["errorMessage"]
    )
    assert {one["arrivalTimestamp"] for one in documents} == {1795564799000}
    assert {(one["errorCode"], one["source"], one["attemptsMade"]) for one in documents} == {
        ("HudiJob.InvalidLine", "s3://raw/mixed", 1)
    }
    assert set(hudi_job.read_batch(s3, [message(3, "mixed")], hudi_job.Columns({})).errors) == {(bucket, key)}


@pytest.mark.parametrize("body", ["no json", "[]", '{"Records": [{}]}', '{"Records": 5}'])
def test_a_message_that_is_no_notification_does_not_stop_the_others(body: str) -> None:
    strange = {"MessageId": "9", "ReceiptHandle": "receipt-9", "Body": body}
    batch = hudi_job.read_batch(
        Objects({"good": json.dumps(LINE).encode()}), [strange, message(1, "good")], hudi_job.Columns({})
    )
    assert batch.receipts == ["receipt-1"] and list(batch.unreadable) == [body]


def test_arguments_of_glue_are_left_alone() -> None:
    argv = ["--JOB_NAME", "j", "--queue_url", "q", "--table_path", "s3://b/prices/", "--database", "d"]
    argv += ["--table", "prices", "--lease_table", "l", "--conf", "a=b --conf c=d", "--JOB_RUN_ID", "jr_1"]
    job = hudi_job.parse_arguments(argv)
    assert job == hudi_job.Job("q", "s3://b/prices", "d", "prices", "l", job_name="j", run_id="jr_1")


def test_a_missing_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        hudi_job.parse_arguments(["--queue_url", "q"])
    assert "--table_path" in capsys.readouterr().err
