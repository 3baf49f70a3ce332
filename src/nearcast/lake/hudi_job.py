"""The Glue job: raw JSON lines, told of by a queue, upserted into the Hudi table.

Runs on Glue 5.1 (Spark 3.5, Hudi 1.0.2) as it stands; it imports nothing of Nearcast. A run drains the
queue and ends, or (``--mode continuous``) goes on committing as objects come. A message is deleted after the
commit that holds its rows, so a run that dies loses nothing; redelivery is harmless, because a row is upserted
by its key and an older version never replaces a newer one. A line that is no row goes to the error prefix with
its reason; a deletion leaves a tombstone, so that no older row comes back
(docs/decisions/0010-deletions-and-tombstones.md).

The job is the table's only writer, and a lease makes sure of it. When notifications were lost, a message
``{"backfill": "s3://bucket/prefix/"}`` has it read all objects below that prefix
(docs/decisions/0018-the-job-is-a-stream.md).
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
import uuid
from collections.abc import Iterator
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
OPEN_PRICE, VERSION, YEAR, MORE = 2, 7, 8, 9
"""Positions in a row."""
NOT_COLUMNS = {"deleted", "event_name", "event_time"}
"""Fields of a line that say something about the event, and are not kept in the table."""
COLUMN_NAME = re.compile(r"[a-z][a-z0-9_]{0,127}")
DELETED = "_hoodie_is_deleted"
"""Hudi's own column: a record that has it true deletes the stored one, if that one is not newer."""
SYMBOL = re.compile(r"(?=.*\w)[\w.^-]{1,64}")
"""A symbol names a folder of the table."""
CATALOG_COLUMNS = (
    *(tuple(column.split(" ")) for column in SPARK_SCHEMA.split(", ")[1:-1]),
    ("_hoodie_commit_time", "string"),
)
"""Names and types without the partition keys; the last is Hudi's: the instant of the commit that wrote the row."""
INPUT_FORMATS = {
    "COPY_ON_WRITE": "org.apache.hudi.hadoop.HoodieParquetInputFormat",
    "MERGE_ON_READ": "org.apache.hudi.hadoop.realtime.HoodieParquetRealtimeInputFormat",
}
ERROR_PREFIX = "errors/hudi-job-failed/"
MESSAGES_A_COMMIT = 1000
OBJECTS_A_COMMIT = 1000
FETCH_THREADS = 16
POLL_S = 1
"""How long a continuous run's question to the queue stays open. What a killed run's last one is answered with comes
back after the visibility timeout only, so it is short."""
COMMIT_INTERVAL_S = 0.75
"""A continuous run starts a commit no sooner after the last one, so that rows of one second share it."""
SERVICES_EVERY = 5
"""Cleaning, archiving and compaction come with every fifth commit: rarer is cheaper, and leaves more old files."""
MANY_FILES = 4
ARCHIVES_KEPT = 1
"""Files of the archived timeline that stay. Hudi never removes one, and reads none when it reads or writes rows."""
LEASE_S = 300
WRITE = "hoodie.datasource.write."
Row = tuple[Any, ...]
"""Values in the order of SPARK_SCHEMA, then a dictionary of the other columns.

Those of a deletion are None but for key, version and year.
"""
Fetched = tuple[bytes, datetime, str]
Errors = dict[tuple[str, str], bytes]
"""Error objects by (bucket, key)."""
COLUMN_TYPES: dict[str, type | tuple[type, ...]] = {"boolean": bool, "double": (int, float), "string": str}
"""Of a new column, by its first value; in this order, as True is an int too."""
KNOWN_FIELDS = NOT_COLUMNS | {column.split(" ")[0] for column in SPARK_SCHEMA.split(", ")[:-1]}


@dataclass(frozen=True)
class Job:
    """Where the job reads and writes."""

    queue_url: str
    table_path: str
    database: str
    table: str
    lease_table: str = ""
    table_type: str = "COPY_ON_WRITE"
    mode: str = "drain"
    run_minutes: float = 50.0
    job_name: str = ""
    run_id: str = ""


@dataclass(frozen=True)
class Batch:
    """What one commit takes: the newest row or deletion of each key, and error objects for lines that are none.

    Messages whose objects were all read are deleted by their receipts; the others, with the reasons, stay.
    """

    receipts: list[str]
    rows: list[Row]
    errors: Errors
    unreadable: dict[str, str]


def hudi_options(job: Job, services: bool = True, files: int = 1) -> dict[str, str]:
    """Return Hudi's write options: table version 6 (which Athena reads), small cheap commits.

    With ``services`` the commit is followed by what is due of cleaning, archiving and compaction. ``files`` is how
    many it writes: the timeline server halves the S3 requests of many, and costs one alone a fifth of a second.
    """
    merge_on_read = job.table_type == "MERGE_ON_READ"
    many = files > MANY_FILES
    wanted = str(services).lower()
    return {
        "hoodie.table.name": job.table,
        WRITE + "table.type": job.table_type,
        WRITE + "operation": "upsert",
        WRITE + "recordkey.field": ",".join(RECORD_KEY),
        WRITE + "precombine.field": ORDERING_FIELD,
        WRITE + "partitionpath.field": ",".join(PARTITION_KEYS),
        WRITE + "hive_style_partitioning": "true",
        WRITE + "keygenerator.class": "org.apache.hudi.keygen.ComplexKeyGenerator",
        # The default payload ignores the stored row's version: an older event would replace a newer one.
        WRITE + "payload.class": "org.apache.hudi.common.model.DefaultHoodieRecordPayload",
        "hoodie.payload.ordering.field": ORDERING_FIELD,
        # Rows come with one version a key. A log file's deletions have their version only if Hudi combines them;
        # else they are of version 0, an Integer: a late one deletes, and a row after one cannot be read.
        "hoodie.combine.before.upsert": str(merge_on_read).lower(),
        "hoodie.write.table.version": "6",
        "hoodie.write.auto.upgrade": "false",
        "hoodie.table.timeline.timezone": "UTC",
        # The bucket finds a row's file, so no file needs a bloom filter.
        "hoodie.index.type": "BUCKET",
        "hoodie.bucket.index.num.buckets": "1",
        "hoodie.parquet.bloom.filter.enabled": "false",
        "hoodie.metadata.enable": "false",
        "hoodie.embed.timeline.server": str(many).lower(),
        "hoodie.embed.timeline.server.reuse.enabled": "true",
        "hoodie.write.markers.type": "TIMELINE_SERVER_BASED" if many else "DIRECT",
        "hoodie.upsert.shuffle.parallelism": "1",
        "hoodie.clean.automatic": wanted,
        "hoodie.clean.trigger.max.commits": str(SERVICES_EVERY),
        "hoodie.clean.commits.retained": "6",
        "hoodie.archive.automatic": wanted,
        "hoodie.keep.min.commits": "8",
        "hoodie.keep.max.commits": "12",
        "hoodie.compact.inline": str(merge_on_read and services).lower(),
        "hoodie.compact.inline.max.delta.commits": str(2 * SERVICES_EVERY),
    }


def parse_row(line: bytes | str) -> Row:
    """Return a line's row; a deletion's prices and volume are None.

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
    more = {} if deleted else {name: record[name] for name in record.keys() - KNOWN_FIELDS}
    return (symbol, parsed, *values, _integer(record, "version"), str(parsed.year), more)


class Columns:
    """The columns that the source has beyond a daily bar's; they appear with their first value, and keep its type.

    ``types`` holds their names and types (double, string, boolean), oldest first. JSON knows one kind of number,
    so each is a double.
    """

    def __init__(self, types: dict[str, str]) -> None:
        self.types = dict(types)

    def admit(self, values: dict[str, Any]) -> None:
        """Take a row's other columns. Raises ValueError, and takes none of them, when one cannot be the table's."""
        new = {}
        for name, value in values.items():
            if value is None:
                continue
            kind = next((kind for kind, types in COLUMN_TYPES.items() if isinstance(value, types)), None)
            if kind is None or (kind == "double" and not abs(value) <= sys.float_info.max):
                raise ValueError(f"{name} is {value!r:.80}, not a finite number, a text, true or false")
            if not COLUMN_NAME.fullmatch(name) or name in PARTITION_KEYS:
                raise ValueError(f"{name!r:.80} cannot be the name of a new column")
            known = self.types.get(name, kind)
            if kind != known:
                raise ValueError(f"{name} is {value!r:.80}, a {kind}, and the table's column is a {known}")
            new[name] = known
        self.types.update(new)

    def values(self, row: Row) -> list[Any]:
        """Return a row's values of these columns, in their order."""
        given = row[MORE]
        return [
            float(given[name]) if kind == "double" and given.get(name) is not None else given.get(name)
            for name, kind in self.types.items()
        ]


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


def receive(sqs: Any, queue_url: str, wait_s: int = 0) -> list[dict[str, Any]]:
    """Take messages until the queue has no more, or enough for one commit; wait so long for the first."""
    messages: list[dict[str, Any]] = []
    while len(messages) < MESSAGES_A_COMMIT:
        wait = 0 if messages else wait_s
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
        if not answer.get("Messages"):
            break
        messages += answer["Messages"]
    return messages


def backfill_of(message: dict[str, Any]) -> str | None:
    """Return the address whose objects a message asks to be read, None when it is no such message."""
    try:
        body = json.loads(message["Body"])
    except ValueError:
        return None
    return body.get("backfill") if isinstance(body, dict) else None


def objects_of(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the (bucket, key) pairs that an S3 event notification names; keys arrive URL-encoded.

    Raises ValueError, KeyError, TypeError or AttributeError when the message is no notification.
    """
    places = [record["s3"] for record in json.loads(message["Body"]).get("Records", [])]
    return [(place["bucket"]["name"], unquote_plus(place["object"]["key"])) for place in places]


def parse_object(body: bytes, stored_at: datetime, source: str, columns: Columns) -> tuple[list[Row], Errors]:
    """Return an object's rows and, if some of its lines are none, the error object that says so.

    The error object's key is the same at each delivery, so that a redelivery writes no second one.
    """
    rows, errors = [], b""
    for line in body.splitlines():
        if not line.strip():
            continue
        try:
            row = parse_row(line)
            columns.admit(row[MORE])
            rows.append(row)
        except (ValueError, RecursionError) as error:
            errors += _error_line(line, error, source, stored_at)
    bucket = urlsplit(source).netloc
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


def read_batch(s3: Any, messages: list[dict[str, Any]], columns: Columns) -> Batch:
    """Fetch the objects that ``messages`` name; those that cannot be read keep their messages."""

    def fetch(message: dict[str, Any]) -> tuple[dict[str, Any], list[Fetched], str]:
        try:
            return message, [fetch_object(s3, *place) for place in objects_of(message)], ""
        except (ClientError, ValueError, KeyError, TypeError, AttributeError) as error:
            return message, [], f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(FETCH_THREADS) as pool:
        fetched = list(pool.map(fetch, messages))
    # One after the other: which value of a new column is the first must not depend on threads.
    objects = [parse_object(*one, columns) for _, items, _ in fetched for one in items]
    return Batch(
        receipts=[message["ReceiptHandle"] for message, _, error in fetched if not error],
        rows=newest([row for rows, _ in objects for row in rows]),
        errors={place: body for _, errors in objects for place, body in errors.items()},
        unreadable={message["Body"]: error for message, _, error in fetched if error},
    )


def fetch_object(s3: Any, bucket: str, key: str) -> Fetched:
    """Return an object's content, when it was stored, and its address."""
    answer = s3.get_object(Bucket=bucket, Key=key)
    return answer["Body"].read(), answer["LastModified"], f"s3://{bucket}/{key}"


class Tombstones:
    """The newest deletion of each key, kept beside the table: ``tombstones/TABLE/stock_symbol=S.json``.

    A copy-on-write table forgets a deleted row together with its version, so that an older row that arrives
    later would come back. Each object is {date: version}. Only the holder of the table's lease writes them, so
    what was read once holds for the run.
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


class Lease:
    """The right to write the table: an item of DynamoDB that one run at a time holds.

    It is renewed before each commit, so a run that lost it writes nothing more. One that a Glue run holds is free
    when Glue says that the run has ended (killed, say), any other when it was not renewed for LEASE_S.
    """

    def __init__(self, dynamodb: Any, glue: Any, job: Job) -> None:
        self.dynamodb = dynamodb
        self.glue = glue
        self.job = job
        self.owner = job.run_id or f"process-{uuid.uuid4()}"

    def take(self) -> None:
        """Take or renew the lease. Raises RuntimeError when another run holds it."""
        holder = self._put("attribute_not_exists(table_path) OR #o = :owner", self.owner)
        if holder and self._has_ended(holder):
            holder = self._put("#o = :owner", holder["owner"]["S"])
        if holder:
            raise RuntimeError(
                f"{holder['owner']['S']} writes to {self.job.table_path}: one run at a time may. Nothing was written."
                " Wait for its end, or stop it."
            )

    def release(self) -> None:
        """Give the lease back, if it is still ours."""
        try:
            self.dynamodb.delete_item(
                TableName=self.job.lease_table,
                Key={"table_path": {"S": self.job.table_path}},
                **self._if("#o = :owner", self.owner),
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            print("the lease had gone to another run")

    def _put(self, condition: str, owner: str) -> dict[str, Any]:
        """Write our lease if ``condition`` on ``owner`` holds; return the other one if not."""
        item = {
            "table_path": {"S": self.job.table_path},
            "owner": {"S": self.owner},
            "job_name": {"S": self.job.job_name},
            "renewed_at": {"N": repr(time.time())},
        }
        try:
            self.dynamodb.put_item(TableName=self.job.lease_table, Item=item, **self._if(condition, owner))
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            key = {"table_path": item["table_path"]}
            answer = self.dynamodb.get_item(TableName=self.job.lease_table, Key=key, ConsistentRead=True)
            # Gone meanwhile: whoever tries next will get it.
            return dict(answer.get("Item") or {**item, "owner": {"S": "a run that has just ended"}})
        return {}

    def _if(self, condition: str, owner: str) -> dict[str, Any]:
        return {
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#o": "owner"},
            "ExpressionAttributeValues": {":owner": {"S": owner}},
        }

    def _has_ended(self, holder: dict[str, Any]) -> bool:
        name = holder["job_name"]["S"]
        if not name:
            return float(holder["renewed_at"]["N"]) < time.time() - LEASE_S
        try:
            run = self.glue.get_job_run(JobName=name, RunId=holder["owner"]["S"])["JobRun"]
        except self.glue.exceptions.EntityNotFoundException:
            return True
        return run["JobRunState"] not in ("STARTING", "RUNNING", "STOPPING", "WAITING")


def stored_table(s3: Any, job: Job) -> dict[str, str]:
    """Return the other columns of the table as it is, with their types; none when there is no table yet.

    Raises RuntimeError when the table is of another type than the job's.
    """
    bucket, folder = urlsplit(job.table_path).netloc, f"{urlsplit(job.table_path).path.strip('/')}/.hoodie/"
    try:
        properties = s3.get_object(Bucket=bucket, Key=f"{folder}hoodie.properties")["Body"].read().decode()
    except s3.exceptions.NoSuchKey:
        return {}
    held = dict(line.split("=", 1) for line in properties.splitlines() if "=" in line)
    if held["hoodie.table.type"] != job.table_type:
        raise RuntimeError(
            f"{job.table_path} is {held['hoodie.table.type']}, and --table_type asks for {job.table_type}. Nothing"
            " was written. A table keeps its type: give the job the table's, or another --table_path."
        )
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, Delimiter="/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    commits = [key for key in keys if key.endswith((".commit", ".deltacommit"))]
    if not commits:
        return {}
    newest_commit = json.loads(s3.get_object(Bucket=bucket, Key=max(commits))["Body"].read())
    fields = json.loads(newest_commit["extraMetadata"]["schema"])["fields"]
    return {
        field["name"]: next(kind for kind in field["type"] if kind != "null")
        for field in fields
        if field["name"] not in KNOWN_FIELDS | {"year"} and not field["name"].startswith("_hoodie_")
    }


def upsert(
    spark: Any, job: Job, rows: list[Row], columns: Columns | None = None, services: bool = True
) -> None:
    """Commit the rows, and the deletions among them, to the Hudi table."""
    import pandas as pd

    columns = columns or Columns({})
    values = [(*row[:MORE], is_deletion(row), *columns.values(row)) for row in rows]
    more = "".join(f", {name} {kind}" for name, kind in columns.types.items())
    schema = f"{SPARK_SCHEMA}, {DELETED} boolean{more}"
    names = [column.split(" ")[0] for column in schema.split(", ")]
    # Through Arrow: a list of rows would be handed over by a Python process of Spark's, a seventh of the CPU.
    spark.conf.set("spark.sql.execution.arrow.pyspark.enabled", "true")
    frame = spark.createDataFrame(pd.DataFrame(values, columns=names, dtype=object), schema).coalesce(1)
    options = hudi_options(job, services, len({(row[0], row[YEAR]) for row in rows}))
    frame.write.format("hudi").options(**options).mode("append").save(job.table_path)


def prune_archive(s3: Any, job: Job) -> None:
    """Remove all but the newest files of the archived timeline: at a commit a second it outgrows the table."""
    bucket, folder = (
        urlsplit(job.table_path).netloc,
        f"{urlsplit(job.table_path).path.strip('/')}/.hoodie/history/",
    )
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=folder).get("Contents", [])
    oldest_first = sorted((item for item in listed if item["Size"]), key=lambda item: item["LastModified"])
    old = [{"Key": item["Key"]} for item in oldest_first[:-ARCHIVES_KEPT]]
    if old:
        s3.delete_objects(Bucket=bucket, Delete={"Objects": old, "Quiet": True})


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


def register(glue: Any, job: Job, columns: Columns, partitions: set[tuple[str, str]]) -> None:
    """Put the table and these partitions into the catalog, with the input format that reads the snapshot.

    Source: docs.aws.amazon.com/athena/latest/ug/querying-hudi-in-athena-considerations.html
    """
    listed = [*CATALOG_COLUMNS, *columns.types.items()]
    descriptor = {
        "Columns": [{"Name": name, "Type": kind} for name, kind in listed],
        "Location": job.table_path,
        "InputFormat": INPUT_FORMATS[job.table_type],
        "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
    }
    _ensure_table(glue, job, descriptor)
    inputs = [
        {
            "Values": [symbol, year],
            "StorageDescriptor": {
                **descriptor,
                "Location": f"{job.table_path}/stock_symbol={symbol}/year={year}",
            },
        }
        for symbol, year in sorted(partitions)
    ]
    place = {"DatabaseName": job.database, "TableName": job.table}
    for start in range(0, len(inputs), 100):
        part = inputs[start : start + 100]
        # Asking for all partitions that are there would cost more with each one.
        refused = glue.batch_create_partition(**place, PartitionInputList=part).get("Errors", [])
        known = [tuple(error["PartitionValues"]) for error in refused]
        others = [e for e in refused if e["ErrorDetail"]["ErrorCode"] != "AlreadyExistsException"]
        if others:
            raise RuntimeError(f"The catalog refused partitions: {others[:3]}. The rows are committed.")
        if known and columns.types:
            entries = [
                {"PartitionValueList": one["Values"], "PartitionInput": one}
                for one in part
                if tuple(one["Values"]) in known
            ]
            glue.batch_update_partition(**place, Entries=entries)


def _ensure_table(glue: Any, job: Job, descriptor: dict[str, Any]) -> None:
    table = {
        "Name": job.table,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in PARTITION_KEYS],
        "StorageDescriptor": descriptor,
        "Parameters": {"EXTERNAL": "TRUE", "spark.sql.sources.provider": "hudi"},
    }
    try:
        held = glue.get_table(DatabaseName=job.database, Name=job.table)["Table"]["StorageDescriptor"]
    except glue.exceptions.EntityNotFoundException:
        glue.create_table(DatabaseName=job.database, TableInput=table)
        return
    if any(held.get(name) != value for name, value in descriptor.items()):
        glue.update_table(DatabaseName=job.database, TableInput=table)


class Run:
    """One run of the job: takes batches from the queue, commits each, and does what is asked for in between."""

    def __init__(self, spark: Any, job: Job) -> None:
        self.spark = spark
        self.job = job
        self.sqs, self.s3, self.glue = boto3.client("sqs"), boto3.client("s3"), boto3.client("glue")
        self.lease = Lease(boto3.client("dynamodb"), self.glue, job)
        self.registered: set[tuple[str, str]] = set()
        self.registered_columns = 0
        self.done: dict[str, Any] = {
            "commits": 0,
            "objects": 0,
            "rows": 0,
            "error_objects": 0,
            "backfilled": 0,
            "unreadable": {},
        }

    def __call__(self) -> dict[str, Any]:
        """Work until the queue is empty or, in a continuous run, the time is up; return what was done."""
        self.lease.take()
        try:
            self.columns = Columns(stored_table(self.s3, self.job))
            self.tombstones = Tombstones(self.s3, self.job.table_path)
            for messages in self._batches():
                try:
                    self._process(messages)
                except BaseException:
                    release(self.sqs, self.job.queue_url, [message["ReceiptHandle"] for message in messages])
                    raise
        finally:
            self.lease.release()
        return self.done

    def _batches(self) -> Iterator[list[dict[str, Any]]]:
        if self.job.mode == "drain":
            while messages := receive(self.sqs, self.job.queue_url):
                yield messages
            return
        deadline = time.monotonic() + self.job.run_minutes * 60
        while time.monotonic() < deadline:
            if messages := receive(self.sqs, self.job.queue_url, POLL_S):
                started = time.monotonic()
                yield messages
                if len(messages) < MESSAGES_A_COMMIT:
                    time.sleep(max(0.0, started + COMMIT_INTERVAL_S - time.monotonic()))

    def _process(self, messages: list[dict[str, Any]]) -> None:
        asked = [(message, backfill_of(message)) for message in messages]
        notifications = [message for message, location in asked if location is None]
        batch = read_batch(self.s3, notifications, self.columns)
        self._write(batch)
        acknowledge(self.sqs, self.job.queue_url, batch.receipts)
        self.done["objects"] += len(batch.receipts)
        self.done["unreadable"].update(batch.unreadable)
        for body, reason in batch.unreadable.items():
            print(json.dumps({"unreadable": body, "reason": reason}), flush=True)
        for message, location in asked:
            if location is not None:
                self._backfill(message, location)
                acknowledge(self.sqs, self.job.queue_url, [message["ReceiptHandle"]])

    def _write(self, batch: Batch) -> None:
        for (bucket, key), body in batch.errors.items():
            self.s3.put_object(Bucket=bucket, Key=key, Body=body)
        self.done["error_objects"] += len(batch.errors)
        rows = self.tombstones.screen(batch.rows)
        if not rows:
            return
        started = time.monotonic()
        self.lease.take()
        services = self.done["commits"] % SERVICES_EVERY == 0
        upsert(self.spark, self.job, rows, self.columns, services)
        if services:
            prune_archive(self.s3, self.job)
        self.done["commits"] += 1
        self.done["rows"] += len(rows)
        print(
            json.dumps({"committed": len(rows), "seconds": round(time.monotonic() - started, 3)}), flush=True
        )
        if self.registered_columns != len(self.columns.types):
            self.registered.clear()
            self.registered_columns = len(self.columns.types)
        partitions = {(row[0], row[YEAR]) for row in rows if not is_deletion(row)} - self.registered
        if partitions:
            register(self.glue, self.job, self.columns, partitions)
            self.registered |= partitions

    def _backfill(self, message: dict[str, Any], location: str) -> None:
        """Commit all objects below ``location`` (s3://bucket/prefix) again: notifications of them were lost."""
        bucket, prefix = urlsplit(location).netloc, urlsplit(location).path.lstrip("/")
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": OBJECTS_A_COMMIT}
        )
        for page in pages:
            places = [(bucket, item["Key"]) for item in page.get("Contents", []) if item["Size"]]
            with ThreadPoolExecutor(FETCH_THREADS) as pool:
                fetched = list(pool.map(lambda place: fetch_object(self.s3, *place), places))
            objects = [parse_object(*one, self.columns) for one in fetched]
            rows = newest([row for rows, _ in objects for row in rows])
            errors = {place: body for _, errors in objects for place, body in errors.items()}
            self._write(Batch([], rows, errors, {}))
            self.done["backfilled"] += len(places)
            print(f"backfilled {self.done['backfilled']} objects of {location}")
            # Still at it: the message must not come back meanwhile.
            self.sqs.change_message_visibility(
                QueueUrl=self.job.queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=600
            )


def run(spark: Any, job: Job) -> dict[str, Any]:
    """Run the job; return what was done."""
    return Run(spark, job)()


def parse_arguments(argv: list[str]) -> Job:
    """Read ``--name value`` pairs; Glue's own (such as --conf) are left alone."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("queue_url", "table_path", "database", "table", "lease_table"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--table_type", choices=tuple(INPUT_FORMATS), default=Job.table_type)
    parser.add_argument("--mode", choices=("drain", "continuous"), default=Job.mode)
    parser.add_argument("--run_minutes", type=float, default=Job.run_minutes)
    parser.add_argument("--JOB_NAME", dest="job_name", default="")
    parser.add_argument("--JOB_RUN_ID", dest="run_id", default="")
    known, _ = parser.parse_known_args(argv)
    return Job(**{**vars(known), "table_path": known.table_path.rstrip("/")})


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
