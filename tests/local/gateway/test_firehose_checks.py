"""Delivery streams that AWS refuses, or that are not delivered here, are refused with AWS's error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from nearcast.local.gateway.firehose_checks import InvalidArgumentError, check_destination
from nearcast.local.gateway.firehose_settings import read_settings
from tests.local.gateway.conftest import Gateway
from tests.local.gateway.delivery import ROLE, processing, processor

LAMBDA = processor("Lambda", LambdaArn="arn:aws:lambda:us-east-1:000000000000:function:f")
PARTITIONED: dict[str, Any] = {
    "Prefix": "y=!{partitionKeyFromLambda:year}/",
    "ErrorOutputPrefix": "e/!{firehose:error-output-type}/",
    "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 1},
    "DynamicPartitioningConfiguration": {"Enabled": True},
    "ProcessingConfiguration": processing(LAMBDA),
}


@pytest.mark.parametrize(
    "config",
    [
        {},
        PARTITIONED,
        # As CloudFormation hands them over.
        {
            **PARTITIONED,
            "BufferingHints": {"SizeInMBs": "64", "IntervalInSeconds": "60"},
            "DynamicPartitioningConfiguration": {
                "Enabled": "true",
                "RetryOptions": {"DurationInSeconds": "300"},
            },
        },
        {"Prefix": "p/!{timestamp:yyyy'T'MM}/", "ErrorOutputPrefix": "e/!{firehose:error-output-type}"},
        {"ProcessingConfiguration": processing(processor("AppendDelimiterToRecord"))},
        {"ProcessingConfiguration": {"Enabled": False, "Processors": [processor("Decompression")]}},
        {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}},
    ],
)
def test_what_can_be_delivered_is_accepted(config: dict[str, Any]) -> None:
    check_destination(config)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"CompressionFormat": "GZIP"}, "CompressionFormat GZIP"),
        ({"S3BackupMode": "Enabled"}, "S3BackupMode"),
        ({"CustomTimeZone": "America/New_York"}, "CustomTimeZone"),
        ({"FileExtension": ".json"}, "FileExtension"),
        ({"EncryptionConfiguration": {"KMSEncryptionConfig": {"AWSKMSKeyARN": "k"}}}, "KMS"),
        ({"DataFormatConversionConfiguration": {"Enabled": True}}, "DataFormatConversion"),
        ({"BufferingHints": {"SizeInMBs": 129}}, "between 1 and 128"),
        ({"BufferingHints": {"IntervalInSeconds": "901"}}, "between 0 and 900"),
        ({"BufferingHints": {"SizeInMBs": "many"}}, "must be a number"),
        ({**PARTITIONED, "BufferingHints": {"SizeInMBs": 63, "IntervalInSeconds": 60}}, "at least 64"),
        ({**PARTITIONED, "BufferingHints": {"IntervalInSeconds": 60}}, "at least 64"),
        ({**PARTITIONED, "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 0}}, "Zero buffering"),
        ({**PARTITIONED, "ErrorOutputPrefix": None}, "ErrorOutputPrefix cannot be null"),
        ({**PARTITIONED, "ErrorOutputPrefix": "e/!{timestamp:yyyy}/"}, "error-output-type"),
        ({**PARTITIONED, "Prefix": "plain/"}, "needs a Prefix"),
        ({**PARTITIONED, "DynamicPartitioningConfiguration": {"Enabled": False}}, "must be enabled"),
        ({**PARTITIONED, "ProcessingConfiguration": {"Enabled": False}}, "needs a Lambda"),
        ({**PARTITIONED, "Prefix": "y=!{partitionKeyFromQuery:year}/"}, "partitionKeyFromQuery"),
        ({**PARTITIONED, "Prefix": "y=!{partitionKeyFromLambda year}/"}, "cannot be read"),
        ({"Prefix": "!{firehose:error-output-type}/", "ErrorOutputPrefix": "e/"}, "cannot contain"),
        (
            {"Prefix": "!{timestamp:EEE}/", "ErrorOutputPrefix": "e/!{firehose:error-output-type}/"},
            "EEE is not",
        ),
        (
            {"Prefix": "!{firehose:x}/", "ErrorOutputPrefix": "e/!{firehose:error-output-type}/"},
            "unknown",
        ),
        ({"ProcessingConfiguration": processing(processor("RecordDeAggregation"))}, "RecordDeAggregation"),
        ({"ProcessingConfiguration": processing(processor("MetadataExtraction"))}, "MetadataExtraction"),
        ({"ProcessingConfiguration": processing(LAMBDA, LAMBDA)}, "Only one Lambda"),
        ({"ProcessingConfiguration": processing(processor("Lambda"))}, "needs a LambdaArn"),
        (
            {
                "ProcessingConfiguration": processing(
                    processor("Lambda", LambdaArn="a", NumberOfRetries="301")
                )
            },
            "between 0 and 300",
        ),
        (
            {"ProcessingConfiguration": processing(processor("Lambda", LambdaArn="a", BufferSizeInMBs="4"))},
            "between 0.2 and 3",
        ),
        (
            {"ProcessingConfiguration": processing(processor("Lambda", LambdaArn="a", Delimiter="x"))},
            "no parameter Delimiter",
        ),
    ],
)
def test_what_cannot_be_delivered_as_asked_is_refused(config: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidArgumentError, match=says):
        check_destination(config)


def request(**extended: Any) -> dict[str, Any]:
    """Return CreateDeliveryStream's request."""
    return {
        "DeliveryStreamName": "refused",
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {
            "KinesisStreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/any",
            "RoleARN": ROLE,
        },
        "ExtendedS3DestinationConfiguration": {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::any", **extended},
    }


def test_a_refused_delivery_stream_is_not_there_afterwards(gateway: Gateway) -> None:
    firehose = gateway.client("firehose")
    with pytest.raises(ClientError, match="GZIP is not supported") as refused:
        firehose.create_delivery_stream(**request(CompressionFormat="GZIP"))
    assert refused.value.response["Error"]["Code"] == "InvalidArgumentException"
    assert "refused" not in firehose.list_delivery_streams(Limit=100)["DeliveryStreamNames"]


def test_a_stack_with_a_refused_delivery_stream_fails_and_says_why(gateway: Gateway) -> None:
    properties = request(BufferingHints={"SizeInMBs": 500})
    template = {
        "Resources": {"D": {"Type": "AWS::KinesisFirehose::DeliveryStream", "Properties": properties}}
    }
    cloudformation = gateway.client("cloudformation")
    cloudformation.create_stack(StackName="refused", TemplateBody=json.dumps(template))
    with pytest.raises(WaiterError):
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName="refused", WaiterConfig={"Delay": 1, "MaxAttempts": 20}
        )
    events = cloudformation.describe_stack_events(StackName="refused")["StackEvents"]
    assert any("between 1 and 128" in event.get("ResourceStatusReason", "") for event in events)
    cloudformation.delete_stack(StackName="refused")


def test_prefixes_that_say_no_place_or_kind_get_firehoses_own() -> None:
    description = {
        "DeliveryStreamName": "d",
        "DeliveryStreamARN": "arn",
        "VersionId": "1",
        "Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": "arn:stream/s"}},
        "Destinations": [
            {"ExtendedS3DestinationDescription": {"BucketARN": "arn:aws:s3:::b", "Prefix": "mine/"}}
        ],
    }
    settings = read_settings(description)
    assert settings is not None
    assert settings.prefix == "mine/!{timestamp:yyyy/MM/dd/HH/}"
    assert settings.error_prefix == "mine/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH/}"
    assert (settings.buffer_bytes, settings.buffer_seconds, settings.delimiter) == (5 << 20, 300.0, b"")
