"""How the delivery stream fared in the last hour, from Firehose's own metrics in CloudWatch.

Source: docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from nearcast.aws import client
from nearcast.dashboard.cards import Card, cards
from nearcast.errors import NearcastError
from nearcast.settings import Settings

EVERY_S = 10.0
WINDOW = timedelta(hours=1)
PERIOD_S = 60
METRICS = {
    "read": ("DataReadFromKinesisStream.Records", "Sum"),
    "transformed": ("SucceedProcessing.Records", "Sum"),
    "delivered": ("DeliveryToS3.Records", "Sum"),
    "invocations": ("ExecuteProcessing.Success", "SampleCount"),
    "succeeded": ("ExecuteProcessing.Success", "Sum"),
    "freshness": ("DeliveryToS3.DataFreshness", "Maximum"),
    "partitions": ("PartitionCount", "Maximum"),
}


@dataclass(frozen=True)
class Delivery:
    """Records and invocations of the last hour, or why they cannot be told (``problem``).

    Parameters
    ----------
    transformed
        Records that the Lambda handled, those that it dropped among them.
    freshness_s
        Age of the oldest record at its delivery, seconds, in the newest minute with one; None: there is none.
    partitions
        Active partitions at most, in the newest minute with any.
    """

    read: int = 0
    transformed: int = 0
    delivered: int = 0
    invocations: int = 0
    succeeded: int = 0
    freshness_s: float | None = None
    partitions: int = 0
    problem: str = ""


def read_delivery(settings: Settings) -> Delivery:
    """Read the metrics with one request; a failure is a value too."""
    from botocore.exceptions import BotoCoreError, ClientError

    now = datetime.now(UTC)
    try:
        answer = client("cloudwatch", settings).get_metric_data(
            MetricDataQueries=_queries(settings.need("delivery_stream")),
            StartTime=now - WINDOW,
            EndTime=now + timedelta(seconds=PERIOD_S),
        )
    except NearcastError:
        return Delivery(problem="no delivery stream yet: nearcast deploy")
    except (BotoCoreError, ClientError) as error:
        return Delivery(problem=f"CloudWatch cannot be read: {error}")
    points = {
        result["Id"]: [value for _, value in sorted(zip(result["Timestamps"], result["Values"], strict=True))]
        for result in answer["MetricDataResults"]
    }
    return Delivery(
        read=int(sum(points["read"])),
        transformed=int(sum(points["transformed"])),
        delivered=int(sum(points["delivered"])),
        invocations=int(sum(points["invocations"])),
        succeeded=int(sum(points["succeeded"])),
        freshness_s=points["freshness"][-1] if points["freshness"] else None,
        partitions=int(points["partitions"][-1]) if points["partitions"] else 0,
    )


def _queries(delivery_stream: str) -> list[dict[str, Any]]:
    dimensions = [{"Name": "DeliveryStreamName", "Value": delivery_stream}]
    return [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {"Namespace": "AWS/Firehose", "MetricName": metric, "Dimensions": dimensions},
                "Period": PERIOD_S,
                "Stat": statistic,
            },
        }
        for name, (metric, statistic) in METRICS.items()
    ]


def delivery_html(delivery: Delivery | None) -> str:
    """Return the cards of the delivery stream."""
    if delivery is None:
        return cards("nc-delivery", [Card("Delivery, last hour", "…", ["being read"])])
    if delivery.problem:
        return cards("nc-delivery", [Card("Delivery, last hour", "?", [delivery.problem], tone="warn")])
    return cards(
        "nc-delivery",
        [_records_card(delivery), _lambda_card(delivery), _freshness_card(delivery)],
    )


def _records_card(delivery: Delivery) -> Card:
    rest = max(0, delivery.read - delivery.transformed)
    notes = [f"{delivery.read:,} read from Kinesis, {rest:,} of them in hand or failed"]
    return Card("Delivery to S3, last hour", f"{delivery.delivered:,} records", notes)


def _lambda_card(delivery: Delivery) -> Card:
    title = "Lambda invocations, last hour"
    if not delivery.invocations:
        return Card(title, "–", ["none"])
    failed = delivery.invocations - delivery.succeeded
    notes = [f"{delivery.succeeded / delivery.invocations:.1%} succeeded"]
    return Card(
        title,
        f"{delivery.invocations:,}",
        [*notes, f"{failed:,} failed" if failed else ""],
        tone="warn" if failed else "",
    )


def _freshness_card(delivery: Delivery) -> Card:
    partitions = f"{delivery.partitions:,} active partitions at the last batch"
    if delivery.freshness_s is None:
        return Card("Freshness at delivery", "–", ["nothing was delivered"])
    return Card("Freshness at delivery", f"{delivery.freshness_s:.1f} s", [partitions])
