"""Steps of a delivery whose surroundings fail: nothing is lost, and memory is bounded."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from nearcast.local.gateway import calls, firehose, kinesis
from nearcast.local.gateway.firehose import Delivery
from nearcast.local.gateway.firehose_settings import DeliverySettings
from nearcast.local.gateway.hooks import AwsError

SETTINGS = DeliverySettings(
    name="steps", arn="arn", stream_arn="arn:stream/s", bucket="b", prefix="p/", buffer_seconds=900.0
)


class Surroundings:
    """A shard with one more record at each read, and an S3 that can be away."""

    def __init__(self) -> None:
        self.reads = 0
        self.away = False
        self.bodies: list[bytes] = []

    def read(self, *_: Any) -> dict[str, kinesis.Read]:
        """Stand in for a read of the stream."""
        self.reads += 1
        data = base64.b64encode(b"%03d" % self.reads).decode()
        record = {"SequenceNumber": f"{self.reads:030d}", "PartitionKey": "p", "Data": data}
        return {"shard-0": kinesis.Read([{**record, "ApproximateArrivalTimestamp": 0.0}], 0)}

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Stand in for S3."""
        if self.away:
            raise AwsError("NoSuchBucket", "away")
        self.bodies.append(body)


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    """What the delivery has to do with."""
    made = Surroundings()
    monkeypatch.setattr(calls, "from_loop", made.read)
    monkeypatch.setattr(calls, "put_object", made.put)
    monkeypatch.setattr(calls, "on_loop", lambda *_: None)
    monkeypatch.setattr(firehose, "HELD_BYTES", 6)
    return made


def test_full_buffers_are_delivered_early_and_nothing_is_read_while_s3_is_away(
    around: Surroundings, tmp_path: Path
) -> None:
    delivery = Delivery(SETTINGS, tmp_path, "us-east-1")
    around.away = True
    delivery.step()
    for _ in range(5):
        with pytest.raises(AwsError):
            delivery.step()
    assert around.reads == 2 and delivery.checkpoint == {} and not delivery.checkpoint_file.exists()
    around.away = False
    delivery.step()
    assert around.bodies == [b"001002"]
    assert json.loads(delivery.checkpoint_file.read_text()) == {"shard-0": f"{2:030d}"}
    delivery.finish()
    assert b"".join(around.bodies) == b"001002003"


def test_a_batch_whose_transformation_breaks_stays_for_the_next_step(
    around: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = Delivery(SETTINGS, tmp_path, "us-east-1")
    with monkeypatch.context() as patch:
        patch.setattr(firehose, "transform", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            delivery.step()
    delivery.finish()
    assert around.bodies == [b"001"] and delivery.checkpoint == {"shard-0": f"{1:030d}"}


def test_a_killed_delivery_delivers_again_from_its_checkpoint(around: Surroundings, tmp_path: Path) -> None:
    first = Delivery(SETTINGS, tmp_path, "us-east-1")
    first.step()
    first.finish()
    first.step()
    # No finish: it was killed with the second record in its buffer.
    second = Delivery(SETTINGS, tmp_path, "us-east-1")
    assert second.read_to == second.buffers.positions() == {"shard-0": f"{1:030d}"}
