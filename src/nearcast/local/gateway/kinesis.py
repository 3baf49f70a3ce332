"""What our delivery worker needs of ministack's Kinesis: word of new records, reads, and expiry that keeps pace."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nearcast.local.gateway.hooks import AwsError

EXPIRE_EVERY_S = 30.0
READ_RECORDS = 10_000
READ_BYTES = 10 * (1 << 20)
"""Records and bytes of one read of a shard at most, as of GetRecords."""
KEPT = 1000
"""Delivered records that a shard keeps, for whoever wants to look at them."""


class Announce:
    """Stands in for the event that ministack's Kinesis sets on each put: sets it, and ours."""

    def __init__(self, original: threading.Event, arrived: threading.Event) -> None:
        self.original = original
        self.arrived = arrived

    def set(self) -> None:
        """Set both events."""
        self.original.set()
        self.arrived.set()


class SequenceNumbers:
    """Sequence numbers that grow, even over a restart and a clock that was set back.

    They have ministack's form: 20 digits of epoch milliseconds, 10 digits of a counter.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.milliseconds = 0
        self.counter = 0

    def stay_above(self, given: Iterable[str]) -> None:
        """Give only numbers greater than every one of ``given``."""
        with self.lock:
            self.milliseconds = max([self.milliseconds, *(int(number[:20]) + 1 for number in given)])

    def __call__(self) -> str:
        """Return the next number."""
        with self.lock:
            self.milliseconds = max(self.milliseconds, int(time.time() * 1000))
            self.counter += 1
            return f"{self.milliseconds:020d}{self.counter:010d}"


def held_sequence_numbers() -> list[str]:
    """Return the sequence number of the newest record of every shard."""
    from ministack.services import kinesis

    shards = (shard for _, stream in kinesis._streams.all_items() for shard in stream["shards"].values())
    return [shard["records"][-1]["SequenceNumber"] for shard in shards if shard["records"]]


@dataclass(frozen=True)
class Read:
    """Records of a shard in their order, as GetRecords has them, and how far the last is behind the newest (ms)."""

    records: list[dict[str, Any]]
    behind_ms: int


def read(stream_name: str, positions: Mapping[str, str]) -> dict[str, Read]:
    """Return by shard what comes after its position, or from its oldest record on.

    By sequence number: an iterator would expire, and each call would leave a new one behind for five minutes.
    To be called on the event loop's thread. Raises AwsError when there is no such stream.
    """
    from ministack.services import kinesis

    stream = kinesis._streams.get(stream_name)
    if stream is None:
        raise AwsError("ResourceNotFoundException", f"Stream {stream_name} not found")
    shards = stream["shards"].items()
    return {shard_id: _read(shard["records"], positions.get(shard_id, "")) for shard_id, shard in shards}


def _read(held: list[dict[str, Any]], position: str) -> Read:
    from ministack.services.kinesis import _ensure_base64

    found: list[dict[str, Any]] = []
    size = 0
    first = bisect_right(held, position, key=lambda record: str(record["SequenceNumber"]))
    for record in held[first : first + READ_RECORDS]:
        data = _ensure_base64(record["Data"])
        size += len(data)
        if found and size > READ_BYTES:
            break
        found.append({**record, "Data": data})
    after = first + len(found)
    behind = time.time() - held[after]["ApproximateArrivalTimestamp"] if after < len(held) else 0.0
    return Read(found, max(0, round(behind * 1000)))


def trim(stream_name: str, delivered: Mapping[str, str], kept: int = KEPT) -> None:
    """Forget the records of each shard up to the delivered sequence number, but for the newest ``kept``.

    AWS keeps records for the whole retention period. Here an iterator that was behind the delivery goes on at the
    oldest record that is left. To be called on the event loop's thread, as everything that changes a stream.
    """
    from ministack.services import kinesis

    stream = kinesis._streams.get(stream_name) or {"shards": {}}
    for shard_id, number in delivered.items():
        records = stream["shards"].get(shard_id, {}).get("records", [])
        # Now and then many at once, not each time a few: the list is moved each time.
        if len(records) < 2 * kept:
            continue
        through = bisect_right(records, number, key=lambda record: str(record["SequenceNumber"]))
        count = min(through, len(records) - kept)
        del records[:count]
        _move_back(stream["StreamARN"], shard_id, count)


def _move_back(stream_arn: str, shard_id: str, count: int) -> None:
    """Let readers' positions, which are indices into a shard's list, point to the same records as before."""
    from ministack.services import kinesis, lambda_svc

    for iterator in list(kinesis._shard_iterators.values()):
        if iterator["stream_arn"] == stream_arn and iterator["shard_id"] == shard_id:
            iterator["position"] = max(0, iterator["position"] - count)
    for mapping in list(lambda_svc._esms.values()):
        positions = lambda_svc._kinesis_positions.get(mapping["UUID"]) or {}
        if mapping.get("EventSourceArn") == stream_arn and shard_id in positions:
            positions[shard_id] = max(0, positions[shard_id] - count)


def install(arrived: threading.Event) -> SequenceNumbers:
    """Set ``arrived`` on each put, let records expire every 30 s, and leave Firehose to our worker.

    ministack rebuilds the list of a stream's records on every put to expire old ones, which costs more with
    each record kept: 146 rows/s at 20,000 rows against 754 without. Returns the source of sequence numbers.
    """
    from ministack.services import firehose, kinesis

    original = kinesis._expire_records
    expired: dict[str, float] = {}

    def expire_sometimes(stream: dict[str, Any]) -> None:
        now = time.monotonic()
        if now - expired.get(stream["StreamARN"], 0.0) >= EXPIRE_EVERY_S:
            expired[stream["StreamARN"]] = now
            original(stream)

    def leave_to_the_worker(stream_arn: str, records: list[Any]) -> None:
        """Do nothing: DeliveryWorker reads the stream itself; both would deliver twice."""

    kinesis._expire_records = expire_sometimes
    kinesis.esm_wake = Announce(kinesis.esm_wake, arrived)
    firehose.ingest_from_kinesis_source = leave_to_the_worker
    numbers = SequenceNumbers()
    kinesis._next_sequence_number = numbers
    return numbers
