"""kill -9 of the gateway at random moments: what it acknowledged is there afterwards."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from nearcast.aws import client
from nearcast.local.gateway.snapshots import read_current
from nearcast.settings import Settings
from tests.conftest import eventually, free_port
from tests.local.gateway.conftest import REGION, deploy_stacks, wait_ready
from tests.local.gateway.test_firehose import bodies, item

KILLS = 3
HOUR_MS = 3_600_000
FAILURES = (BotoCoreError, ClientError)


class Mortal:
    """A gateway that can be killed and started again in the same home, on the same port."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it serves."""
        environment = {
            **os.environ,
            "NEARCAST_HOME": str(self.home),
            "NEARCAST_GATEWAY_PORT": str(self.port),
            "NEARCAST_AWS_REGION": REGION,
            "NEARCAST_GATEWAY_SPARK": "off",
            "NEARCAST_GATEWAY_SNAPSHOT_SECONDS": "1",
        }
        log = self.home / "gateway.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nearcast.local.gateway.server"],
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_ready(self.process, self.endpoint, log)

    def kill(self) -> None:
        """Kill it at once; what it forked lives on."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop it cleanly."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(20)

    def deployed(self) -> Settings:
        """Deploy the stacks and return the settings."""
        return deploy_stacks(self.home, self.endpoint)


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    """A gateway of this module's own, ended with its whole process group."""
    gateway = Mortal(tmp_path_factory.mktemp("mortal"))
    gateway.start()
    yield gateway
    assert gateway.process is not None
    with suppress(ProcessLookupError):
        os.killpg(gateway.process.pid, signal.SIGKILL)
    gateway.process.wait()


@pytest.fixture(scope="module")
def settings(mortal: Mortal) -> Settings:
    """Its settings, with the stacks deployed."""
    return mortal.deployed()


class Writer(threading.Thread):
    """Puts rows, one after the other, one by one and in batches; remembers those that were acknowledged."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self.settings = settings
        self.acknowledged: set[str] = set()
        self.done = threading.Event()

    def run(self) -> None:
        """Write until told to end; a refused connection is tried again with the next rows."""
        dynamodb, table = client("dynamodb", self.settings), self.settings.need("prices_table")
        row = 0
        while not self.done.is_set():
            days = [
                f"{2005 + (row + i) // 280}-{(row + i) // 28 % 10 + 1:02d}-{(row + i) % 28 + 1:02d}"
                for i in range(3)
            ]
            row += 3
            try:
                if row % 2:
                    requests = [{"PutRequest": {"Item": item("CRASH", day)}} for day in days]
                    answer = dynamodb.batch_write_item(RequestItems={table: requests})
                    assert not answer["UnprocessedItems"]
                else:
                    dynamodb.put_item(TableName=table, Item=item("CRASH", days[0]))
                    days = days[:1]
            except FAILURES:
                time.sleep(0.02)
            else:
                self.acknowledged.update(days)


def stored(settings: Settings, symbol: str) -> set[str]:
    """Return the dates of a symbol in the table."""
    pages = (
        client("dynamodb", settings)
        .get_paginator("query")
        .paginate(
            TableName=settings.need("prices_table"),
            KeyConditionExpression="stock_symbol = :s",
            ExpressionAttributeValues={":s": {"S": symbol}},
            ConsistentRead=True,
        )
    )
    return {found["date"]["S"] for page in pages for found in page["Items"]}


def delivered(settings: Settings, symbol: str) -> set[str]:
    """Return the dates of a symbol in the raw objects."""
    lines = (json.loads(line) for body in bodies(settings, "prices/").values() for line in body.splitlines())
    return {line["date"] for line in lines if line["stock_symbol"] == symbol}


def told(settings: Settings) -> set[str]:
    """Take every message from the queue and return the keys that they tell of."""
    sqs, queue, keys = client("sqs", settings), settings.need("raw_queue_url"), set()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            for record in json.loads(message["Body"]).get("Records", []):
                keys.add(unquote_plus(record["s3"]["object"]["key"]))
    return keys


def catalog(settings: Settings) -> dict[str, Any]:
    """Return what was deployed and made, as its services describe it."""
    glue = client("glue", settings)
    stacks = client("cloudformation", settings).describe_stacks()["Stacks"]
    query = client("lambda", settings).list_functions()["Functions"]
    return {
        "stacks": {stack["StackName"]: stack["StackStatus"] for stack in stacks},
        "tables": {table["Name"] for table in glue.get_tables(DatabaseName="nearcast")["TableList"]},
        "crawler": glue.get_crawler(Name=settings.need("crawler"))["Crawler"]["Classifiers"],
        "job": glue.get_job(JobName=settings.need("hudi_job"))["Job"]["Command"],
        "functions": {function["FunctionName"]: function["CodeSha256"] for function in query},
        "buckets": {bucket["Name"] for bucket in client("s3", settings).list_buckets()["Buckets"]},
    }


def test_a_kill_right_after_the_deployment_loses_nothing_of_it(mortal: Mortal, settings: Settings) -> None:
    before = catalog(settings)
    mortal.kill()
    mortal.start()
    assert catalog(settings) == before
    assert set(before["stacks"].values()) == {"CREATE_COMPLETE"}


def test_every_acknowledged_row_is_in_the_table_and_arrives_and_every_object_is_told_of(
    mortal: Mortal, settings: Settings
) -> None:
    before = catalog(settings)
    moments = random.Random(7)
    writer = Writer(settings)
    writer.start()
    for _ in range(KILLS):
        time.sleep(moments.uniform(0.2, 2.5))
        mortal.kill()
        mortal.start()
    writer.done.set()
    writer.join(10)
    assert len(writer.acknowledged) > 50
    assert writer.acknowledged <= stored(settings, "CRASH")
    eventually(lambda: writer.acknowledged <= delivered(settings, "CRASH"))
    assert set(bodies(settings, "prices/")) <= told(settings)
    assert catalog(settings) == before


def test_what_the_catalog_acknowledged_is_there_after_a_kill(mortal: Mortal, settings: Settings) -> None:
    glue, sqs = client("glue", settings), client("sqs", settings)
    kinesis, athena = client("kinesis", settings), client("athena", settings)
    table = {"Name": "notes", "StorageDescriptor": {"Columns": [{"Name": "text", "Type": "string"}]}}
    glue.create_table(DatabaseName="nearcast", TableInput=table)
    partition = {"Values": ["2024"], "StorageDescriptor": {"Location": "s3://b/2024/"}}
    glue.create_partition(DatabaseName="nearcast", TableName="notes", PartitionInput=partition)
    queue = sqs.create_queue(QueueName="letters")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    kinesis.create_stream(StreamName="other", ShardCount=1)
    kinesis.put_record(StreamName="other", Data=b"record", PartitionKey="k")
    started = athena.start_query_execution(QueryString="SELECT 1", WorkGroup=settings.need("workgroup"))
    query = {"QueryExecutionId": started["QueryExecutionId"]}
    mortal.kill()
    mortal.start()
    [found] = glue.get_partitions(DatabaseName="nearcast", TableName="notes")["Partitions"]
    assert found["Values"] == ["2024"]
    assert [m["Body"] for m in sqs.receive_message(QueueUrl=queue)["Messages"]] == ["hello"]
    shard = kinesis.list_shards(StreamName="other")["Shards"][0]["ShardId"]
    place = {"StreamName": "other", "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = kinesis.get_shard_iterator(**place)["ShardIterator"]
    assert [r["Data"] for r in kinesis.get_records(ShardIterator=iterator)["Records"]] == [b"record"]
    status = athena.get_query_execution(**query)["QueryExecution"]["Status"]
    assert status["State"] in ("SUCCEEDED", "FAILED")


def test_writes_that_add_are_made_again_once(mortal: Mortal, settings: Settings) -> None:
    dynamodb, table = client("dynamodb", settings), settings.need("prices_table")
    key = {"stock_symbol": {"S": "ADD"}, "date": {"S": "2024-01-02"}}
    dynamodb.put_item(TableName=table, Item=item("ADD", "2024-01-02", volume="0"))
    for turn in range(2):
        for _ in range(10):
            dynamodb.update_item(
                TableName=table,
                Key=key,
                UpdateExpression="ADD volume :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )
        time.sleep(1.2 * turn)
        mortal.kill()
        mortal.start()
    assert dynamodb.get_item(TableName=table, Key=key)["Item"]["volume"]["N"] == "20"


def test_rows_arrive_though_the_checkpoint_is_of_a_clock_that_was_an_hour_ahead(
    mortal: Mortal, settings: Settings
) -> None:
    dynamodb, table = client("dynamodb", settings), settings.need("prices_table")
    dynamodb.put_item(TableName=table, Item=item("CLOCK", "2024-01-02"))
    eventually(lambda: delivered(settings, "CLOCK"))
    mortal.kill()
    [checkpoint] = (mortal.home / "gateway" / "delivery").glob("*.json")
    ahead = f"{time.time() * 1000 + HOUR_MS:020.0f}{7:010d}"
    shards = json.loads(checkpoint.read_text())
    checkpoint.write_text(json.dumps(dict.fromkeys(shards, ahead)))
    mortal.start()
    dynamodb.put_item(TableName=table, Item=item("CLOCK", "2024-01-03"))
    mortal.kill()
    # Its record is in the stream, replayed, before the delivery looks for its place by the checkpoint.
    mortal.start()
    eventually(lambda: {"2024-01-03"} <= delivered(settings, "CLOCK"))


def test_runs_and_crawls_that_a_kill_ended_do_not_stand_in_the_way(
    mortal: Mortal, settings: Settings
) -> None:
    glue = client("glue", settings)
    job, crawler = settings.need("hudi_job"), settings.need("crawler")
    glue.start_crawler(Name=crawler)
    run = glue.start_job_run(JobName=job)["JobRunId"]
    mortal.kill()
    mortal.start()
    found = glue.get_job_run(JobName=job, RunId=run)["JobRun"]
    assert found["JobRunState"] == "FAILED"
    assert "gateway ended" in found["ErrorMessage"]
    eventually(lambda: glue.get_crawler(Name=crawler)["Crawler"]["State"] == "READY")
    glue.start_crawler(Name=crawler)
    second = glue.start_job_run(JobName=job)["JobRunId"]
    glue.batch_stop_job_run(JobName=job, JobRunIds=[second])
    # Their outcomes are logged when they end: the next test looks at a log that nobody writes to.
    eventually(lambda: glue.get_job_run(JobName=job, RunId=second)["JobRun"]["JobRunState"] == "STOPPED")
    eventually(lambda: glue.get_crawler(Name=crawler)["Crawler"]["State"] == "READY")


def test_a_crawler_still_knows_after_a_kill_what_it_has_read(mortal: Mortal, settings: Settings) -> None:
    s3, glue, crawler = client("s3", settings), client("glue", settings), settings.need("crawler")

    def crawled() -> str:
        glue.start_crawler(Name=crawler)
        eventually(lambda: glue.get_crawler(Name=crawler)["Crawler"]["State"] == "READY")
        return str(glue.get_crawler(Name=crawler)["Crawler"]["LastCrawl"]["Status"])

    bucket, key = settings.need("raw_bucket"), "prices/year=2030/month=01/read-once"
    s3.put_object(Bucket=bucket, Key=key, Body=b'{"version": 1}\n')
    assert crawled() == "SUCCEEDED"
    mortal.kill()
    mortal.start()
    # Whoever reads it again fails.
    [path] = (mortal.home / "gateway" / "s3").glob(f"**/{key}")
    path.write_bytes(b"{")
    assert crawled() == "SUCCEEDED"
    assert len(glue.list_crawls(CrawlerName=crawler)["Crawls"]) >= 2
    s3.delete_object(Bucket=bucket, Key=key)


def test_a_clean_stop_saves_everything_and_leaves_no_log_to_make_again(
    mortal: Mortal, settings: Settings
) -> None:
    dynamodb, table = client("dynamodb", settings), settings.need("prices_table")
    dynamodb.put_item(TableName=table, Item=item("STOP", "2024-01-02"))
    before = catalog(settings)
    mortal.stop()
    state = mortal.home / "gateway" / "state"
    current = read_current(state)
    assert current.clean
    assert [path.name for path in state.iterdir() if path.is_dir()] == [str(current.number)]
    assert [path.stat().st_size for path in (mortal.home / "gateway" / "wal").iterdir()] == [0]
    mortal.start()
    assert catalog(settings) == before
    assert stored(settings, "STOP") == {"2024-01-02"}
