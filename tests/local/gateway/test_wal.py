"""The write-ahead log, what goes into it, and what a stream forgets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nearcast.local.gateway.durability import Kind, _processed, action_of, kind_of
from nearcast.local.gateway.kinesis import SequenceNumbers, trim
from nearcast.local.gateway.wal import WriteAheadLog

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/trimmed"


def test_entries_come_back_in_order_over_several_files_from_a_number_on(tmp_path: Path) -> None:
    log = WriteAheadLog(tmp_path)
    for turn in range(3):
        assert log.rotate() == turn + 1
        log.append({"turn": turn, "text": "é\n\udc80"})
    assert [entry["turn"] for entry in log.entries(2)] == [1, 2]
    log.remove_before(3)
    assert [entry["turn"] for entry in WriteAheadLog(tmp_path).entries(0)] == [2]


@pytest.mark.parametrize("cut", [1, 5, 11])
def test_a_torn_last_line_does_not_count(cut: int, tmp_path: Path) -> None:
    log = WriteAheadLog(tmp_path)
    log.rotate()
    log.append({"whole": 1})
    log.append({"torn": 22})
    file = tmp_path / "wal.1"
    file.write_bytes(file.read_bytes()[:-cut])
    # The line counts once all of its document is there.
    assert list(log.entries(1)) == [{"whole": 1}] + ([{"torn": 22}] if cut == 1 else [])


def test_an_entry_for_which_there_is_no_room_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    log, write = WriteAheadLog(tmp_path), os.write
    log.rotate()
    log.append({"n": 1})
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:4]))
        with pytest.raises(OSError, match="no room"):
            log.append({"n": 2})
    log.append({"n": 3})
    assert list(log.entries(1)) == [{"n": 1}, {"n": 3}]


def test_items_that_were_handed_back_are_not_logged() -> None:
    puts = [{"PutRequest": {"Item": {"k": {"S": name}}}} for name in "abc"]
    body = json.dumps({"RequestItems": {"t": puts, "u": puts[:1]}}).encode()
    done = json.loads(_processed(body, {"t": puts[1:2], "u": puts[:1]}))
    assert done == {"RequestItems": {"t": [puts[0], puts[2]]}}


@pytest.mark.parametrize(
    ("service", "method", "path", "action", "kind"),
    [
        ("dynamodb", "POST", "/", "PutItem", Kind.LOGGED),
        ("dynamodb", "POST", "/", "TransactGetItems", Kind.READ),
        ("dynamodb", "POST", "/", "CreateTable", Kind.SAVED),
        ("glue", "POST", "/", "BatchCreatePartition", Kind.LOGGED),
        ("glue", "POST", "/", "BatchGetPartition", Kind.READ),
        ("glue", "POST", "/", "CreateWorkflow", Kind.SAVED),
        ("sqs", "POST", "/", "DeleteMessage", Kind.LATER),
        ("sqs", "POST", "/", "DeleteQueue", Kind.SAVED),
        ("s3", "PUT", "/bucket", "", Kind.SAVED),
        ("s3", "PUT", "/bucket/key", "", Kind.LATER),
        ("s3", "GET", "/bucket/key", "", Kind.READ),
        ("lambda", "POST", "/2015-03-31/functions/f/invocations", "", Kind.READ),
        ("lambda", "POST", "/2015-03-31/functions", "", Kind.SAVED),
        ("a-service-of-tomorrow", "POST", "/", "DoIt", Kind.SAVED),
    ],
)
def test_each_call_is_kept_as_its_kind_asks(
    service: str, method: str, path: str, action: str, kind: Kind
) -> None:
    assert kind_of(service, method, path, action, {}) is kind


def test_the_action_is_found_in_all_three_protocols() -> None:
    assert action_of({"x-amz-target": "DynamoDB_20120810.PutItem"}, b"", {}) == "PutItem"
    form = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert action_of(form, b"Action=CreateStack&StackName=s", {}) == "CreateStack"
    assert action_of({}, b"", {"Action": ["ListRoles"]}) == "ListRoles"


def test_sequence_numbers_grow_past_any_that_was_given_before() -> None:
    numbers = SequenceNumbers()
    ahead = f"{10**14:020d}{99:010d}"
    first = numbers()
    numbers.stay_above([ahead, first])
    assert first < ahead < numbers() < numbers()


@pytest.fixture
def stream() -> Iterator[dict[str, Any]]:
    """A stream of ministack's with 30 records in its one shard."""
    from ministack.services import kinesis

    records = [{"SequenceNumber": f"{n:030d}"} for n in range(30)]
    kinesis._streams["trimmed"] = {"StreamARN": ARN, "shards": {"shard-0": {"records": records}}}
    yield kinesis._streams["trimmed"]
    del kinesis._streams["trimmed"]


def test_delivered_records_go_and_readers_go_on_where_they_were(stream: dict[str, Any]) -> None:
    from ministack.services import kinesis

    for name, position in (("behind", 3), ("ahead", 25)):
        kinesis._shard_iterators[name] = {"stream_arn": ARN, "shard_id": "shard-0", "position": position}
    trim("trimmed", {"shard-0": f"{19:030d}"}, kept=5)
    records = stream["shards"]["shard-0"]["records"]
    assert [int(record["SequenceNumber"]) for record in records] == list(range(20, 30))
    positions = {name: kinesis._shard_iterators.pop(name)["position"] for name in ("behind", "ahead")}
    assert positions == {"behind": 0, "ahead": 5}


def test_what_is_not_delivered_and_the_newest_records_stay(stream: dict[str, Any]) -> None:
    trim("trimmed", {"shard-0": f"{29:030d}"}, kept=12)
    assert len(stream["shards"]["shard-0"]["records"]) == 12
    trim("trimmed", {"shard-0": f"{0:030d}", "gone": "1"}, kept=2)
    assert len(stream["shards"]["shard-0"]["records"]) == 12
