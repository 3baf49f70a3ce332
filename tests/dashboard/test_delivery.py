"""The delivery stream's figures, from CloudWatch's answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from nearcast.aws import client
from nearcast.dashboard.delivery import METRICS, Delivery, delivery_html, read_delivery
from nearcast.settings import Settings

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
REQUEST = {"MetricDataQueries": ANY, "StartTime": ANY, "EndTime": ANY}


@pytest.fixture
def cloudwatch(aws: Settings) -> Iterator[Stubber]:
    """CloudWatch's answers."""
    with Stubber(client("cloudwatch", aws)) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def answer(points: dict[str, list[float]]) -> dict[str, Any]:
    """Return GetMetricData's answer with a point a minute, the newest first as CloudWatch has them."""
    return {
        "MetricDataResults": [
            {
                "Id": name,
                "Timestamps": [NOON - timedelta(minutes=age) for age in range(len(points.get(name, [])))],
                "Values": points.get(name, []),
            }
            for name in METRICS
        ]
    }


def test_counts_are_sums_and_freshness_and_partitions_the_newest(aws: Settings, cloudwatch: Stubber) -> None:
    points: dict[str, list[float]] = {
        "read": [10, 20],
        "transformed": [9, 20],
        "delivered": [8, 20],
        "invocations": [3, 1],
        "succeeded": [2, 1],
        "freshness": [1.5, 9.0],
        "partitions": [4, 7],
    }
    cloudwatch.add_response("get_metric_data", answer(points), REQUEST)
    found = read_delivery(aws)
    assert found == Delivery(30, 29, 28, 4, 3, 1.5, 4)
    shown = delivery_html(found)
    for text in (
        "28 records",
        "30 read",
        "1 of them in hand",
        "75.0% succeeded",
        "1 failed",
        "1.5 s",
        "4 active",
    ):
        assert text in shown


def test_an_hour_without_records_is_no_problem(aws: Settings, cloudwatch: Stubber) -> None:
    cloudwatch.add_response("get_metric_data", answer({}), REQUEST)
    found = read_delivery(aws)
    assert found == Delivery()
    assert "0 records" in delivery_html(found) and "nothing was delivered" in delivery_html(found)


def test_a_failed_request_is_a_problem_not_a_zero(aws: Settings, cloudwatch: Stubber) -> None:
    cloudwatch.add_client_error("get_metric_data", "AccessDenied", "not <yours>", expected_params=REQUEST)
    found = read_delivery(aws)
    assert "not <yours>" in found.problem and "not &lt;yours&gt;" in delivery_html(found)


def test_without_a_delivery_stream_it_says_what_to_do() -> None:
    assert "nearcast deploy" in read_delivery(Settings()).problem
