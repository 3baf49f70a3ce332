"""The Hudi job's own parts: what it reads from messages and lines, and which row of a key it keeps."""

from __future__ import annotations

import io
import json
from datetime import date
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


def message(number: int, *keys: str) -> dict[str, Any]:
    """Return a queue's message with an S3 event for ``keys``."""
    records = [{"s3": {"bucket": {"name": "raw"}, "object": {"key": quote_plus(key)}}} for key in keys]
    body = json.dumps({"Records": records})
    return {"MessageId": str(number), "ReceiptHandle": f"receipt-{number}", "Body": body}


class Objects:
    """An S3 client over a dictionary."""

    def __init__(self, held: dict[str, bytes]) -> None:
        self.held = held

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        """Return an object, or raise S3's error."""
        if Key not in self.held:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject")
        return {"Body": io.BytesIO(self.held[Key])}


def test_a_line_becomes_a_typed_row_in_the_order_of_the_schema() -> None:
    row = hudi_job.parse_row(json.dumps(LINE))
    assert row == ("NFLX", date(2023, 9, 21), 1.1, 2.0, 1.0, 1.5, 10, 3, "2023")
    assert len(row) == len(hudi_job.SPARK_SCHEMA.split(", "))


rows = st.lists(
    st.tuples(st.sampled_from("AB"), st.dates(date(2023, 1, 1), date(2023, 1, 3)), st.integers(1, 5)),
    max_size=30,
)


@given(rows)
def test_of_the_rows_with_one_key_the_newest_version_stays(given_rows: list[tuple[Any, ...]]) -> None:
    full = [(s, d, 1.0, 1.0, 1.0, 1.0, 1, v, "2023") for s, d, v in given_rows]
    kept = hudi_job.newest(full)
    expected = {(s, d): max(v for s2, d2, v in given_rows if (s2, d2) == (s, d)) for s, d, _ in given_rows}
    assert {row[:2]: row[7] for row in kept} == expected and len(kept) == len(expected)


def test_keys_of_notifications_are_decoded() -> None:
    key = "prices/year=2023/month=09/a b+c"
    assert hudi_job.objects_of(message(1, key)) == [("raw", key)]


def test_an_object_that_cannot_be_read_keeps_its_message_and_the_others_pass() -> None:
    good = (json.dumps(LINE) + "\n").encode()
    s3 = Objects({"good": good, "bad": good + b"{oops\n", "short": b'{"stock_symbol": "A"}\n'})
    messages = [message(i, key) for i, key in enumerate(["good", "bad", "gone", "short"])]
    batch = hudi_job.read_batch(s3, messages)
    assert [row[0] for row in batch.rows] == ["NFLX"]
    assert list(batch.receipts) == ["0"]
    assert len(batch.unreadable) == 3


def test_a_message_that_is_no_notification_does_not_stop_the_others() -> None:
    strange = {"MessageId": "9", "ReceiptHandle": "receipt-9", "Body": "no json"}
    batch = hudi_job.read_batch(Objects({"good": json.dumps(LINE).encode()}), [strange, message(1, "good")])
    assert list(batch.receipts) == ["1"] and list(batch.unreadable) == ["no json"]


def test_arguments_of_glue_are_left_alone() -> None:
    argv = ["--JOB_NAME", "j", "--queue_url", "q", "--table_path", "s3://b/prices/", "--database", "d"]
    job = hudi_job.parse_arguments([*argv, "--table", "prices", "--conf", "a=b --conf c=d"])
    assert job == hudi_job.Job("q", "s3://b/prices", "d", "prices")


def test_a_missing_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        hudi_job.parse_arguments(["--queue_url", "q"])
    assert "--table_path" in capsys.readouterr().err
