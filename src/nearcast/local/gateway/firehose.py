"""Firehose delivery: from a Kinesis stream through the Lambda to objects on S3, at least once.

A checkpoint (the sequence number of each shard up to which everything lies on S3) is written after each
flush, so a restart delivers again what was only buffered, and loses nothing.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections import defaultdict
from pathlib import Path

from nearcast.local.gateway import calls, kinesis
from nearcast.local.gateway.firehose_settings import DeliverySettings, read_settings
from nearcast.local.gateway.firehose_transform import StreamRecord, transform
from nearcast.local.gateway.hooks import AwsError
from nearcast.log import get_logger

TICK_S = 0.05
IDLE_S = 1.0
DISCOVER_S = 2.0
READ_LIMIT = 2000
log = get_logger("firehose")


class Delivery:
    """One delivery stream: its read positions, the Lambda's buffer and the S3 buffer."""

    def __init__(self, settings: DeliverySettings, checkpoint_dir: Path, region: str) -> None:
        self.settings = settings
        self.region = region
        self.checkpoint_file = checkpoint_dir / f"{settings.name}.json"
        self.transformed: dict[str, str] = self._load_checkpoint()
        self.checkpoint = dict(self.transformed)
        self.iterators: dict[str, str] = {}
        self.pending: list[StreamRecord] = []
        self.pending_bytes = 0
        self.pending_since = 0.0
        self.buffer: defaultdict[str, bytearray] = defaultdict(bytearray)
        self.buffered_since = 0.0

    def _load_checkpoint(self) -> dict[str, str]:
        if not self.checkpoint_file.exists():
            return {}
        checkpoint: dict[str, str] = json.loads(self.checkpoint_file.read_text())
        return checkpoint

    @property
    def waiting(self) -> bool:
        """Whether records are buffered."""
        return bool(self.pending or self.buffer)

    def step(self) -> int:
        """Read what is new, transform and flush what is due; return how many records were read."""
        read = self._read()
        if self._pending_due():
            self._transform()
        if self._flush_due():
            self.flush()
        return read

    def finish(self) -> None:
        """Deliver everything that was read, whatever the buffers' hints say."""
        self._transform()
        self.flush()

    def _read(self) -> int:
        if self.pending_bytes >= self.settings.lambda_buffer_bytes:
            return 0
        stream = self.settings.stream_name
        count = 0
        for shard in calls.call("kinesis", "ListShards", StreamName=stream)["Shards"]:
            count += self._read_shard(stream, shard["ShardId"])
        return count

    def _read_shard(self, stream: str, shard_id: str) -> int:
        if shard_id not in self.iterators:
            self.iterators[shard_id] = self._iterator(stream, shard_id)
        try:
            answer = calls.call(
                "kinesis", "GetRecords", ShardIterator=self.iterators[shard_id], Limit=READ_LIMIT
            )
        except AwsError as error:
            if error.code != "ExpiredIteratorException":
                raise
            # Read again from the checkpoint: at least once.
            self.pending, self.pending_bytes = [], 0
            self.iterators.clear()
            return 0
        records = answer["Records"]
        if not records:
            return 0
        self.iterators[shard_id] = answer["NextShardIterator"]
        if not self.pending:
            self.pending_since = time.monotonic()
        for record in records:
            arrival_ms = round(float(record["ApproximateArrivalTimestamp"]) * 1000)
            self.pending.append(
                StreamRecord(
                    shard_id, record["SequenceNumber"], record["PartitionKey"], record["Data"], arrival_ms
                )
            )
            self.pending_bytes += len(record["Data"])
        return len(records)

    def _iterator(self, stream: str, shard_id: str) -> str:
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        if shard_id in self.transformed:
            start = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": self.transformed[shard_id],
            }
        answer = calls.call("kinesis", "GetShardIterator", StreamName=stream, ShardId=shard_id, **start)
        return str(answer["ShardIterator"])

    def _pending_due(self) -> bool:
        if not self.pending:
            return False
        age = time.monotonic() - self.pending_since
        full = self.pending_bytes >= self.settings.lambda_buffer_bytes
        return full or self.settings.lambda_arn is None or age >= self.settings.lambda_buffer_seconds

    def _transform(self) -> None:
        while self.pending:
            batch = self._take_batch()
            for delivered in transform(self.settings, batch, self.region):
                if not self.buffer:
                    self.buffered_since = time.monotonic()
                self.buffer[delivered.prefix] += delivered.body
            for record in batch:
                self.transformed[record.shard_id] = record.sequence_number

    def _take_batch(self) -> list[StreamRecord]:
        """Take at most the Lambda's buffer size from the pending records, and one record at least."""
        size = count = 0
        for record in self.pending:
            size += len(record.data)
            if count and size > self.settings.lambda_buffer_bytes:
                break
            count += 1
        batch, self.pending = self.pending[:count], self.pending[count:]
        self.pending_bytes = sum(len(record.data) for record in self.pending)
        return batch

    def _flush_due(self) -> bool:
        if not self.buffer:
            return False
        size = sum(map(len, self.buffer.values()))
        age = time.monotonic() - self.buffered_since
        return size >= self.settings.buffer_bytes or age >= self.settings.buffer_seconds

    def flush(self) -> None:
        """Write one object for each prefix, then the checkpoint."""
        moment = time.strftime("%Y-%m-%d-%H-%M-%S", time.gmtime())
        for prefix in list(self.buffer):
            key = f"{prefix}{self.settings.name}-1-{moment}-{uuid.uuid4()}"
            calls.put_object(self.settings.bucket, key, bytes(self.buffer[prefix]))
            # Only what is on S3 leaves the buffer: a failed put is tried again on the next step.
            del self.buffer[prefix]
        self._save_checkpoint()

    def _save_checkpoint(self) -> None:
        temporary = self.checkpoint_file.with_suffix(".tmp")
        with temporary.open("w") as stream:
            json.dump(self.transformed, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.checkpoint_file)
        self.checkpoint = dict(self.transformed)


class DeliveryWorker:
    """The thread that serves every delivery stream with a Kinesis source."""

    def __init__(self, checkpoint_dir: Path, region: str) -> None:
        checkpoint_dir.mkdir(parents=True, exist_ok=True)
        self.checkpoint_dir = checkpoint_dir
        self.region = region
        self.deliveries: dict[str, Delivery] = {}
        self.trimmed: dict[tuple[str, str], str] = {}
        self.stopping = threading.Event()
        self.arrived = threading.Event()
        self.thread = threading.Thread(target=self._run, name="gateway-firehose", daemon=True)

    def start(self) -> None:
        """Start delivering."""
        self.thread.start()

    def stop(self) -> None:
        """Deliver what was read, and end."""
        self.stopping.set()
        self.arrived.set()
        self.thread.join(timeout=30)

    def _run(self) -> None:
        calls.enter_account(self.region)
        discovered = 0.0
        while not self.stopping.is_set():
            try:
                if time.monotonic() - discovered > DISCOVER_S:
                    self._discover()
                    discovered = time.monotonic()
                read = sum(delivery.step() for delivery in list(self.deliveries.values()))
                self._trim()
            except Exception:
                # A worker outlives any failure of one step; what was buffered stays and is tried again.
                log.exception("delivery step failed")
                self.stopping.wait(0.5)
                continue
            if not read:
                self._rest()
        for delivery in self.deliveries.values():
            delivery.finish()

    def checkpoints(self) -> list[str]:
        """Return every sequence number in the checkpoints on the disk."""
        found = (json.loads(path.read_text()) for path in self.checkpoint_dir.glob("*.json"))
        return [number for checkpoint in found for number in checkpoint.values()]

    def _trim(self) -> None:
        """Let the streams forget what every delivery that reads them has written to S3."""
        oldest: dict[tuple[str, str], str] = {}
        for delivery in self.deliveries.values():
            for shard, number in delivery.checkpoint.items():
                place = (delivery.settings.stream_name, shard)
                oldest[place] = min(number, oldest.get(place, number))
        if oldest != self.trimmed:
            self.trimmed = oldest
            for (stream, shard), number in oldest.items():
                calls.on_loop(kinesis.trim, stream, {shard: number})

    def _rest(self) -> None:
        """Wait for new records; only for a tick while a buffer waits for its time."""
        waiting = any(delivery.waiting for delivery in self.deliveries.values())
        self.arrived.wait(TICK_S if waiting else IDLE_S)
        self.arrived.clear()

    def _discover(self) -> None:
        names = calls.call("firehose", "ListDeliveryStreams", Limit=100)["DeliveryStreamNames"]
        for gone in set(self.deliveries) - set(names):
            del self.deliveries[gone]
        for name in names:
            answer = calls.call("firehose", "DescribeDeliveryStream", DeliveryStreamName=name)
            settings = read_settings(answer["DeliveryStreamDescription"])
            if settings is None:
                continue
            if name in self.deliveries:
                self.deliveries[name].settings = settings
            else:
                self.deliveries[name] = Delivery(settings, self.checkpoint_dir, self.region)
                log.info("delivering", delivery_stream=name, buffer_seconds=settings.buffer_seconds)
