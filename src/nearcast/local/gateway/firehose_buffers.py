"""The S3 buffer: one for each active partition, and the position up to which everything is on S3.

Source: docs.aws.amazon.com/firehose/latest/dev/buffering.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nearcast.local.gateway.firehose_settings import DeliverySettings
from nearcast.local.gateway.firehose_transform import Outcome, StreamRecord, failed

ACTIVE_PARTITIONS = 500
"""Active partitions of a delivery stream at most: AWS's default quota."""
EXCEEDED = "activePartitionExceeded"

Key = tuple[str, str, tuple[str, ...]]


@dataclass
class Buffer:
    """What becomes one object: the records of one partition, or the failures of one kind.

    Parameters
    ----------
    template, partition_keys, error_type
        What its prefix is evaluated from.
    since
        When its first record came (monotonic seconds).
    oldest_ms
        Arrival of its oldest record in the Kinesis stream (milliseconds since 1970).
    after
        For each shard the sequence number of the last record before the first of its own.
    """

    template: str
    partition_keys: Mapping[str, str]
    error_type: str
    since: float
    oldest_ms: int
    after: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    records: int = 0


class Buffers:
    """All open buffers of a delivery stream.

    Parameters
    ----------
    positions
        The checkpoint to go on from: a sequence number for each shard.
    """

    def __init__(self, positions: Mapping[str, str]) -> None:
        self.handled = dict(positions)
        self.open: dict[Key, Buffer] = {}
        self.active = 0
        self.exceeded = 0
        self.size = 0

    def add(
        self, settings: DeliverySettings, record: StreamRecord, outcome: Outcome | None, now: float
    ) -> None:
        """Take in what became of the next record of a shard; None: it was dropped, and is done with."""
        before = self.handled.get(record.shard_id, "")
        if outcome is not None:
            buffer, body = self._place(settings, record, outcome, now)
            buffer.after.setdefault(record.shard_id, before)
            buffer.oldest_ms = min(buffer.oldest_ms, record.arrival_ms)
            buffer.body += body
            buffer.records += 1
            self.size += len(body)
        self.handled[record.shard_id] = record.sequence_number

    def _place(
        self, settings: DeliverySettings, record: StreamRecord, outcome: Outcome, now: float
    ) -> tuple[Buffer, bytes]:
        template = settings.error_prefix if outcome.error_type else settings.prefix
        key = (template, outcome.error_type, tuple(outcome.partition_keys.values()))
        buffer = self.open.get(key)
        if buffer is None:
            if outcome.partition_keys:
                if self.active >= ACTIVE_PARTITIONS:
                    self.exceeded += 1
                    return self._place(settings, record, _exceeded(settings, record), now)
                self.active += 1
            buffer = Buffer(template, outcome.partition_keys, outcome.error_type, now, record.arrival_ms)
            self.open[key] = buffer
        return buffer, outcome.body

    def due(self, settings: DeliverySettings, now: float) -> list[Key]:
        """Return the buffers that reached the size or the interval of the buffering hints, each by itself."""
        return [
            key
            for key, buffer in self.open.items()
            if len(buffer.body) >= settings.buffer_bytes or now - buffer.since >= settings.buffer_seconds
        ]

    def close(self, key: Key) -> None:
        """Forget a buffer: its object is on S3."""
        buffer = self.open.pop(key)
        self.size -= len(buffer.body)
        if buffer.partition_keys:
            self.active -= 1

    def positions(self) -> dict[str, str]:
        """Return for each shard the sequence number up to which every record is on S3 or was dropped."""
        positions = dict(self.handled)
        for buffer in self.open.values():
            for shard, after in buffer.after.items():
                positions[shard] = min(positions[shard], after)
        return {shard: number for shard, number in positions.items() if number}


def _exceeded(settings: DeliverySettings, record: StreamRecord) -> Outcome:
    message = f"The delivery stream has {ACTIVE_PARTITIONS} active partitions, which is the limit."
    return failed(settings, record, EXCEEDED, "DynamicPartitioning.ActivePartitionsLimitExceeded", message, 1)
