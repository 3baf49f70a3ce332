"""The Glue job: raw JSON lines, told of by a queue, upserted into the Hudi table.

Runs on Glue 5.1 (Spark 3.5, Hudi 1.0.2) as it stands; it imports nothing of Nearcast. A run drains the
queue and ends. A message is deleted after the commit that holds its rows, so a run that dies loses nothing;
redelivery is harmless, because a row is upserted by its key and an older version never replaces a newer one.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import unquote_plus

import boto3
from botocore.exceptions import ClientError

RECORD_KEY = ("stock_symbol", "date")
ORDERING_FIELD = "version"
PARTITION_KEYS = ("stock_symbol", "year")
SPARK_SCHEMA = (
    "stock_symbol string, date date, open_price double, high_price double, low_price double,"
    " close_price double, volume bigint, version bigint, year string"
)
CATALOG_COLUMNS = (
    ("date", "date"),
    ("open_price", "double"),
    ("high_price", "double"),
    ("low_price", "double"),
    ("close_price", "double"),
    ("volume", "bigint"),
    ("version", "bigint"),
)
MESSAGES_A_COMMIT = 1000
FETCH_THREADS = 16
WRITE = "hoodie.datasource.write."


@dataclass(frozen=True)
class Job:
    """Where the job reads and writes."""

    queue_url: str
    table_path: str
    database: str
    table: str


@dataclass(frozen=True)
class Batch:
    """What one commit takes: its messages, its objects (bucket, key) and those that could not be read."""

    receipts: dict[str, str]
    rows: list[tuple[Any, ...]]
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


def parse_row(line: str) -> tuple[Any, ...]:
    """Return a line's values in the order of SPARK_SCHEMA. Raises ValueError or KeyError when it has others."""
    record = json.loads(line)
    day = date.fromisoformat(record["date"])
    return (
        str(record["stock_symbol"]),
        day,
        *(float(record[name]) for name in ("open_price", "high_price", "low_price", "close_price")),
        int(record["volume"]),
        int(record["version"]),
        str(day.year),
    )


def newest(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Keep, of the rows with one key, the one with the largest version."""
    best: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in rows:
        held = best.get(row[:2])
        if held is None or row[7] >= held[7]:
            best[row[:2]] = row
    return list(best.values())


def receive(sqs: Any, queue_url: str) -> list[dict[str, Any]]:
    """Take messages from the queue until it has no more, or enough for one commit."""
    messages: list[dict[str, Any]] = []
    while len(messages) < MESSAGES_A_COMMIT:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        received = answer.get("Messages", [])
        messages += received
        if not received:
            break
    return messages


def objects_of(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the (bucket, key) pairs that an S3 event notification names; keys arrive URL-encoded."""
    records = json.loads(message["Body"]).get("Records", [])
    return [
        (record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])) for record in records
    ]


def read_batch(s3: Any, messages: list[dict[str, Any]]) -> Batch:
    """Fetch the objects that ``messages`` name; those that cannot be read keep their messages."""

    def fetch(message: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[Any, ...]], str]:
        try:
            bodies = [
                s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
                for bucket, key in objects_of(message)
            ]
            rows = [parse_row(line) for body in bodies for line in body.splitlines() if line.strip()]
        except (ClientError, ValueError, KeyError, TypeError) as error:
            return message, [], f"{type(error).__name__}: {error}"
        return message, rows, ""

    with ThreadPoolExecutor(FETCH_THREADS) as pool:
        fetched = list(pool.map(fetch, messages))
    return Batch(
        receipts={m["MessageId"]: m["ReceiptHandle"] for m, _, error in fetched if not error},
        rows=newest([row for _, rows, _ in fetched for row in rows]),
        unreadable={m["Body"]: error for m, _, error in fetched if error},
    )


def upsert(spark: Any, job: Job, rows: list[tuple[Any, ...]]) -> None:
    """Commit the rows to the Hudi table."""
    frame = spark.createDataFrame(rows, SPARK_SCHEMA).coalesce(1)
    frame.write.format("hudi").options(**hudi_options(job)).mode("append").save(job.table_path)


def acknowledge(sqs: Any, queue_url: str, receipts: dict[str, str]) -> None:
    """Delete the messages whose rows are committed."""
    entries = [{"Id": str(i), "ReceiptHandle": handle} for i, handle in enumerate(receipts.values())]
    for start in range(0, len(entries), 10):
        sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries[start : start + 10])


def release(sqs: Any, queue_url: str, messages: list[dict[str, Any]]) -> None:
    """Give messages back to the queue at once, instead of after their visibility timeout."""
    entries = [
        {"Id": str(i), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
        for i, message in enumerate(messages)
    ]
    for start in range(0, len(entries), 10):
        sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries[start : start + 10])


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
    known = {
        tuple(partition["Values"])
        for page in glue.get_paginator("get_partitions").paginate(
            DatabaseName=job.database, TableName=job.table, ExcludeColumnSchema=True
        )
        for partition in page["Partitions"]
    }
    missing = sorted(partitions - known)
    for start in range(0, len(missing), 100):
        glue.batch_create_partition(
            DatabaseName=job.database,
            TableName=job.table,
            PartitionInputList=[
                {"Values": list(values), "StorageDescriptor": {**descriptor, "Location": _path(job, values)}}
                for values in missing[start : start + 100]
            ],
        )


def _path(job: Job, values: tuple[str, ...]) -> str:
    folders = (f"{key}={value}" for key, value in zip(PARTITION_KEYS, values, strict=True))
    return "/".join([job.table_path, *folders])


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
    done: dict[str, Any] = {"commits": 0, "objects": 0, "rows": 0, "unreadable": {}}
    registered: set[tuple[str, str]] = set()
    while messages := receive(sqs, job.queue_url):
        try:
            batch = read_batch(s3, messages)
            if batch.rows:
                upsert(spark, job, batch.rows)
                partitions = {(row[0], row[8]) for row in batch.rows}
                if partitions - registered:
                    register(glue, job, partitions)
                    registered |= partitions
                done["commits"] += 1
        except BaseException:
            release(sqs, job.queue_url, messages)
            raise
        acknowledge(sqs, job.queue_url, batch.receipts)
        done["objects"] += len(batch.receipts)
        done["rows"] += len(batch.rows)
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
