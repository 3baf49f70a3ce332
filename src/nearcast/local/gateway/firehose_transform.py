"""Firehose's data transformation: a batch of records through the Lambda, and what becomes of each."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nearcast.local.gateway import calls
from nearcast.local.gateway.firehose_counters import Counters
from nearcast.local.gateway.firehose_settings import DeliverySettings, evaluate_prefix
from nearcast.local.gateway.hooks import AwsError
from nearcast.log import get_logger

PAYLOAD_BYTES = 6 * (1 << 20)
"""Bytes of a Lambda's event, and of its answer, at most."""
ENVELOPE_BYTES = 420
"""Bytes that a record takes in the event besides its data."""
INVOCATION_S = 300.0
LONGEST_PREFIX = 512
PROCESSING = "processing-failed"
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
log = get_logger("firehose")

# Firehose's words: docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html
MESSAGES = {
    "Lambda.FunctionError": "The Lambda function was successfully invoked but it returned an error result",
    "Lambda.FunctionTimedOut": "The Lambda function invocation timed out. Increase the Timeout setting in the"
    " Lambda function.",
    "Lambda.JsonProcessingException": "There was an error parsing returned records from the Lambda function. Ensure"
    " that the returned records follow the status model required by Firehose.",
    "Lambda.MissingRecordId": "One or more record IDs were not returned. Ensure that the Lambda function returns all"
    " received record IDs.",
    "Lambda.DuplicatedRecordId": "Multiple records were returned with the same record ID. Ensure that the Lambda"
    " function returns unique record IDs for each record.",
    "Lambda.ProcessingFailedStatus": "ProcessingFailed status set for record",
}
REFUSALS = {
    "ResourceNotFoundException": "Lambda.ResourceNotFound",
    "AccessDeniedException": "Lambda.InvokeAccessDenied",
    "TooManyRequestsException": "Lambda.InvokeLimitExceeded",
}


@dataclass(frozen=True)
class StreamRecord:
    """A record of the Kinesis source; ``data`` is base64, ``arrival_ms`` milliseconds since 1970."""

    shard_id: str
    sequence_number: str
    partition_key: str
    data: str
    arrival_ms: int


@dataclass(frozen=True)
class Outcome:
    """Bytes for an object of the partition with these keys, or of failures of a type."""

    body: bytes
    partition_keys: Mapping[str, str] = field(default_factory=dict)
    error_type: str = ""


@dataclass(frozen=True)
class Answers:
    """What the Lambda said: its records by ID, and the IDs given twice; or why it said nothing of use."""

    attempts: int
    records: Mapping[str, Any] = field(default_factory=dict)
    duplicated: frozenset[str] = frozenset()
    code: str = ""
    message: str = ""


def transform(
    settings: DeliverySettings, batch: list[StreamRecord], region: str, counters: Counters
) -> list[Outcome | None]:
    """Return what becomes of each record of ``batch``, in its order; None: it was dropped.

    Event and answer: docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
    """
    if settings.lambda_arn is None:
        return [Outcome(base64.b64decode(record.data) + settings.delimiter) for record in batch]
    answers = _invoke(settings, batch, region, counters)
    outcomes = [
        _outcome(settings, record, _record_id(position, record), answers)
        for position, record in enumerate(batch)
    ]
    good = [outcome for outcome in outcomes if outcome is None or not outcome.error_type]
    counters.add("SucceedProcessing.Records", len(good))
    counters.add("SucceedProcessing.Bytes", sum(len(outcome.body) for outcome in good if outcome))
    return outcomes


def event_bytes(record: StreamRecord) -> int:
    """Return how much of a Lambda's event a record takes, in bytes."""
    return len(record.data) + ENVELOPE_BYTES


def _record_id(position: int, record: StreamRecord) -> str:
    return f"{record.sequence_number}{position:06d}"


def _event_records(batch: list[StreamRecord]) -> list[dict[str, Any]]:
    return [
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


def _invoke(
    settings: DeliverySettings, batch: list[StreamRecord], region: str, counters: Counters
) -> Answers:
    """Invoke the Lambda until it answers, or the retries are used up; each time with a new invocation ID."""
    event = {
        "sourceKinesisStreamArn": settings.stream_arn,
        "deliveryStreamArn": settings.arn,
        "region": region,
        "records": _event_records(batch),
    }
    attempt = 0
    while True:
        attempt += 1
        payload = json.dumps({"invocationId": str(uuid.uuid4()), **event}).encode()
        started = time.monotonic()
        try:
            answer = _answer(settings, payload)
        except Exception as error:
            # Whatever the Lambda's side raises: a batch must not hold up its stream for ever.
            counters.add("ExecuteProcessing.Success", 0)
            code, message = _reason(error)
            log.warning("lambda failed", attempt=attempt, records=len(batch), code=code, error=str(error))
            if attempt > settings.lambda_retries:
                return Answers(attempt, code=code, message=message)
            time.sleep(min(0.1 * 2**attempt, 5.0))
            continue
        counters.add("ExecuteProcessing.Success", 1)
        counters.add("ExecuteProcessing.Duration", (time.monotonic() - started) * 1000)
        return _parse(answer, attempt)


def _answer(settings: DeliverySettings, payload: bytes) -> bytes:
    answer = calls.invoke(str(settings.lambda_arn), payload, INVOCATION_S)
    if len(answer) > PAYLOAD_BYTES:
        # ministack hands it over; Lambda itself would not.
        raise AwsError("Lambda.FunctionError", f"Response payload size exceeded {PAYLOAD_BYTES} bytes.")
    return answer


def _reason(error: Exception) -> tuple[str, str]:
    """Return Firehose's code and message for a failed invocation."""
    if isinstance(error, TimeoutError) or "Task timed out" in str(error):
        return "Lambda.FunctionTimedOut", MESSAGES["Lambda.FunctionTimedOut"]
    if isinstance(error, AwsError) and error.code in REFUSALS:
        return REFUSALS[error.code], str(error)
    return "Lambda.FunctionError", f"{MESSAGES['Lambda.FunctionError']}: {error}"


def _parse(answer: bytes, attempts: int) -> Answers:
    try:
        records = json.loads(answer)["records"]
        by_id = {record["recordId"]: record for record in records}
        counts = Counter(record["recordId"] for record in records) if len(by_id) < len(records) else {}
    except (ValueError, KeyError, TypeError) as error:
        code = "Lambda.JsonProcessingException"
        log.warning("lambda's answer cannot be read", error=f"{type(error).__name__}: {error}")
        return Answers(attempts, code=code, message=MESSAGES[code])
    return Answers(attempts, by_id, frozenset(name for name, count in counts.items() if count > 1))


def _outcome(
    settings: DeliverySettings, record: StreamRecord, record_id: str, answers: Answers
) -> Outcome | None:
    answer: Any = answers.records.get(record_id)
    code = answers.code or _fault(answer, record_id in answers.duplicated)
    if code:
        message = answers.message or MESSAGES[code]
        return failed(settings, record, PROCESSING, code, message, answers.attempts)
    if answer["result"] == "Dropped":
        return None
    try:
        keys = _partition_keys(settings, answer)
    except ValueError as error:
        code = "DynamicPartitioning.MetadataExtractionFailed"
        return failed(settings, record, PROCESSING, code, str(error), answers.attempts)
    return Outcome(base64.b64decode(answer["data"]) + settings.delimiter, keys)


def _fault(answer: Any, duplicated: bool) -> str:
    """Return the code of what is wrong with a record of the answer; empty: nothing."""
    if answer is None:
        return "Lambda.MissingRecordId"
    if duplicated:
        return "Lambda.DuplicatedRecordId"
    result = answer.get("result")
    if result == "ProcessingFailed":
        return "Lambda.ProcessingFailedStatus"
    if result == "Dropped" or (result == "Ok" and _is_base64(answer.get("data"))):
        return ""
    return "Lambda.JsonProcessingException"


def _is_base64(data: Any) -> bool:
    try:
        base64.b64decode(data, validate=True)
    except (ValueError, TypeError):
        return False
    return True


def _partition_keys(settings: DeliverySettings, answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys that the prefix is made of. Raises ValueError when one cannot be part of an object's key."""
    given = (answer.get("metadata") or {}).get("partitionKeys") or {}
    keys = {name: _partition_value(name, given.get(name)) for name in settings.partition_keys}
    length = len(settings.prefix) + sum(map(len, keys.values()))
    if length > LONGEST_PREFIX:
        length = len(evaluate_prefix(settings.prefix, time.gmtime(0), keys))
        if length > LONGEST_PREFIX:
            raise ValueError(f"The prefix has {length} characters, more than {LONGEST_PREFIX}.")
    return keys


def _partition_value(name: str, value: Any) -> str:
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not text:
        raise ValueError(f"The partition key {name} is missing, empty or not a string.")
    if _NO_TEXT.search(text):
        raise ValueError(f"The partition key {name} has a control character or is not UTF-8: {text!a}.")
    return text


def failed(
    settings: DeliverySettings,
    record: StreamRecord,
    error_type: str,
    code: str,
    message: str,
    attempts: int,
) -> Outcome:
    """Return a failed record in the JSON that Firehose documents, for the error prefix.

    Source: docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
    """
    document = {
        "attemptsMade": attempts,
        "arrivalTimestamp": record.arrival_ms,
        "errorCode": code,
        "errorMessage": message[:1000],
        "attemptEndingTimestamp": int(time.time() * 1000),
        "rawData": record.data,
        "lambdaArn": settings.lambda_arn,
    }
    return Outcome(json.dumps(document).encode() + b"\n", error_type=error_type)
