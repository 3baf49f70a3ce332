"""A delivery stream of a test's own, whose Lambda does with each record what the record says."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import Any

from tests.local.gateway.conftest import Gateway

ROLE = "arn:aws:iam::000000000000:role/any"
ACTOR = """
import base64, json, time
from pathlib import Path

def lambda_handler(event, context):
    answered = []
    for record in event["records"]:
        asked = json.loads(base64.b64decode(record["data"]))
        answered += act(record["recordId"], record["data"], asked)
    whole = [asked["whole"] for asked in map(read, event["records"]) if "whole" in asked]
    return whole[0] if whole else {"records": answered}

def read(record):
    return json.loads(base64.b64decode(record["data"]))

def act(record_id, data, asked):
    match asked["do"]:
        case "raise":
            raise RuntimeError("asked to fail")
        case "sleep":
            time.sleep(30)
        case "fail first":
            file = Path(asked["file"])
            with file.open("a") as stream:
                stream.write(".")
            if file.stat().st_size <= asked["times"]:
                raise RuntimeError("asked to fail at first")
        case "leave out":
            return []
        case "much":
            data = base64.b64encode(b"x" * 5_000_000).decode()
    one = {"recordId": record_id, "result": asked.get("result", "Ok"), "data": asked.get("data", data)}
    one["metadata"] = {"partitionKeys": asked.get("keys", {"k": "plain"})}
    return [one, one] if asked["do"] == "twice" else [one]
"""


@dataclass
class Stream:
    """A Kinesis stream, a delivery stream that reads it, and the bucket that it delivers to, all of one name."""

    gateway: Gateway
    name: str
    put_records: int = field(default=0, init=False)

    def create(self, **extended: Any) -> None:
        """Create them; ``extended`` is the destination's configuration but for role and bucket."""
        self.gateway.client("s3").create_bucket(Bucket=self.name)
        kinesis = self.gateway.client("kinesis")
        kinesis.create_stream(StreamName=self.name, ShardCount=1)
        stream_arn = kinesis.describe_stream(StreamName=self.name)["StreamDescription"]["StreamARN"]
        self.gateway.client("firehose").create_delivery_stream(
            DeliveryStreamName=self.name,
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration={"KinesisStreamARN": stream_arn, "RoleARN": ROLE},
            ExtendedS3DestinationConfiguration=self.destination(**extended),
        )

    def destination(self, **extended: Any) -> dict[str, Any]:
        """Return a destination's configuration."""
        return {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{self.name}", **extended}

    def put(self, *records: dict[str, Any] | bytes) -> None:
        """Put records in one call, so that they are one batch."""
        self.put_records += len(records)
        encoded = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in records]
        self.gateway.client("kinesis").put_records(
            StreamName=self.name, Records=[{"Data": data, "PartitionKey": "one"} for data in encoded]
        )

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return the objects under a prefix."""
        s3 = self.gateway.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=self.name, Key=key)["Body"].read() for key in keys}

    def lines(self, prefix: str) -> list[dict[str, Any]]:
        """Return the JSON lines under a prefix."""
        return [json.loads(line) for body in self.objects(prefix).values() for line in body.splitlines()]

    def failures(self, test: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return the failed records of a test: Firehose's document, and the record that was put."""
        found = [(line, json.loads(base64.b64decode(line["rawData"]))) for line in self.lines("errors/")]
        return [(line, record) for line, record in found if record["test"] == test]


def create_actor(gateway: Gateway, timeout_s: int) -> str:
    """Create the Lambda; return its ARN."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("actor.py", ACTOR)
    answer = gateway.client("lambda").create_function(
        FunctionName="actor",
        Runtime="python3.12",
        Role=ROLE,
        Handler="actor.lambda_handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=timeout_s,
    )
    return str(answer["FunctionArn"])


def processor(kind: str, **parameters: str) -> dict[str, Any]:
    """Return a processor's configuration."""
    given = [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]
    return {"Type": kind, "Parameters": given}


def processing(*processors: dict[str, Any]) -> dict[str, Any]:
    """Return a processing configuration."""
    return {"Enabled": True, "Processors": list(processors)}
