"""The S3 buffers: the checkpoint against a count of every record, the limit of active partitions, sizes."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nearcast.local.gateway import kinesis
from nearcast.local.gateway.firehose_buffers import ACTIVE_PARTITIONS, EXCEEDED, Buffers
from nearcast.local.gateway.firehose_counters import merged
from nearcast.local.gateway.firehose_settings import DeliverySettings
from nearcast.local.gateway.firehose_transform import Outcome, StreamRecord

SETTINGS = DeliverySettings(
    name="d",
    arn="arn",
    stream_arn="arn:stream/s",
    bucket="b",
    prefix="k=!{partitionKeyFromLambda:k}/",
    buffer_bytes=100,
    buffer_seconds=10.0,
)


def record(number: int, shard: str = "shard-0", arrival_ms: int = 0) -> StreamRecord:
    """Return a record with that sequence number."""
    return StreamRecord(shard, f"{number:030d}", "p", base64.b64encode(b"%d" % number).decode(), arrival_ms)


def good(key: str, body: bytes = b"x") -> Outcome:
    """Return the outcome of a record of a partition."""
    return Outcome(body, {"k": key})


STEPS = st.lists(
    st.one_of(
        # A record of a shard: dropped, or of one of four partitions.
        st.tuples(st.sampled_from(["s0", "s1"]), st.sampled_from([None, "a", "b", "c", "d"])),
        # The n-th open buffer is delivered.
        st.integers(0, 3),
    ),
    max_size=60,
)


@given(STEPS)
def test_the_checkpoint_is_the_last_record_before_the_first_that_is_not_on_s3(steps: list[Any]) -> None:
    """Compared with a plain list of every record and whether it is done with."""
    buffers = Buffers({})
    log: dict[str, list[list[Any]]] = {"s0": [], "s1": []}
    for number, step in enumerate(steps, start=1):
        if isinstance(step, tuple):
            shard, partition = step
            outcome = None if partition is None else good(partition)
            buffers.add(SETTINGS, record(number, shard), outcome, 0.0)
            log[shard].append([f"{number:030d}", partition])
        elif step < len(buffers.open):
            key = list(buffers.open)[step]
            partition = buffers.open[key].partition_keys["k"]
            buffers.close(key)
            for entry in (entry for entries in log.values() for entry in entries if entry[1] == partition):
                entry[1] = None
        assert buffers.positions() == {
            shard: done[-1] for shard, entries in log.items() if (done := _done(entries))
        }
        waiting = [entry[1] for entries in log.values() for entry in entries if entry[1]]
        assert buffers.size == len(waiting) and buffers.active == len(set(waiting)) == len(buffers.open)


def _done(entries: list[list[Any]]) -> list[str]:
    """Return the sequence numbers of the records before the first that is not done with."""
    found = []
    for number, waits_in in entries:
        if waits_in is not None:
            break
        found.append(number)
    return found


def test_a_restart_goes_on_from_its_checkpoint() -> None:
    buffers = Buffers({"shard-0": f"{5:030d}", "closed": f"{9:030d}"})
    buffers.add(SETTINGS, record(6), good("a"), 0.0)
    assert buffers.positions() == {"shard-0": f"{5:030d}", "closed": f"{9:030d}"}
    buffers.close(next(iter(buffers.open)))
    assert buffers.positions() == {"shard-0": f"{6:030d}", "closed": f"{9:030d}"}


def test_records_of_a_501st_active_partition_go_to_the_error_prefix() -> None:
    buffers = Buffers({})
    for number in range(ACTIVE_PARTITIONS + 3):
        buffers.add(SETTINGS, record(number), good(f"{number}"), 0.0)
    buffers.add(SETTINGS, record(600), good("7"), 0.0)
    partitions = {key: buffer for key, buffer in buffers.open.items() if not buffer.error_type}
    (errors,) = (buffer for buffer in buffers.open.values() if buffer.error_type)
    assert len(partitions) == buffers.active == ACTIVE_PARTITIONS == 500
    assert errors.error_type == EXCEEDED == "activePartitionExceeded" and buffers.exceeded == 3
    raw = [base64.b64decode(json.loads(line)["rawData"]) for line in errors.body.splitlines()]
    assert raw == [b"500", b"501", b"502"]
    # A partition that is delivered is active no more.
    buffers.close(next(iter(partitions)))
    buffers.add(SETTINGS, record(601), good("new"), 0.0)
    assert buffers.exceeded == 3 and buffers.active == ACTIVE_PARTITIONS


def test_each_buffer_is_due_by_its_own_size_or_its_own_interval() -> None:
    buffers = Buffers({})
    buffers.add(SETTINGS, record(1), good("small", b"x" * 60), 0.0)
    buffers.add(SETTINGS, record(2), good("large", b"x" * 60), 5.0)
    assert buffers.due(SETTINGS, 9.9) == []
    buffers.add(SETTINGS, record(3), good("large", b"x" * 60), 6.0)
    assert [key[2] for key in buffers.due(SETTINGS, 9.9)] == [("large",)]
    assert [key[2] for key in buffers.due(SETTINGS, 10.0)] == [("small",), ("large",)]


def test_an_objects_time_is_that_of_its_oldest_record_of_all_shards() -> None:
    buffers = Buffers({})
    for number, arrival in enumerate((3000, 2000, 4000)):
        buffers.add(SETTINGS, record(number, f"shard-{number}", arrival), good("a"), 0.0)
    assert [buffer.oldest_ms for buffer in buffers.open.values()] == [2000]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2))
def test_merged_statistics_are_those_of_all_values(values: list[float]) -> None:
    sets = [{"SampleCount": 1.0, "Sum": one, "Minimum": one, "Maximum": one} for one in values]
    result = sets[0]
    for one in sets[1:]:
        result = merged(result, one)
    assert (result["SampleCount"], result["Minimum"], result["Maximum"]) == (
        len(values),
        min(values),
        max(values),
    )
    assert abs(result["Sum"] - sum(values)) < 1e-3


def test_a_read_goes_on_after_its_position_and_stops_at_ten_mebibytes() -> None:
    large = base64.b64encode(b"x" * 3 * (1 << 20)).decode()
    held = [
        {"SequenceNumber": f"{number:030d}", "Data": large, "ApproximateArrivalTimestamp": 0.0}
        for number in range(10, 20)
    ]
    seen: list[str] = []
    position = ""
    while (read := kinesis._read(held, position)).records:
        assert sum(len(one["Data"]) for one in read.records) <= kinesis.READ_BYTES
        seen += [one["SequenceNumber"] for one in read.records]
        position = seen[-1]
        assert (read.behind_ms > 0) == (len(seen) < len(held))
    assert seen == [one["SequenceNumber"] for one in held]
    # A position whose record is gone by now, between two that are there or before all.
    assert kinesis._read(held, f"{3:030d}").records[0] == held[0]
