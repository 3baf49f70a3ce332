"""Failed records again, once their cause is mended: from the error prefix and the dead-letter queue.

A change record that the deployed Lambda takes now goes back to the Kinesis stream, a raw line that the Hudi job
takes now becomes a raw object again. An error object is rewritten only after its passing records are sent, so
an interruption, or a second redrive at the same time, loses nothing and at most repeats: the lake keeps the
newest version of a row.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from nearcast.aws import client
from nearcast.errors import LakeError
from nearcast.lake.counts import ERROR_PREFIX, RAW_PREFIX
from nearcast.settings import Settings

HUDI_JOB_PREFIX = f"{ERROR_PREFIX}hudi-job-failed/"
THREADS = 16
ROUND_OBJECTS, ROUND_BYTES = 500, 32 << 20
"""How much is held in memory at once; a larger object comes alone."""
LAMBDA_RECORDS, LAMBDA_BYTES = 500, 3 << 20
"""A synchronous invocation takes 6 MB, and its answer may be larger than its event."""
STREAM_RECORDS, STREAM_BYTES = 500, 4 << 20
"""PutRecords takes 500 records and 5 MiB (docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html)."""
ATTEMPTS = 12
T = TypeVar("T")
R = TypeVar("R")
KEPT = "Error records that were not put back lie under the error prefix as before."


@dataclass(frozen=True)
class Reason:
    """Why records still fail: how many, and one of the objects that hold them."""

    reason: str
    records: int
    example: str


@dataclass(frozen=True)
class RedriveReport:
    """How many records were sent through again, how many still fail, and why; the commonest reason first."""

    redriven: int
    still_failing: int
    reasons: list[Reason]


@dataclass(frozen=True)
class ErrorRecord:
    """A line of an error object, and what can be done with it.

    Parameters
    ----------
    key
        The error object's key.
    line
        The line as it is stored.
    data
        The failed data in it, base64; None when the line is not in Firehose's JSON of errors.
    reason
        Why it still fails; None: it passes.
    change
        The change record to put on the stream: (partition key, data).
    raw
        The line to store as a raw object: (folder, line).
    """

    key: str
    line: bytes
    data: str | None
    reason: str | None = None
    change: tuple[str, bytes] | None = None
    raw: tuple[str, bytes] | None = None


def redrive(settings: Settings, advance: Callable[[int], None] = lambda objects: None) -> RedriveReport:
    """Send through again what passes now; ``advance`` is told how many error objects were worked through.

    Raises LakeError when the Lambda or the stream fails; what was not put back until then stays.
    """
    redriven = return_dead_letters(settings)
    reasons: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for keys in _rounds(settings):
        records = [record for found in _parallel(lambda key: _read(settings, key), keys) for record in found]
        judged = _judge_changes(settings, [r for r in records if not r.key.startswith(HUDI_JOB_PREFIX)])
        judged += [_judge_line(record) for record in records if record.key.startswith(HUDI_JOB_PREFIX)]
        _put_changes(settings, [record.change for record in judged if record.change])
        _put_raw(settings, [record.raw for record in judged if record.raw])
        _rewrite(settings, judged)
        redriven += sum(record.reason is None for record in judged)
        reasons.update(record.reason for record in judged if record.reason is not None)
        examples.update({record.reason: record.key for record in judged if record.reason is not None})
        advance(len(keys))
    listed = [Reason(reason, count, examples[reason]) for reason, count in reasons.most_common()]
    return RedriveReport(redriven, reasons.total(), listed)


def error_objects(settings: Settings) -> list[tuple[str, int]]:
    """Return the keys and sizes (bytes) of the objects under the error prefix."""
    pages = client("s3", settings).get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=settings.need("raw_bucket"), Prefix=ERROR_PREFIX)
    return [(item["Key"], item["Size"]) for page in found for item in page.get("Contents", [])]


def _rounds(settings: Settings) -> Iterator[list[str]]:
    """Yield the error objects' keys, as many at once as may be held in memory."""
    sizes = dict(error_objects(settings))
    yield from _batches(sizes, sizes.__getitem__, ROUND_OBJECTS, ROUND_BYTES)


def _batches(items: Iterable[T], size: Callable[[T], int], count: int, total: int) -> Iterator[list[T]]:
    """Yield ``items`` in lists of at most ``count`` and at most ``total`` bytes, or of one larger item."""
    batch: list[T] = []
    held = 0
    for item in items:
        if batch and (len(batch) == count or held + size(item) > total):
            yield batch
            batch, held = [], 0
        batch.append(item)
        held += size(item)
    if batch:
        yield batch


def _parallel(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, items))


def _read(settings: Settings, key: str) -> list[ErrorRecord]:
    s3 = client("s3", settings)
    try:
        body = s3.get_object(Bucket=settings.need("raw_bucket"), Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        # Another redrive was faster.
        return []
    return [ErrorRecord(key, line, _raw_data(line)) for line in body.splitlines() if line.strip()]


def _raw_data(line: bytes) -> str | None:
    try:
        data = json.loads(line)["rawData"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return data if isinstance(data, str) else None


def _judge_changes(settings: Settings, records: list[ErrorRecord]) -> list[ErrorRecord]:
    """Ask the deployed Lambda which change records it takes."""
    unreadable = [record for record in records if record.data is None]
    judged = [replace(record, reason="the error record has no rawData") for record in unreadable]
    readable = (record for record in records if record.data is not None)
    for batch in _batches(readable, lambda record: len(record.line), LAMBDA_RECORDS, LAMBDA_BYTES):
        answers = _transform(settings, [str(record.data) for record in batch])
        judged += [_judge_change(record, answers.get(str(i), {})) for i, record in enumerate(batch)]
    return judged


def _judge_change(record: ErrorRecord, answer: dict[str, Any]) -> ErrorRecord:
    data = str(record.data)
    if answer.get("result") == "Dropped":
        return record
    if answer.get("result") != "Ok":
        return replace(record, reason=explain(data))
    line = json.loads(base64.b64decode(answer["data"]))
    return replace(record, change=(f"{line['stock_symbol']}/{line['date']}", base64.b64decode(data)))


def _transform(settings: Settings, data: list[str]) -> dict[str, dict[str, Any]]:
    """Invoke the deployed Lambda with Firehose's event; return its answers by record id (the position)."""
    name = settings.need("transformer")
    event = {"records": [{"recordId": str(i), "data": item} for i, item in enumerate(data)]}
    answer = client("lambda", settings).invoke(FunctionName=name, Payload=json.dumps(event).encode())
    payload = answer["Payload"].read()
    if "FunctionError" in answer:
        raise LakeError(
            f"The Lambda {name} failed: {payload.decode(errors='replace')[:500]}",
            kept=KEPT,
            todo="Mend it, run `nearcast deploy`, then `nearcast lake redrive` again.",
        )
    return {item["recordId"]: item for item in json.loads(payload)["records"]}


def explain(data: str) -> str:
    """Return why the Lambda refuses a change record (base64), with the Lambda's own code of this checkout."""
    from nearcast.stream import transformer

    try:
        transformer.to_line(transformer.decode(data))
    except Exception as error:
        # As in the Lambda: a record may hold anything, and what is wrong with it is the answer.
        return transformer.reason(error)
    return "the deployed Lambda refuses it, this checkout's takes it: run `nearcast deploy`"


def _judge_line(record: ErrorRecord) -> ErrorRecord:
    """Try a raw line that the Hudi job could not read with the job's own code of this checkout."""
    from nearcast.lake.hudi_job import parse_row

    if record.data is None:
        return replace(record, reason="the error record has no rawData")
    try:
        line = base64.b64decode(record.data, validate=True)
        day = parse_row(line)[1]
    except (ValueError, RecursionError, binascii.Error) as error:
        return replace(record, reason=f"{type(error).__name__}: {error}"[:500])
    return replace(record, raw=(f"{RAW_PREFIX}year={day.year:04d}/month={day.month:02d}/", line))


def _put_changes(settings: Settings, changes: list[tuple[str, bytes]]) -> None:
    """Put change records on the stream; those that it refuses for the moment again, a little later."""
    entries = [{"PartitionKey": key, "Data": data} for key, data in changes]
    for batch in _batches(entries, lambda e: len(e["Data"]) + 256, STREAM_RECORDS, STREAM_BYTES):
        _put_records(settings, batch)


def _put_records(settings: Settings, entries: list[dict[str, Any]]) -> None:
    stream = settings.need("stream_name")
    refusal = ""
    for attempt in range(ATTEMPTS):
        answer = client("kinesis", settings).put_records(StreamName=stream, Records=entries)
        pairs = list(zip(entries, answer["Records"], strict=True))
        entries = [entry for entry, result in pairs if "ErrorCode" in result]
        if not entries:
            return
        refusal = next(str(result) for _, result in pairs if "ErrorCode" in result)
        # A shard takes 1 MB or 1,000 records a second.
        time.sleep(min(0.2 * 2**attempt, 2.0))
    raise LakeError(
        f"The stream {stream} still refuses {len(entries)} records: {refusal}",
        kept=KEPT,
        todo="Run `nearcast lake redrive` again later.",
    )


def _put_raw(settings: Settings, lines: list[tuple[str, bytes]]) -> None:
    """Store raw lines, an object for each month; its name is its content's, so a repeat replaces it."""
    months: defaultdict[str, set[bytes]] = defaultdict(set)
    for folder, line in lines:
        months[folder].add(line)

    def put(folder: str) -> None:
        body = b"".join(line + b"\n" for line in sorted(months[folder]))
        key = f"{folder}redriven-{hashlib.sha256(body).hexdigest()[:32]}"
        client("s3", settings).put_object(Bucket=settings.need("raw_bucket"), Key=key, Body=body)

    _parallel(put, months)


def _rewrite(settings: Settings, judged: list[ErrorRecord]) -> None:
    """Leave in each error object what still fails, with its reason; delete the object when nothing does."""
    objects: defaultdict[str, list[ErrorRecord]] = defaultdict(list)
    for record in judged:
        objects[record.key].append(record)

    def rewrite(key: str) -> None:
        place = {"Bucket": settings.need("raw_bucket"), "Key": key}
        left = [_with_reason(record) for record in objects[key] if record.reason is not None]
        if not left:
            client("s3", settings).delete_object(**place)
        elif left != [record.line for record in objects[key]]:
            client("s3", settings).put_object(**place, Body=b"".join(line + b"\n" for line in left))

    _parallel(rewrite, objects)


def _with_reason(record: ErrorRecord) -> bytes:
    if record.data is None:
        return record.line
    return json.dumps({**json.loads(record.line), "errorMessage": record.reason}).encode()


def return_dead_letters(settings: Settings) -> int:
    """Move the messages of the raw queue's dead-letter queue back to the raw queue; return how many.

    Raises LakeError when the queue does not take them.
    """
    sqs, url = client("sqs", settings), settings.need("raw_queue_url")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    name = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"].rpartition(":")[2]
    dead = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    count = "ApproximateNumberOfMessages"
    # Not more than there are now: a message that fails again would be moved for ever.
    waiting = int(sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=[count])["Attributes"][count])
    moved = 0
    while moved < waiting:
        messages = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10).get("Messages", [])
        if not messages:
            break
        moved += _move(sqs, messages, dead, url)
    return moved


def _move(sqs: Any, messages: list[dict[str, Any]], source: str, target: str) -> int:
    entries = [{"Id": str(i), "MessageBody": message["Body"]} for i, message in enumerate(messages)]
    answer = sqs.send_message_batch(QueueUrl=target, Entries=entries)
    handles = [messages[int(item["Id"])]["ReceiptHandle"] for item in answer.get("Successful", [])]
    if not handles:
        raise LakeError(
            f"The queue {target} takes no message: {answer['Failed'][0]}", kept="They stay in " + source
        )
    taken = [{"Id": str(i), "ReceiptHandle": handle} for i, handle in enumerate(handles)]
    sqs.delete_message_batch(QueueUrl=source, Entries=taken)
    return len(taken)
