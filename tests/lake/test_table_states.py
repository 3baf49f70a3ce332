"""One history of a table, read by hudi-rs, Spark and Athena after each step: all three are the oracle's rows.

The steps: insert, correction, deletion, late events, a new column, many small commits (with cleaning, archiving
and, for merge-on-read, compaction), a backfill. The oracle is a dictionary.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from nearcast.aws import client
from nearcast.lake import hudi_job
from nearcast.lake.query import query
from nearcast.schema import BAR, DATABASE
from nearcast.settings import Settings
from tests.lake import objects
from tests.local.gateway.test_jobs import run as run_job

NAMES = [column.name for column in BAR]
SYMBOLS = ("AAA", "B.B", "^C")
Key = tuple[str, str]
READER = """
import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
frame = spark.read.format("hudi").load(given["--table_path"])
names = [name for name in frame.columns if not name.startswith("_hoodie_") and name != "year"]
rows = [[str(v) if hasattr(v, "isoformat") else v for v in row] for row in frame.select(names).collect()]
types = {field.name: field.dataType.simpleString() for field in frame.schema if field.name in names}
import boto3
body = json.dumps({"names": names, "types": types, "rows": rows})
boto3.client("s3").put_object(Bucket=given["--bucket"], Key=given["--key"], Body=body.encode())
"""


class Table:
    """A Hudi table with a job and a queue of its own, and the oracle of its rows."""

    def __init__(self, settings: Settings, kind: str) -> None:
        self.settings = settings
        self.name = f"states_{kind.lower()}"
        self.bucket = settings.need("hudi_bucket")
        self.path = f"s3://{self.bucket}/{self.name}"
        self.queue = client("sqs", settings).create_queue(QueueName=self.name)["QueueUrl"]
        self.held: dict[Key, dict[str, Any]] = {}
        self.deleted: dict[Key, int] = {}
        self.version = 100
        glue = client("glue", settings)
        job = glue.get_job(JobName=settings.need("hudi_job"))["Job"]
        changed = {"--queue_url": self.queue, "--table_path": self.path, "--table": self.name}
        arguments = {**job["DefaultArguments"], **changed, "--table_type": kind}
        glue.create_job(Name=self.name, Role="r", Command=job["Command"], DefaultArguments=arguments)
        artifacts = settings.need("artifacts_bucket")
        client("s3", settings).put_object(Bucket=artifacts, Key="jobs/read.py", Body=READER.encode())
        command = {"Name": "glueetl", "ScriptLocation": f"s3://{artifacts}/jobs/read.py"}
        read_arguments = {"--table_path": self.path, "--bucket": artifacts, "--key": "read"}
        glue.create_job(Name=f"{self.name}_read", Role="r", Command=command, DefaultArguments=read_arguments)

    def remove(self) -> None:
        """Remove the jobs, the queue and the raw objects."""
        for name in (self.name, f"{self.name}_read"):
            client("glue", self.settings).delete_job(JobName=name)
        client("sqs", self.settings).delete_queue(QueueUrl=self.queue)
        for prefix in ("states/", "errors/"):
            objects.remove(self.settings, prefix)

    def line(self, symbol: str, day: str, version: int, **more: Any) -> bytes:
        """Return a raw line, and tell the oracle of it."""
        value = {"stock_symbol": symbol, "date": day, "version": version, **more}
        if not more.get("deleted"):
            numbers = {"open_price": 10.0, "high_price": 12.5, "low_price": 9.1, "close_price": 0.1 + version}
            value = {**numbers, "volume": 10**10 + version, **value}
        key = (symbol, day)
        newest = max(self.deleted.get(key, -1), self.held.get(key, {"version": -1})["version"])
        if version > newest:
            self.held.pop(key, None)
            if more.get("deleted"):
                self.deleted[key] = version
            else:
                self.held[key] = value
        return json.dumps({**value, "event_name": "MODIFY", "event_time": "2026-11-24"}).encode()

    def put(self, *lines: bytes, notified: bool = True) -> None:
        """Store a raw object; the queue is told of it."""
        key = f"states/{self.name}/{uuid.uuid4()}"
        raw = self.settings.need("raw_bucket")
        client("s3", self.settings).put_object(Bucket=raw, Key=key, Body=b"\n".join(lines))
        event = {"Records": [{"s3": {"bucket": {"name": raw}, "object": {"key": quote_plus(key)}}}]}
        if notified:
            self.send(event)

    def send(self, body: Any) -> None:
        """Send a message to the job's queue."""
        client("sqs", self.settings).send_message(QueueUrl=self.queue, MessageBody=json.dumps(body))

    def commit(self) -> None:
        """Run the job to its end."""
        ended = run_job(self.settings, self.name)
        assert ended["JobRunState"] == "SUCCEEDED", ended

    def files(self) -> list[str]:
        """Return the keys of the table's objects, relative to it."""
        pages = client("s3", self.settings).get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=f"{self.name}/")
        keys = [item["Key"] for page in found for item in page.get("Contents", [])]
        return [key.partition("/")[2] for key in keys if not key.endswith("/")]

    def by_hudi_rs(self, folder: Path) -> tuple[dict[str, str], list[dict[str, Any]]]:
        """Return types and rows as hudi-rs reads them."""
        import pyarrow as pa
        from hudi import HudiTableBuilder

        for key in self.files():
            target = folder / key
            target.parent.mkdir(parents=True, exist_ok=True)
            body = client("s3", self.settings).get_object(Bucket=self.bucket, Key=f"{self.name}/{key}")
            target.write_bytes(body["Body"].read())
        batches = HudiTableBuilder.from_base_uri(folder.as_uri()).build().read()
        tables = [pa.table(pa.record_batch(batch)) for batch in batches]
        table = pa.concat_tables(tables, promote_options="default")
        names = [n for n in table.column_names if not n.startswith("_hoodie_") and n != "year"]
        translated = {"date32[day]": "date", "int64": "bigint", "bool": "boolean"}
        types = {n: translated.get(str(table.field(n).type), str(table.field(n).type)) for n in names}
        return types, table.select(names).to_pylist()

    def by_spark(self) -> tuple[dict[str, str], list[dict[str, Any]]]:
        """Return types and rows as Spark reads them, by a Glue job."""
        assert run_job(self.settings, f"{self.name}_read")["JobRunState"] == "SUCCEEDED"
        artifacts = self.settings.need("artifacts_bucket")
        body = client("s3", self.settings).get_object(Bucket=artifacts, Key="read")["Body"].read()
        answer = json.loads(body)
        return answer["types"], [dict(zip(answer["names"], row, strict=True)) for row in answer["rows"]]

    def by_athena(self) -> tuple[dict[str, str], list[dict[str, Any]]]:
        """Return types and rows as Athena reads them, with the catalog's types."""
        columns = [
            column
            for column in client("glue", self.settings).get_table(DatabaseName=DATABASE, Name=self.name)[
                "Table"
            ]["StorageDescriptor"]["Columns"]
            if not column["Name"].startswith("_hoodie_")
        ]
        names = ["stock_symbol", *(column["Name"] for column in columns)]
        answer = query(self.settings, f"SELECT {', '.join(names)} FROM {self.name}")
        types = {"stock_symbol": "string"} | {column["Name"]: column["Type"] for column in columns}
        return types, [dict(zip(names, row, strict=True)) for row in answer.rows]

    def check(self, folder: Path, others: dict[str, str]) -> None:
        """Compare all three readers with the oracle; ``others`` are the columns beyond a bar's, with types."""
        types = {column.name: column.lake for column in BAR} | others
        expected = {key: tuple(row.get(name) for name in types) for key, row in sorted(self.held.items())}
        for found_types, rows in (self.by_hudi_rs(folder), self.by_spark(), self.by_athena()):
            assert found_types == types
            found = {
                (row["stock_symbol"], str(row["date"])): (
                    row["stock_symbol"],
                    str(row["date"]),
                    *(row[name] for name in types if name not in hudi_job.RECORD_KEY),
                )
                for row in rows
            }
            assert len(rows) == len(found)
            assert found == expected


@pytest.fixture(params=["COPY_ON_WRITE", "MERGE_ON_READ"])
def table(deployed: Settings, request: pytest.FixtureRequest) -> Iterator[Table]:
    """A table of each type."""
    made = Table(deployed, request.param)
    yield made
    made.remove()


def days(year: int, count: int) -> list[str]:
    """Return so many days of a year."""
    return [(date(year, 1, 1) + timedelta(days=i)).isoformat() for i in range(count)]


def test_all_readers_return_the_oracles_rows_in_every_state(table: Table, tmp_path: Path) -> None:
    step = iter(range(100))

    def check(**others: str) -> None:
        table.check(tmp_path / str(next(step)), others)

    table.put(*(table.line(s, day, 100) for s in SYMBOLS for year in (2022, 2023) for day in days(year, 3)))
    table.commit()
    check()
    table.put(table.line("AAA", "2023-01-02", 201), table.line("B.B", "2022-01-01", 202))  # corrections
    table.put(
        table.line("^C", "2023-01-03", 203, deleted=True), table.line("^C", "2022-01-01", 204, deleted=True)
    )
    table.commit()
    check()
    late = [table.line("AAA", "2023-01-02", 150), table.line("^C", "2023-01-03", 202)]
    table.put(*late, table.line("^C", "2022-01-01", 205))  # that one is newer than the deletion
    table.commit()
    check()
    new = {"adjusted": 7, "note": "ü", "checked": True}
    table.put(table.line("AAA", "2023-01-01", 300, **new), table.line("AAA", "2023-01-09", 301, adjusted=0.5))
    table.put(b'{"stock_symbol": "AAA", "broken')
    table.commit()
    others = {"adjusted": "double", "note": "string", "checked": "boolean"}
    check(**others)
    raw, s3 = table.settings.need("raw_bucket"), client("s3", table.settings)
    refused = json.loads(table.line("AAA", "2023-01-01", 300)) | {"version": 400, "note": 5}
    table.put(json.dumps(refused).encode())
    table.commit()
    errors = s3.list_objects_v2(Bucket=raw, Prefix="errors/hudi-job-failed/")["Contents"]
    newest = max(errors, key=lambda item: item["LastModified"])
    reason = json.loads(s3.get_object(Bucket=raw, Key=newest["Key"])["Body"].read())["errorMessage"]
    assert reason == "ValueError: note is 5, a double, and the table's column is a string"
    for version in range(500, 514):
        table.put(table.line("AAA", days(2023, 12)[version % 12], version, adjusted=version))
        table.commit()
    check(**others)
    files = table.files()
    assert any(key.endswith(".clean") for key in files)
    assert sum("stock_symbol=AAA/year=2023/" in key for key in files) < 14
    if table.name.endswith("read"):
        assert any(key.endswith(".commit") for key in files), "no compaction"
    table.put(table.line("B.B", "2022-01-02", 600), notified=False)
    table.send({"backfill": f"s3://{raw}/states/{table.name}/"})
    table.commit()
    check(**others)
