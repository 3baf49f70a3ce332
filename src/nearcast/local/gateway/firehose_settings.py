"""What a delivery stream was deployed to do: read from Firehose's own description of it."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

MIB = 1 << 20
DEFAULT_TIME = "!{timestamp:yyyy/MM/dd/HH/}"
EXPRESSION = re.compile(r"!\{(\w+):([^}]*)\}")


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
    version: str = "1"
    prefix: str = DEFAULT_TIME
    error_prefix: str = "!{firehose:error-output-type}/" + DEFAULT_TIME
    delimiter: bytes = b""
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

    @cached_property
    def partition_keys(self) -> tuple[str, ...]:
        """The names of the partition keys that the prefix is made of; none without dynamic partitioning."""
        found = EXPRESSION.findall(self.prefix)
        return tuple(name for namespace, name in found if namespace == "partitionKeyFromLambda")


def is_true(value: Any) -> bool:
    """Tell whether a setting is on; CloudFormation hands booleans over as strings."""
    return str(value).lower() == "true"


def read_settings(description: dict[str, Any]) -> DeliverySettings | None:
    """Read DescribeDeliveryStream's answer; None when its source is not a Kinesis stream."""
    source = (description.get("Source") or {}).get("KinesisStreamSourceDescription")
    if source is None:
        return None
    destination = description["Destinations"][0]
    s3 = destination.get("ExtendedS3DestinationDescription") or destination["S3DestinationDescription"]
    hints = s3.get("BufferingHints") or {}
    prefix = s3.get("Prefix") or ""
    return DeliverySettings(
        name=description["DeliveryStreamName"],
        arn=description["DeliveryStreamARN"],
        stream_arn=source["KinesisStreamARN"],
        bucket=s3["BucketARN"].rpartition(":::")[2],
        version=str(description["VersionId"]),
        prefix=prefix
        if "!{timestamp:" in prefix or "!{partitionKeyFrom" in prefix
        else prefix + DEFAULT_TIME,
        error_prefix=_error_prefix(s3.get("ErrorOutputPrefix") or prefix),
        buffer_bytes=int(float(hints.get("SizeInMBs", 5)) * MIB),
        buffer_seconds=float(hints.get("IntervalInSeconds", 300)),
        **_processors(s3.get("ProcessingConfiguration") or {}),
    )


def _error_prefix(given: str) -> str:
    if EXPRESSION.search(given):
        return given
    return given + "!{firehose:error-output-type}/" + DEFAULT_TIME


def parameters(processor: Mapping[str, Any]) -> dict[str, str]:
    """Return a processor's parameters by name."""
    return {item["ParameterName"]: str(item["ParameterValue"]) for item in processor.get("Parameters") or []}


def _processors(configuration: dict[str, Any]) -> dict[str, Any]:
    if not is_true(configuration.get("Enabled")):
        return {}
    read: dict[str, Any] = {}
    for processor in configuration.get("Processors") or []:
        given = parameters(processor)
        if processor["Type"] == "Lambda":
            read["lambda_arn"] = given["LambdaArn"]
            read["lambda_buffer_bytes"] = int(float(given.get("BufferSizeInMBs", 1)) * MIB)
            read["lambda_buffer_seconds"] = float(given.get("BufferIntervalInSeconds", 60))
            read["lambda_retries"] = int(given.get("NumberOfRetries", 3))
        else:
            # Given as the two characters \n, as in AWS's own examples.
            read["delimiter"] = given.get("Delimiter", "\\n").replace("\\n", "\n").encode()
    return read


def evaluate_prefix(
    template: str, moment: time.struct_time, partition_keys: Mapping[str, str], error_type: str = ""
) -> str:
    """Fill in a prefix's expressions.

    Parameters
    ----------
    moment
        Arrival (UTC) of the oldest record of the object.
    partition_keys
        Every partition key that the template names.
    error_type
        What ``!{firehose:error-output-type}`` becomes.

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

    return EXPRESSION.sub(value, template)
