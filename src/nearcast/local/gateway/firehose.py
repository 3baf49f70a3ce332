"""Firehose delivery: from a Kinesis stream through the Lambda to objects on S3, at least once.

A checkpoint (the sequence number of each shard up to which everything lies on S3) is written after each
delivery, so a restart delivers again what was only buffered, and loses nothing.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from nearcast.local.gateway import calls, kinesis
from nearcast.local.gateway.firehose_buffers import ACTIVE_PARTITIONS, Buffer, Buffers, Key
from nearcast.local.gateway.firehose_counters import Counters
from nearcast.local.gateway.firehose_settings import MIB, DeliverySettings, evaluate_prefix, read_settings
from nearcast.local.gateway.firehose_transform import PAYLOAD_BYTES, StreamRecord, event_bytes, transform
from nearcast.log import get_logger

IDLE_S = 1.0
DISCOVER_S = 2.0
RETRY_S = 0.5
PUTS = 8
"""Objects that are put at a time: each waits its turn among the requests that the event loop serves."""
HELD_BYTES = 256 * MIB
"""Bytes in all S3 buffers of a delivery stream from which on they are delivered before their time."""
log = get_logger("firehose")


class Delivery:
    """One delivery stream: its read positions, the Lambda's buffer and the S3 buffers."""

    def __init__(self, settings: DeliverySettings, checkpoint_dir: Path, region: str) -> None:
        self.settings = settings
        self.region = region
        self.checkpoint_file = checkpoint_dir / f"{settings.name}.json"
        self.checkpoint = self._load_checkpoint()
        self.read_to = dict(self.checkpoint)
        self.pending: list[StreamRecord] = []
        self.pending_bytes = 0
        self.pending_since = 0.0
        self.buffers = Buffers(self.checkpoint)
        self.counters = Counters(settings.name)
        self.putting = ThreadPoolExecutor(PUTS, initializer=calls.enter_account, initargs=(region,))

    def _load_checkpoint(self) -> dict[str, str]:
        if not self.checkpoint_file.exists():
            return {}
        checkpoint: dict[str, str] = json.loads(self.checkpoint_file.read_text())
        return checkpoint

    def step(self) -> int:
        """Read what is new, transform and deliver what is due; return how many records were read."""
        self._relieve()
        read = self._read()
        while self._pending_due():
            self._transform()
            self._relieve()
        self._deliver(self.buffers.due(self.settings, time.monotonic()))
        self.counters.publish()
        return read

    def finish(self) -> None:
        """Deliver everything that was read, whatever the buffers' hints say."""
        while self.pending:
            self._transform()
        self._deliver(list(self.buffers.open))
        self.counters.publish(at_once=True)

    def next_due(self) -> float:
        """Return when a buffer reaches its interval (monotonic seconds); infinity when none holds anything."""
        times = [buffer.since + self.settings.buffer_seconds for buffer in self.buffers.open.values()]
        if self.pending:
            times.append(self.pending_since + self.settings.lambda_buffer_seconds)
        return min(times, default=float("inf"))

    def _relieve(self) -> None:
        """Deliver everything when the buffers are full: while S3 refuses, nothing more is taken in."""
        if self.buffers.size >= HELD_BYTES:
            self._deliver(list(self.buffers.open))

    def _read(self) -> int:
        if self.pending_bytes >= self.settings.lambda_buffer_bytes:
            return 0
        count = 0
        shards = calls.from_loop(kinesis.read, self.settings.stream_name, self.read_to)
        for shard_id, read in shards.items():
            if read.records:
                self._take_in(shard_id, read)
                count += len(read.records)
        return count

    def _take_in(self, shard_id: str, read: kinesis.Read) -> None:
        if not self.pending:
            self.pending_since = time.monotonic()
        records = [
            StreamRecord(
                shard_id,
                record["SequenceNumber"],
                record["PartitionKey"],
                record["Data"],
                round(float(record["ApproximateArrivalTimestamp"]) * 1000),
            )
            for record in read.records
        ]
        size = sum(map(_data_bytes, records))
        self.pending += records
        self.pending_bytes += size
        self.read_to[shard_id] = records[-1].sequence_number
        self.counters.add("DataReadFromKinesisStream.Records", len(records))
        self.counters.add("DataReadFromKinesisStream.Bytes", size)
        self.counters.add("KinesisMillisBehindLatest", read.behind_ms)

    def _pending_due(self) -> bool:
        if not self.pending:
            return False
        if self.settings.lambda_arn is None or self.pending_bytes >= self.settings.lambda_buffer_bytes:
            return True
        return time.monotonic() - self.pending_since >= self.settings.lambda_buffer_seconds

    def _transform(self) -> None:
        """Bring the next batch into the S3 buffers; only then does it leave the Lambda's."""
        batch = self._next_batch()
        outcomes = transform(self.settings, batch, self.region, self.counters)
        now = time.monotonic()
        self.buffers.exceeded = 0
        for record, outcome in zip(batch, outcomes, strict=True):
            self.buffers.add(self.settings, record, outcome, now)
        del self.pending[: len(batch)]
        self.pending_bytes -= sum(map(_data_bytes, batch))
        self.pending_since = now
        if self.settings.partition_keys:
            self.counters.add("ActivePartitionsLimit", ACTIVE_PARTITIONS)
            self.counters.add("PartitionCount", self.buffers.active)
            self.counters.add("PartitionCountExceeded", min(self.buffers.exceeded, 1))

    def _next_batch(self) -> list[StreamRecord]:
        """Return what fits into the Lambda's buffer and into an event, and one record at least."""
        size = event = 0
        for count, record in enumerate(self.pending):
            size += _data_bytes(record)
            event += event_bytes(record)
            if count and (size > self.settings.lambda_buffer_bytes or event > PAYLOAD_BYTES):
                return self.pending[:count]
        return self.pending[:]

    def _deliver(self, due: list[Key]) -> None:
        """Write an object for each buffer, several at a time, then the checkpoint."""
        puts = {key: self._put(self.buffers.open[key]) for key in due}
        wait(puts.values())
        for key, put in puts.items():
            self._count(self.buffers.open[key], stored=put.exception() is None)
            # Only what is on S3 leaves the buffer: a failed put is tried again on the next step.
            if put.exception() is None:
                self.buffers.close(key)
        # With no buffer open the records may all have been dropped.
        if due or not self.buffers.open:
            self._save_checkpoint(self.buffers.positions())
        for put in puts.values():
            put.result()

    def _put(self, buffer: Buffer) -> Future[None]:
        arrival = time.gmtime(buffer.oldest_ms / 1000)
        prefix = evaluate_prefix(buffer.template, arrival, buffer.partition_keys, buffer.error_type)
        moment = time.strftime("%Y-%m-%d-%H-%M-%S", time.gmtime())
        key = f"{prefix}{self.settings.name}-{self.settings.version}-{moment}-{uuid.uuid4()}"
        return self.putting.submit(calls.put_object, self.settings.bucket, key, bytes(buffer.body))

    def _count(self, buffer: Buffer, stored: bool) -> None:
        self.counters.add("DeliveryToS3.Success", int(stored))
        if not stored:
            return
        if not buffer.error_type:
            self.counters.add("DeliveryToS3.Records", buffer.records)
            self.counters.add("DeliveryToS3.Bytes", len(buffer.body))
        self.counters.add("DeliveryToS3.ObjectCount", 1)
        self.counters.add("DeliveryToS3.DataFreshness", max(0.0, time.time() - buffer.oldest_ms / 1000))

    def _save_checkpoint(self, positions: dict[str, str]) -> None:
        if positions == self.checkpoint:
            return
        temporary = self.checkpoint_file.with_suffix(".tmp")
        with temporary.open("w") as stream:
            json.dump(positions, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.checkpoint_file)
        self.checkpoint = positions


def _data_bytes(record: StreamRecord) -> int:
    """Return the bytes of a record's data; it is base64."""
    return len(record.data) * 3 // 4


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
                steps = [self._step(delivery) for delivery in list(self.deliveries.values())]
                self._trim()
            except Exception:
                log.exception("delivery round failed")
                self.stopping.wait(RETRY_S)
                continue
            if not any(steps):
                self._rest()
        for delivery in self.deliveries.values():
            delivery.finish()

    def _step(self, delivery: Delivery) -> int:
        try:
            return delivery.step()
        except Exception:
            # A delivery outlives any failure of one step; what was buffered stays and is tried again.
            log.exception("delivery step failed", delivery_stream=delivery.settings.name)
            self.stopping.wait(RETRY_S)
            return 0

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
        """Wait for new records, or until a buffer is due."""
        due = min((delivery.next_due() for delivery in self.deliveries.values()), default=float("inf"))
        self.arrived.wait(min(IDLE_S, max(0.0, due - time.monotonic())))
        self.arrived.clear()

    def _discover(self) -> None:
        names = calls.call("firehose", "ListDeliveryStreams", Limit=10_000)["DeliveryStreamNames"]
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
