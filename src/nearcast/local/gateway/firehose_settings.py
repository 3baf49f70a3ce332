"""What a delivery stream was deployed to do: read from Firehose's own description of it."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

MIB = 1 << 20
_EXPRESSION = re.compile(r"!\{(\w+):([^}]*)\}")


@dataclass(frozen=True)
class DeliverySettings:
    """A delivery stream with a Kinesis source and an S3 destination.

    Sizes are bytes, intervals seconds. Defaults are Firehose's own
    (docs.aws.amazon.com/firehose/latest/dev/buffering-hints.html).
    """

    name: str
    arn: str
    stream_arn: str
    bucket: str
    prefix: str = ""
    error_prefix: str = ""
    buffer_bytes: int = 5 * MIB
    buffer_seconds: float = 300.0
    lambda_arn: str | None = None
    lambda_buffer_bytes: int = MIB
    lambda_buffer_seconds: float = 60.0
    lambda_retries: int = 3

    @property
    def stream_name(self) -> str:
        """The name of the Kinesis stream that is read."""
        return self.stream_arn.rpartition("/")[2]


def read_settings(description: dict[str, Any]) -> DeliverySettings | None:
    """Read DescribeDeliveryStream's answer; None when its source is not a Kinesis stream."""
    source = (description.get("Source") or {}).get("KinesisStreamSourceDescription")
    if source is None:
        return None
    destination = description["Destinations"][0]
    s3 = destination.get("ExtendedS3DestinationDescription") or destination["S3DestinationDescription"]
    hints = s3.get("BufferingHints") or {}
    return DeliverySettings(
        name=description["DeliveryStreamName"],
        arn=description["DeliveryStreamARN"],
        stream_arn=source["KinesisStreamARN"],
        bucket=s3["BucketARN"].rpartition(":::")[2],
        prefix=s3.get("Prefix") or "",
        error_prefix=s3.get("ErrorOutputPrefix") or s3.get("Prefix") or "",
        buffer_bytes=int(hints.get("SizeInMBs") or 5) * MIB,
        buffer_seconds=float(hints.get("IntervalInSeconds", 300)),
        **_processor(s3.get("ProcessingConfiguration") or {}),
    )


def _processor(configuration: dict[str, Any]) -> dict[str, Any]:
    if str(configuration.get("Enabled", False)).lower() != "true":
        return {}
    for processor in configuration.get("Processors", []):
        if processor["Type"] != "Lambda":
            continue
        given = {item["ParameterName"]: item["ParameterValue"] for item in processor["Parameters"]}
        return {
            "lambda_arn": given["LambdaArn"],
            "lambda_buffer_bytes": int(float(given.get("BufferSizeInMBs", 1)) * MIB),
            "lambda_buffer_seconds": float(given.get("BufferIntervalInSeconds", 60)),
            "lambda_retries": int(given.get("NumberOfRetries", 3)),
        }
    return {}


def evaluate_prefix(
    template: str, moment: time.struct_time, partition_keys: dict[str, str], error_type: str = ""
) -> str:
    """Fill in a prefix's expressions; a prefix without any gets ``yyyy/MM/dd/HH/`` appended.

    Raises KeyError when it names a partition key that is not there.
    Source: docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
    """
    from ministack.services.firehose import _java_time

    def value(match: re.Match[str]) -> str:
        namespace, expression = match.groups()
        if namespace == "timestamp":
            return str(_java_time(expression, moment))
        if namespace == "firehose":
            return error_type if expression == "error-output-type" else uuid.uuid4().hex[:11]
        return partition_keys[expression]

    filled = _EXPRESSION.sub(value, template)
    has_place = "!{timestamp:" in template or "!{partitionKeyFrom" in template
    return filled if has_place else filled + str(_java_time("yyyy/MM/dd/HH/", moment))
