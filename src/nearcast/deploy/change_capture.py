"""The table's changes, which DynamoDB sends to Kinesis: without them nothing would ever arrive."""

from __future__ import annotations

import time
from typing import Any

from nearcast.aws import client
from nearcast.deploy.connection import POLL_S
from nearcast.errors import DeployError
from nearcast.settings import Settings

STARTED = ("ACTIVE", "ENABLING", "UPDATING")
CHANGING = ("DISABLING", "ENABLING", "UPDATING")


def start_change_capture(settings: Settings, table: str, stream: str, adopted: bool) -> None:
    """Make sure that the table's changes go to the stream.

    Parameters
    ----------
    adopted
        The table was taken over as it was. If its stack was not deleted by `nearcast destroy`, its destination may
        be the stream of the same name that went with it.

    Raises
    ------
    DeployError
        DynamoDB cannot send them.
    """
    dynamodb = client("dynamodb", settings)
    destinations = _destinations(dynamodb, table)
    if not adopted and {*STARTED} & {*destinations.values()}:
        return
    summary = client("kinesis", settings).describe_stream_summary(StreamName=stream)
    request = {"TableName": table, "StreamArn": summary["StreamDescriptionSummary"]["StreamARN"]}
    stop_change_capture(settings, table)
    dynamodb.enable_kinesis_streaming_destination(**request)
    if (status := _settled(settings, **request)) != "ACTIVE":
        raise DeployError(
            f"The changes of the table {table} do not go to {request['StreamArn']}: {status}.",
            kept="The stack of the stream is deployed.",
            todo="Run `nearcast deploy` again; see the table's Exports and streams in the DynamoDB console.",
        )


def stop_change_capture(settings: Settings, table: str) -> None:
    """Send a table's changes nowhere any more: the stream is about to go, or went."""
    dynamodb = client("dynamodb", settings)
    for stream_arn, status in _destinations(dynamodb, table).items():
        if status in STARTED:
            request = {"TableName": table, "StreamArn": stream_arn}
            dynamodb.disable_kinesis_streaming_destination(**request)
            _settled(settings, **request)


def _destinations(dynamodb: Any, table: str) -> dict[str, str]:
    """Return the status of each stream that a table's changes go to, or went to."""
    answer = dynamodb.describe_kinesis_streaming_destination(TableName=table)
    return {one["StreamArn"]: one["DestinationStatus"] for one in answer["KinesisDataStreamDestinations"]}


def _settled(settings: Settings, TableName: str, StreamArn: str) -> str:  # noqa: N803 (boto3's names)
    while True:
        status = _destinations(client("dynamodb", settings), TableName).get(StreamArn, "DISABLED")
        if status not in CHANGING:
            return status
        time.sleep(POLL_S[settings.target])
