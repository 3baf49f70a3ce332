"""The Glue job: raw JSON lines, told of by a queue, upserted into the Hudi table.

Runs on Glue 5.1 (Spark 3.5, Hudi 1.0.2) as it stands; it imports nothing of Nearcast. A run drains the
queue and ends. A message is deleted after the commit that holds its rows, so a run that dies loses nothing;
redelivery is harmless, because a row is upserted by its key and an older version never replaces a newer one.
A line that is no row goes to the error prefix with its reason; a deletion leaves a tombstone, so that no
older row comes back (docs/decisions/0010-deletions-and-tombstones.md).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import quote, unquote_plus, urlsplit

import boto3
from botocore.exceptions import ClientError

RECORD_KEY = ("stock_symbol", "date")
ORDERING_FIELD = "version"
PARTITION_KEYS = ("stock_symbol", "year")
SPARK_SCHEMA = (
    "stock_symbol string, date date, open_price double, high_price double, low_price double,"
    " close_price double, volume bigint, version bigint, year string"
)
PRICES = ("open_price", "high_price", "low_price", "close_price")
OPEN_PRICE, VERSION, YEAR = 2, 7, 8
"""Positions in a row."""
DELETED = "_hoodie_is_deleted"
"""Hudi's own column: a record that has it true deletes the stored one, if that one is not newer."""
SYMBOL = re.compile(r"(?=.*\w)[\w.^-]{1,64}")
"""A symbol names a folder of the table."""
CATALOG_COLUMNS = tuple(tuple(column.split(" ")) for column in SPARK_SCHEMA.split(", ")[1:-1])
"""Names and types without the partition keys."""
ERROR_PREFIX = "errors/hudi-job-failed/"
MESSAGES_A_COMMIT = 1000
FETCH_THREADS = 16
WRITE = "hoodie.datasource.write."
Row = tuple[Any, ...]
"""Values in the order of SPARK_SCHEMA; those of a deletion are None but for key, version and year."""
Errors = dict[tuple[str, str], bytes]
"""Error objects by (bucket, key)."""


@dataclass(frozen=True)
class Job:
    """Where the job reads and writes."""

    queue_url: str
    table_path: str
    database: str
    table: str


@dataclass(frozen=True)
class Batch:
    """What one commit takes: the newest row or deletion of each key, and error objects for lines that are none.

    Messages whose objects were all read are deleted by their receipts; the others, with the reasons, stay.
    """

    receipts: list[str]
    rows: list[Row]
    errors: Errors
    unreadable: dict[str, str]


def hudi_options(job: Job) -> dict[str, str]:
    """Return Hudi's write options: copy-on-write, table version 6 (which Athena reads), small cheap commits."""
    return {
        "hoodie.table.name": job.table,
        WRITE + "table.type": "COPY_ON_WRITE",
        WRITE + "operation": "upsert",
        WRITE + "recordkey.field": ",".join(RECORD_KEY),
        WRITE + "precombine.field": ORDERING_FIELD,
        WRITE + "partitionpath.field": ",".join(PARTITION_KEYS),
        WRITE + "hive_style_partitioning": "true",
        WRITE + "keygenerator.class": "org.apache.hudi.keygen.ComplexKeyGenerator",
        # The default payload ignores the stored row's version: an older event would replace a newer one.
        WRITE + "payload.class": "org.apache.hudi.common.model.DefaultHoodieRecordPayload",
        "hoodie.payload.ordering.field": ORDERING_FIELD,
        "hoodie.combine.before.upsert": "false",
        "hoodie.write.table.version": "6",
        "hoodie.write.auto.upgrade": "false",
        "hoodie.table.timeline.timezone": "UTC",
        "hoodie.index.type": "BUCKET",
        "hoodie.bucket.index.num.buckets": "1",
        "hoodie.index.bloom.num_entries": "1000",
        "hoodie.metadata.enable": "false",
        "hoodie.embed.timeline.server": "false",
        "hoodie.write.markers.type": "DIRECT",
        "hoodie.upsert.shuffle.parallelism": "1",
        "hoodie.clean.trigger.max.commits": "20",
        "hoodie.clean.commits.retained": "5",
        "hoodie.keep.min.commits": "60",
        "hoodie.keep.max.commits": "120",
    }


def parse_row(line: bytes | str) -> Row:
    """Return a line's values in the order of SPARK_SCHEMA; a deletion's prices and volume are None.

    Raises ValueError (or RecursionError, for JSON nested too deeply) when the line is no row.
    """
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("the line is not a JSON object")
    symbol, day, deleted = record.get("stock_symbol"), record.get("date"), record.get("deleted", False)
    if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
        raise ValueError(f"stock_symbol is {symbol!r:.80}: not up to 64 letters, digits, dots, -, _, ^")
    if not isinstance(day, str):
        raise ValueError(f"date is {day!r:.80}, not a text")
    if not isinstance(deleted, bool):
        raise ValueError(f"deleted is {deleted!r:.80}, not true or false")
    parsed = date.fromisoformat(day)
    prices = (_number(record, name) for name in PRICES)
    values = (None,) * 5 if deleted else (*map(float, prices), _integer(record, "volume"))
    return (symbol, parsed, *values, _integer(record, "version"), str(parsed.year))


def _number(record: dict[str, Any], name: str) -> int | float:
    value = record.get(name)
    # The bounds are a double's: a larger integer would not become one, and NaN is within no bounds.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{name} is {value!r:.80}, not a finite number")
    return value


def _integer(record: dict[str, Any], name: str) -> int:
    value = _number(record, name)
    if value != int(value) or not -(2**63) <= value < 2**63:
        raise ValueError(f"{name} is {value!r:.80}, not an integer of 64 bits")
    return int(value)


def is_deletion(row: Row) -> bool:
    """Tell whether a row is the deletion of its key."""
    return row[OPEN_PRICE] is None


def newest(rows: list[Row]) -> list[Row]:
    """Keep, of the rows with one key, the one with the largest version; of equal ones the deletion."""
    best: dict[Row, Row] = {}
    for row in rows:
        held = best.get(row[:2])
        if held is None or (row[VERSION], is_deletion(row)) > (held[VERSION], is_deletion(held)):
            best[row[:2]] = row
    return list(best.values())


def receive(sqs: Any, queue_url: str) -> list[dict[str, Any]]:
    """Take messages from the queue until it has no more, or enough for one commit."""
    messages: list[dict[str, Any]] = []
    while len(messages) < MESSAGES_A_COMMIT:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        if not answer.get("Messages"):
            break
        messages += answer["Messages"]
    return messages


def objects_of(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the (bucket, key) pairs that an S3 event notification names; keys arrive URL-encoded.

    Raises ValueError, KeyError, TypeError or AttributeError when the message is no notification.
    """
    places = [record["s3"] for record in json.loads(message["Body"]).get("Records", [])]
    return [(place["bucket"]["name"], unquote_plus(place["object"]["key"])) for place in places]


def parse_object(s3: Any, bucket: str, key: str) -> tuple[list[Row], Errors]:
    """Fetch an object; return its rows and, if some of its lines are none, the error object that says so.

    The error object's key is the same at each delivery, so that a redelivery writes no second one.
    """
    answer = s3.get_object(Bucket=bucket, Key=key)
    source, stored_at, rows, errors = f"s3://{bucket}/{key}", answer["LastModified"], [], b""
    for line in answer["Body"].read().splitlines():
        try:
            rows += [parse_row(line)] if line.strip() else []
        except (ValueError, RecursionError) as error:
            errors += _error_line(line, error, source, stored_at)
    error_key = f"{ERROR_PREFIX}{stored_at:%Y/%m/%d}/{hashlib.sha256(source.encode()).hexdigest()[:32]}"
    return rows, {(bucket, error_key): errors} if errors else {}


def _error_line(line: bytes, error: Exception, source: str, stored_at: datetime) -> bytes:
    """Source of the format: docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html."""
    document = {
        "attemptsMade": 1,
        "arrivalTimestamp": int(stored_at.timestamp() * 1000),
        "errorCode": "HudiJob.InvalidLine",
        "errorMessage": f"{type(error).__name__}: {error}"[:1000],
        "attemptEndingTimestamp": int(time.time() * 1000),
        "rawData": base64.b64encode(line).decode(),
        "source": source,
    }
    return json.dumps(document).encode() + b"\n"


def read_batch(s3: Any, messages: list[dict[str, Any]]) -> Batch:
    """Fetch the objects that ``messages`` name; those that cannot be read keep their messages."""

    def fetch(message: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[list[Row], Errors]], str]:
        try:
            return message, [parse_object(s3, *place) for place in objects_of(message)], ""
        except (ClientError, ValueError, KeyError, TypeError, AttributeError) as error:
            return message, [], f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(FETCH_THREADS) as pool:
        fetched = list(pool.map(fetch, messages))
    objects = [item for _, items, _ in fetched for item in items]
    return Batch(
        receipts=[message["ReceiptHandle"] for message, _, error in fetched if not error],
        rows=newest([row for rows, _ in objects for row in rows]),
        errors={place: body for _, errors in objects for place, body in errors.items()},
        unreadable={message["Body"]: error for message, _, error in fetched if error},
    )


class Tombstones:
    """The newest deletion of each key, kept beside the table: ``tombstones/TABLE/stock_symbol=S.json``.

    A copy-on-write table forgets a deleted row together with its version, so that an older row that arrives
    later would come back. Each object is {date: version}. Only one run at a time writes them
    (MaxConcurrentRuns is 1), so what was read once holds for the run.
    """

    def __init__(self, s3: Any, table_path: str) -> None:
        self.s3 = s3
        self.bucket = urlsplit(table_path).netloc
        folder, _, table = urlsplit(table_path).path.strip("/").rpartition("/")
        self.prefix = f"{folder}/tombstones/{table}/".lstrip("/")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        self.stored = {item["Key"] for page in pages for item in page.get("Contents", [])}
        self.versions: dict[str, dict[str, int]] = {}

    def screen(self, rows: list[Row]) -> list[Row]:
        """Keep the deletions among ``rows``; return ``rows`` without those that a deletion is not older than.

        To be called before the commit of these rows: a run that dies in between repeats both.
        """
        changed = set()
        with ThreadPoolExecutor(FETCH_THREADS) as pool:
            new = {row[0] for row in rows} - self.versions.keys()
            list(pool.map(self._read, [symbol for symbol in new if self._key(symbol) in self.stored]))
            for row in filter(is_deletion, rows):
                if row[VERSION] > self._version(row):
                    self.versions.setdefault(row[0], {})[row[1].isoformat()] = row[VERSION]
                    changed.add(row[0])
            list(pool.map(self._write, changed))
        return [row for row in rows if is_deletion(row) or row[VERSION] > self._version(row)]

    def _version(self, row: Row) -> float:
        return self.versions.get(row[0], {}).get(row[1].isoformat(), -math.inf)

    def _key(self, symbol: str) -> str:
        return f"{self.prefix}stock_symbol={quote(symbol, safe='')}.json"

    def _read(self, symbol: str) -> None:
        answer = self.s3.get_object(Bucket=self.bucket, Key=self._key(symbol))
        self.versions[symbol] = json.loads(answer["Body"].read())

    def _write(self, symbol: str) -> None:
        body = json.dumps(self.versions[symbol], sort_keys=True).encode()
        self.s3.put_object(Bucket=self.bucket, Key=self._key(symbol), Body=body)


def upsert(spark: Any, job: Job, rows: list[Row]) -> None:
    """Commit the rows, and the deletions among them, to the Hudi table."""
    flagged = [(*row, is_deletion(row)) for row in rows]
    frame = spark.createDataFrame(flagged, f"{SPARK_SCHEMA}, {DELETED} boolean").coalesce(1)
    frame.write.format("hudi").options(**hudi_options(job)).mode("append").save(job.table_path)


def acknowledge(sqs: Any, queue_url: str, receipts: list[str]) -> None:
    """Delete the messages whose rows are committed."""
    for entries in _tens(receipts):
        sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)


def release(sqs: Any, queue_url: str, receipts: list[str]) -> None:
    """Give messages back to the queue at once, instead of after their visibility timeout."""
    for entries in _tens(receipts, VisibilityTimeout=0):
        sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)


def _tens(receipts: list[str], **more: int) -> list[list[dict[str, Any]]]:
    """Return the entries of SQS's batch requests, which hold ten each."""
    entries = [{"Id": str(i), "ReceiptHandle": handle, **more} for i, handle in enumerate(receipts)]
    return [entries[start : start + 10] for start in range(0, len(entries), 10)]


def register(glue: Any, job: Job, partitions: set[tuple[str, str]]) -> None:
    """Put the table and its new partitions into the catalog, with the input format that reads the snapshot.

    Source: docs.aws.amazon.com/athena/latest/ug/querying-hudi-in-athena-considerations.html
    """
    descriptor = {
        "Columns": [{"Name": name, "Type": kind} for name, kind in CATALOG_COLUMNS],
        "Location": job.table_path,
        "InputFormat": "org.apache.hudi.hadoop.HoodieParquetInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
    }
    _ensure_table(glue, job, descriptor)
    pages = glue.get_paginator("get_partitions").paginate(
        DatabaseName=job.database, TableName=job.table, ExcludeColumnSchema=True
    )
    known = {tuple(partition["Values"]) for page in pages for partition in page["Partitions"]}
    folders = {(s, y): f"{job.table_path}/stock_symbol={s}/year={y}" for s, y in sorted(partitions - known)}
    new = [
        {"Values": list(values), "StorageDescriptor": {**descriptor, "Location": folder}}
        for values, folder in folders.items()
    ]
    for start in range(0, len(new), 100):
        glue.batch_create_partition(
            DatabaseName=job.database, TableName=job.table, PartitionInputList=new[start : start + 100]
        )


def _ensure_table(glue: Any, job: Job, descriptor: dict[str, Any]) -> None:
    try:
        glue.get_table(DatabaseName=job.database, Name=job.table)
    except glue.exceptions.EntityNotFoundException:
        glue.create_table(
            DatabaseName=job.database,
            TableInput={
                "Name": job.table,
                "TableType": "EXTERNAL_TABLE",
                "PartitionKeys": [{"Name": key, "Type": "string"} for key in PARTITION_KEYS],
                "StorageDescriptor": descriptor,
                "Parameters": {"EXTERNAL": "TRUE", "spark.sql.sources.provider": "hudi"},
            },
        )


def run(spark: Any, job: Job) -> dict[str, Any]:
    """Drain the queue, a commit for each batch; return what was done."""
    sqs, s3, glue = boto3.client("sqs"), boto3.client("s3"), boto3.client("glue")
    tombstones = Tombstones(s3, job.table_path)
    done: dict[str, Any] = {"commits": 0, "objects": 0, "rows": 0, "error_objects": 0, "unreadable": {}}
    registered: set[tuple[str, str]] = set()
    while messages := receive(sqs, job.queue_url):
        try:
            batch = read_batch(s3, messages)
            for (bucket, key), body in batch.errors.items():
                s3.put_object(Bucket=bucket, Key=key, Body=body)
            rows = tombstones.screen(batch.rows)
            if rows:
                upsert(spark, job, rows)
                partitions = {(row[0], row[YEAR]) for row in rows if not is_deletion(row)}
                if partitions - registered:
                    register(glue, job, partitions)
                    registered |= partitions
                done["commits"] += 1
        except BaseException:
            release(sqs, job.queue_url, [message["ReceiptHandle"] for message in messages])
            raise
        acknowledge(sqs, job.queue_url, batch.receipts)
        done["objects"] += len(batch.receipts)
        done["rows"] += len(rows)
        done["error_objects"] += len(batch.errors)
        done["unreadable"].update(batch.unreadable)
    return done


def parse_arguments(argv: list[str]) -> Job:
    """Read ``--name value`` pairs; Glue's own (such as --JOB_NAME) are left alone."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("queue_url", "table_path", "database", "table"):
        parser.add_argument(f"--{name}", required=True)
    known, _ = parser.parse_known_args(argv)
    return Job(known.queue_url, known.table_path.rstrip("/"), known.database, known.table)


def main() -> None:
    """Run the job; fail, after everything else was committed, when objects could not be read."""
    from pyspark.sql import SparkSession

    job = parse_arguments(sys.argv[1:])
    done = run(SparkSession.builder.getOrCreate(), job)
    print(json.dumps(done))
    if done["unreadable"]:
        raise RuntimeError(f"{len(done['unreadable'])} objects could not be read: {done['unreadable']}")


if __name__ == "__main__":
    main()
