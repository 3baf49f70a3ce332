"""Firehose's data transformation: a batch of records through the Lambda, and what becomes of each."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nearcast.local.gateway import calls
from nearcast.local.gateway.firehose_settings import DeliverySettings, evaluate_prefix
from nearcast.local.gateway.hooks import AwsError
from nearcast.log import get_logger

log = get_logger("firehose")


@dataclass(frozen=True)
class StreamRecord:
    """A record of the Kinesis source; ``data`` is base64, ``arrival_ms`` milliseconds since 1970."""

    shard_id: str
    sequence_number: str
    partition_key: str
    data: str
    arrival_ms: int


@dataclass(frozen=True)
class Delivered:
    """Bytes to append to an object under ``prefix``."""

    prefix: str
    body: bytes


def transform(settings: DeliverySettings, batch: list[StreamRecord], region: str) -> Iterator[Delivered]:
    """Yield what of ``batch`` goes where: good records under the prefix, failed ones under the error prefix.

    Event and answer: docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
    """
    moment = time.gmtime()
    if settings.lambda_arn is None:
        for record in batch:
            yield Delivered(evaluate_prefix(settings.prefix, moment, {}), base64.b64decode(record.data))
        return
    answers, error = _invoke(settings, batch, region)
    for position, record in enumerate(batch):
        answer = answers.get(_record_id(position, record))
        if answer is not None and answer.get("result") == "Dropped":
            continue
        yield _place(settings, record, answer, error, moment)


def _record_id(position: int, record: StreamRecord) -> str:
    return f"{record.sequence_number}{position:06d}"


def _event(settings: DeliverySettings, batch: list[StreamRecord], region: str) -> bytes:
    records = [
        {
            "recordId": _record_id(position, record),
            "approximateArrivalTimestamp": record.arrival_ms,
            "data": record.data,
            "kinesisRecordMetadata": {
                "sequenceNumber": record.sequence_number,
                "subsequenceNumber": 0,
                "partitionKey": record.partition_key,
                "shardId": record.shard_id,
                "approximateArrivalTimestamp": record.arrival_ms,
            },
        }
        for position, record in enumerate(batch)
    ]
    document = {
        "invocationId": str(uuid.uuid4()),
        "sourceKinesisStreamArn": settings.stream_arn,
        "deliveryStreamArn": settings.arn,
        "region": region,
        "records": records,
    }
    return json.dumps(document).encode()


def _invoke(
    settings: DeliverySettings, batch: list[StreamRecord], region: str
) -> tuple[dict[str, dict[str, Any]], str]:
    """Return the answers by record id; or none, and the last error, when every try failed."""
    payload = _event(settings, batch, region)
    error = ""
    for attempt in range(settings.lambda_retries + 1):
        try:
            answer = json.loads(calls.invoke(str(settings.lambda_arn), payload))
            return {item["recordId"]: item for item in answer["records"]}, ""
        except (AwsError, ValueError, KeyError, TypeError) as failure:
            error = f"{type(failure).__name__}: {failure}"
            log.warning("lambda failed", attempt=attempt + 1, records=len(batch), error=error)
            time.sleep(min(0.2 * 2**attempt, 5.0))
    return {}, error


def _place(
    settings: DeliverySettings,
    record: StreamRecord,
    answer: dict[str, Any] | None,
    error: str,
    moment: time.struct_time,
) -> Delivered:
    result = answer.get("result") if answer else None
    if answer is not None and result == "Ok":
        try:
            keys = (answer.get("metadata") or {}).get("partitionKeys") or {}
            return Delivered(
                evaluate_prefix(settings.prefix, moment, keys),
                base64.b64decode(answer["data"], validate=True),
            )
        except KeyError as missing:
            code, text = "DynamicPartitioning.MetadataExtractionFailed", f"no partition key {missing}"
            return _failed(settings, record, "dynamic-partitioning-failed", code, text, moment)
        except ValueError as wrong:
            code, text = "Lambda.InvalidDataFormat", f"data is not base64: {wrong}"
            return _failed(settings, record, "processing-failed", code, text, moment)
    if error:
        code, text = "Lambda.FunctionError", error
    elif result == "ProcessingFailed":
        code, text = "Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record"
    else:
        code, text = "Lambda.MissingRecordId", "the answer has no valid result for this record"
    return _failed(settings, record, "processing-failed", code, text, moment)


def _failed(
    settings: DeliverySettings,
    record: StreamRecord,
    error_type: str,
    code: str,
    message: str,
    moment: time.struct_time,
) -> Delivered:
    """Return the failed record in the JSON that Firehose documents, under the error prefix."""
    document = {
        "attemptsMade": settings.lambda_retries + 1 if code == "Lambda.FunctionError" else 1,
        "arrivalTimestamp": record.arrival_ms,
        "errorCode": code,
        "errorMessage": message[:1000],
        "attemptEndingTimestamp": int(time.time() * 1000),
        "rawData": record.data,
        "lambdaArn": settings.lambda_arn,
    }
    prefix = evaluate_prefix(settings.error_prefix, moment, {}, error_type)
    return Delivered(prefix, json.dumps(document).encode() + b"\n")
