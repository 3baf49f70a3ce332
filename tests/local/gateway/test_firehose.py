"""Firehose delivery through boto3: from DynamoDB's changes to objects, as AWS documents it."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from nearcast.aws import client
from nearcast.local.gateway.firehose_settings import evaluate_prefix, read_settings
from nearcast.settings import Settings
from tests.conftest import eventually

MOMENT = time.gmtime(1687368186)


def item(symbol: str, date: str, **changed: str) -> dict[str, dict[str, str]]:
    """Return an item of the prices table."""
    numbers = dict.fromkeys(("open_price", "high_price", "low_price", "close_price"), "1.5")
    numbers |= {"volume": "10", "version": "1", **changed}
    key = {"stock_symbol": {"S": symbol}, "date": {"S": date}}
    return key | {name: {"N": value} for name, value in numbers.items()}


def put(settings: Settings, *items: dict[str, Any]) -> None:
    """Put items into the prices table."""
    dynamodb = client("dynamodb", settings)
    for one in items:
        dynamodb.put_item(TableName=settings.need("prices_table"), Item=one)


def bodies(settings: Settings, prefix: str) -> dict[str, bytes]:
    """Return the objects under a prefix of the raw bucket."""
    s3, bucket = client("s3", settings), settings.need("raw_bucket")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def test_changes_arrive_once_in_the_folder_of_their_month_and_the_queue_tells_of_them(
    deployed: Settings,
) -> None:
    days = [f"2001-{month:02d}-{day:02d}" for month in (1, 2) for day in range(1, 21)]
    put(deployed, *(item("FIRE", day) for day in days))

    def arrived() -> dict[str, list[str]] | None:
        by_folder: dict[str, list[str]] = {}
        for key, body in bodies(deployed, "prices/year=2001/").items():
            folder = key.rpartition("/")[0]
            by_folder.setdefault(folder, []).extend(json.loads(line)["date"] for line in body.splitlines())
        return by_folder if sum(map(len, by_folder.values())) >= len(days) else None

    folders = eventually(arrived)
    assert sorted(folders) == ["prices/year=2001/month=01", "prices/year=2001/month=02"]
    assert sorted(day for found in folders.values() for day in found) == days
    assert all(day[5:7] == folder[-2:] for folder, found in folders.items() for day in found)
    sqs = client("sqs", deployed)
    answer = sqs.get_queue_attributes(
        QueueUrl=deployed.need("raw_queue_url"), AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert int(answer["Attributes"]["ApproximateNumberOfMessages"]) >= 2


def test_a_record_that_fails_goes_to_the_error_prefix_in_firehoses_json(deployed: Settings) -> None:
    put(deployed, item("BAD", "nodate"), item("GOOD", "2002-01-02"))
    eventually(lambda: bodies(deployed, "prices/year=2002/"))
    failed = eventually(lambda: bodies(deployed, "errors/processing-failed/"))
    lines = [json.loads(line) for body in failed.values() for line in body.splitlines()]
    assert {line["errorCode"] for line in lines} == {"Lambda.ProcessingFailedStatus"}
    raw = [json.loads(base64.b64decode(line["rawData"])) for line in lines]
    assert [change["dynamodb"]["Keys"]["date"]["S"] for change in raw].count("nodate") == 1


def test_the_buffer_interval_is_honoured(deployed: Settings) -> None:
    """Two records within the second that Firehose gathers become one object."""
    put(deployed, item("BUF", "2003-05-01"), item("BUF", "2003-05-02"))
    found = eventually(lambda: bodies(deployed, "prices/year=2003/"))
    assert sum(body.count(b"\n") for body in found.values()) == 2
    assert len(found) == 1


def test_the_settings_are_those_that_were_deployed(deployed: Settings) -> None:
    answer = client("firehose", deployed).describe_delivery_stream(
        DeliveryStreamName=deployed.need("delivery_stream")
    )
    settings = read_settings(answer["DeliveryStreamDescription"])
    assert settings is not None
    assert (settings.buffer_seconds, settings.buffer_bytes) == (1.0, 64 << 20)
    assert (settings.lambda_buffer_seconds, settings.lambda_retries) == (0.0, 3)
    assert settings.bucket == deployed.need("raw_bucket")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("p/year=!{partitionKeyFromLambda:year}/", "p/year=2023/"),
        ("e/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/", "e/processing-failed/2023/06/21/"),
        ("p/!{timestamp:yyyy}/day=!{timestamp:dd}T!{timestamp:HH}/", "p/2023/day=21T17/"),
    ],
)
def test_prefixes_are_evaluated_as_documented(template: str, expected: str) -> None:
    assert evaluate_prefix(template, MOMENT, {"year": "2023"}, "processing-failed") == expected


def test_a_partition_key_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        evaluate_prefix("!{partitionKeyFromLambda:month}/", MOMENT, {"year": "2023"})
