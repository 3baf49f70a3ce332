"""CloudWatch's metrics of a delivery stream, under AWS's names, in ministack's own CloudWatch.

Source: docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nearcast.local.gateway import calls

NAMESPACE = "AWS/Firehose"
PUBLISH_S = 5.0
PERIOD_S = 60
KEPT_S = 3 * 3600
"""Seconds that a minute's figures are kept; AWS keeps them for 15 days. Each snapshot holds them all."""
UNITS = {
    "DataReadFromKinesisStream.Records": "Count",
    "DataReadFromKinesisStream.Bytes": "Bytes",
    "KinesisMillisBehindLatest": "Milliseconds",
    "ExecuteProcessing.Duration": "Milliseconds",
    "ExecuteProcessing.Success": "Count",
    "SucceedProcessing.Records": "Count",
    "SucceedProcessing.Bytes": "Bytes",
    "DeliveryToS3.Records": "Count",
    "DeliveryToS3.Bytes": "Bytes",
    "DeliveryToS3.ObjectCount": "Count",
    "DeliveryToS3.Success": "Count",
    "DeliveryToS3.DataFreshness": "Seconds",
    "ActivePartitionsLimit": "Count",
    "PartitionCount": "Count",
    "PartitionCountExceeded": "Count",
}


class Counters:
    """Gathers the figures of a delivery stream and hands them over every few seconds; nothing while idle.

    Parameters
    ----------
    delivery_stream
        Its name, the metrics' only dimension.
    """

    def __init__(self, delivery_stream: str) -> None:
        self.dimensions = {"DeliveryStreamName": delivery_stream}
        self.gathered: dict[str, dict[str, float]] = {}
        self.published = 0.0

    def add(self, metric: str, value: float) -> None:
        """Take in one observation of a metric, in its unit."""
        one = {"SampleCount": 1.0, "Sum": value, "Minimum": value, "Maximum": value}
        held = self.gathered.get(metric)
        self.gathered[metric] = one if held is None else merged(held, one)

    def publish(self, at_once: bool = False) -> None:
        """Hand over what was gathered, when it is time."""
        now = time.monotonic()
        if self.gathered and (at_once or now - self.published >= PUBLISH_S):
            calls.on_loop(store, self.dimensions, self.gathered)
            self.gathered, self.published = {}, now


def merged(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Return CloudWatch's statistic set of two sets of observations."""
    return {
        "SampleCount": one["SampleCount"] + other["SampleCount"],
        "Sum": one["Sum"] + other["Sum"],
        "Minimum": min(one["Minimum"], other["Minimum"]),
        "Maximum": max(one["Maximum"], other["Maximum"]),
    }


def store(dimensions: Mapping[str, str], gathered: Mapping[str, Mapping[str, float]]) -> None:
    """Add statistic sets to the current minute of each metric, and forget what is older than KEPT_S.

    One point for each minute, as AWS has it: PutMetricData would keep a point of each call, and snapshots them.
    To be called on the event loop's thread.
    """
    from ministack.services import cloudwatch

    minute = time.time() // PERIOD_S * PERIOD_S
    for metric, statistics in gathered.items():
        points: list[dict[str, Any]] = cloudwatch._metric_bucket(
            (NAMESPACE, metric, cloudwatch._dims_key(dimensions))
        )
        if points and points[-1]["Timestamp"] == minute:
            statistics = merged(points.pop()["_stat"], statistics)
        while points and points[0]["Timestamp"] < minute - KEPT_S:
            del points[0]
        points.append(
            {
                "Timestamp": minute,
                "Unit": UNITS[metric],
                "Dimensions": dict(dimensions),
                "Value": statistics["Sum"] / statistics["SampleCount"],
                "_stat": dict(statistics),
            }
        )
