"""What Firehose documents of Lambda's answers, partitions, names and counters, held through boto3."""

from __future__ import annotations

import base64
import datetime
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr

from nearcast.dashboard.delivery import read_delivery
from nearcast.settings import Settings
from tests.conftest import eventually
from tests.local.gateway.conftest import Gateway
from tests.local.gateway.delivery import Stream, create_actor, processing, processor

RETRIES = 1
PREFIX = "data/k=!{partitionKeyFromLambda:k}/"
ERRORS = "errors/!{firehose:error-output-type}/"
NAME = re.compile(r"rules-1-(\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)-[0-9a-f-]{36}$")


@pytest.fixture(scope="module")
def stream(gateway: Gateway) -> Stream:
    """A delivery stream with the Lambda, dynamic partitioning and delimiters."""
    made = Stream(gateway, "rules")
    arn = create_actor(gateway, timeout_s=1)
    made.create(
        Prefix=PREFIX,
        ErrorOutputPrefix=ERRORS,
        BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 1},
        DynamicPartitioningConfiguration={"Enabled": True},
        ProcessingConfiguration=processing(
            processor("Lambda", LambdaArn=arn, NumberOfRetries=str(RETRIES), BufferIntervalInSeconds="0"),
            processor("AppendDelimiterToRecord", Delimiter="\\n"),
        ),
    )
    return made


@pytest.fixture(scope="module")
def plain(gateway: Gateway) -> Stream:
    """A delivery stream without Lambda and partitions."""
    made = Stream(gateway, "plain")
    made.create(
        Prefix="at/!{timestamp:yyyy-MM-dd-HH-mm-ss}/",
        ErrorOutputPrefix=ERRORS,
        BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 900},
    )
    return made


def record(test: str, number: int, do: str = "", **more: Any) -> dict[str, Any]:
    """Return a record that asks the Lambda to do something with it."""
    return {"test": test, "number": number, "do": do, **more}


def wait_failures(stream: Stream, test: str, count: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the failures of a test once there are ``count``."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = eventually(
        lambda: (failed := stream.failures(test)) and len(failed) >= count and failed
    )
    assert len(found) == count
    return found


def test_each_record_of_a_batch_ends_where_its_result_says(stream: Stream) -> None:
    asked = [
        record("results", 0),
        record("results", 1, result="Dropped"),
        record("results", 2, result="ProcessingFailed"),
        record("results", 3, "leave out"),
        record("results", 4, "twice"),
        record("results", 5, result="ok"),
        record("results", 6, data="not base64!"),
        record("results", 7),
    ]
    stream.put(*asked)
    failed = wait_failures(stream, "results", 5)
    assert {put["number"]: line["errorCode"] for line, put in failed} == {
        2: "Lambda.ProcessingFailedStatus",
        3: "Lambda.MissingRecordId",
        4: "Lambda.DuplicatedRecordId",
        5: "Lambda.JsonProcessingException",
        6: "Lambda.JsonProcessingException",
    }
    good = eventually(lambda: [line for line in stream.lines("data/k=plain/") if line["test"] == "results"])
    # The dropped record is in neither place.
    assert [line["number"] for line in good] == [0, 7]
    assert all(put in asked for _, put in failed)


def test_the_failure_document_has_the_documented_fields(stream: Stream) -> None:
    before = time.time() * 1000
    put = json.dumps(record("document", 0, result="ProcessingFailed")).encode()
    stream.put(put)
    line, _ = wait_failures(stream, "document", 1)[0]
    assert list(line) == [
        "attemptsMade",
        "arrivalTimestamp",
        "errorCode",
        "errorMessage",
        "attemptEndingTimestamp",
        "rawData",
        "lambdaArn",
    ]
    assert before - 1000 < line["arrivalTimestamp"] <= line["attemptEndingTimestamp"] < time.time() * 1000 + 1
    assert base64.b64decode(line["rawData"]) == put
    assert line["attemptsMade"] == 1 and line["lambdaArn"].endswith(":function:actor")
    assert all(key.startswith("errors/processing-failed/rules-1-") for key in stream.objects("errors/proc"))


@pytest.mark.parametrize(
    ("do", "more", "code", "attempts"),
    [
        ("raise", {}, "Lambda.FunctionError", 1 + RETRIES),
        ("sleep", {}, "Lambda.FunctionTimedOut", 1 + RETRIES),
        ("much", {}, "Lambda.FunctionError", 1 + RETRIES),
        ("", {"keys": {"k": "\ud800"}}, "Lambda.FunctionError", 1 + RETRIES),
        ("", {"whole": "no object"}, "Lambda.JsonProcessingException", 1),
        ("", {"whole": {"records": [{"result": "Ok"}]}}, "Lambda.JsonProcessingException", 1),
    ],
)
def test_an_invocation_that_fails_is_retried_and_then_the_whole_batch_is_failed(
    stream: Stream, do: str, more: dict[str, Any], code: str, attempts: int
) -> None:
    name = f"batch {do} {more}"
    stream.put(record(name, 0), record(name, 1, do, **more), record(name, 2))
    failed = wait_failures(stream, name, 3)
    assert sorted(put["number"] for _, put in failed) == [0, 1, 2]
    assert {(line["errorCode"], line["attemptsMade"]) for line, _ in failed} == {(code, attempts)}


def test_a_retry_that_succeeds_delivers_the_batch_once(stream: Stream, tmp_path: Path) -> None:
    file = str(tmp_path / "count")
    stream.put(record("flaky", 0, "fail first", file=file, times=1), record("flaky", 1))
    found = eventually(lambda: [line for line in stream.lines("data/") if line["test"] == "flaky"])
    assert [line["number"] for line in found] == [0, 1]
    assert Path(file).read_text() == ".."
    assert not stream.failures("flaky")


def test_a_partition_key_that_cannot_be_part_of_an_objects_key_fails_its_record(stream: Stream) -> None:
    bad: list[dict[str, Any]] = [{}, {"k": ""}, {"k": None}, {"k": "a\nb"}, {"k": "\x9f"}, {"k": "x" * 600}]
    asked = [record("keys", number, keys=keys) for number, keys in enumerate(bad)]
    stream.put(*asked, record("keys", 10, keys={"k": "é t!{firehose:x}"}), record("keys", 11, keys={"k": 7}))
    failed = wait_failures(stream, "keys", len(bad))
    assert {line["errorCode"] for line, _ in failed} == {"DynamicPartitioning.MetadataExtractionFailed"}
    assert sorted(put["number"] for _, put in failed) == list(range(len(bad)))
    good = eventually(
        lambda: (found := stream.objects("data/k=")) and any("k=7/" in key for key in found) and found
    )
    assert any(key.startswith("data/k=é t!{firehose:x}/") for key in good)


def test_each_partition_is_delivered_when_its_own_interval_ends(stream: Stream) -> None:
    """The second of two overlapping partitions is not delivered along with the first."""
    stream.put(record("before", 0))
    # From here on each record is read as it comes.
    eventually(lambda: [line for line in stream.lines("data/") if line["test"] == "before"])
    stream.put(record("apart", 0, keys={"k": "first"}))
    time.sleep(0.6)
    stream.put(record("apart", 1, keys={"k": "second"}))
    eventually(lambda: stream.objects("data/k=first/"))
    eventually(lambda: stream.objects("data/k=second/"))
    lag = [
        written_at(stream, prefix) - arrived_at(stream, number)
        for number, prefix in enumerate(("data/k=first/", "data/k=second/"))
    ]
    assert all(seconds >= 1.0 for seconds in lag)


def written_at(stream: Stream, prefix: str) -> float:
    """Return when the only object under a prefix was written (its file's own time, to the microsecond)."""
    key = next(iter(stream.objects(prefix)))
    found = list((stream.gateway.home / "gateway" / "s3").rglob(key.rpartition("/")[2]))
    return found[0].stat().st_mtime


def arrived_at(stream: Stream, number: int) -> float:
    """Return when record ``number`` of the test came into the Kinesis stream (epoch seconds)."""
    kinesis = stream.gateway.client("kinesis")
    shard = kinesis.list_shards(StreamName=stream.name)["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(
        StreamName=stream.name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    for found in kinesis.get_records(ShardIterator=iterator)["Records"]:
        put = json.loads(found["Data"])
        if (put["test"], put["number"]) == ("apart", number):
            return float(found["ApproximateArrivalTimestamp"].timestamp())
    raise AssertionError("the record is not in the stream")


def test_delimiters_are_appended_and_names_have_version_and_time(stream: Stream) -> None:
    stream.put(record("names", 0, keys={"k": "names"}), record("names", 1, keys={"k": "names"}))
    (key, body), *rest = eventually(lambda: list(stream.objects("data/k=names/").items()))
    lines = [json.dumps(record("names", number, keys={"k": "names"})) + "\n" for number in (0, 1)]
    assert body.decode() == "".join(lines) and not rest
    named = NAME.search(key)
    assert named
    moment = datetime.datetime.strptime(named.group(1), "%Y-%m-%d-%H-%M-%S").replace(tzinfo=datetime.UTC)
    assert abs(datetime.datetime.now(datetime.UTC) - moment) < datetime.timedelta(minutes=2)


def test_the_counters_agree_with_what_was_put_and_delivered(stream: Stream) -> None:
    """Read = delivered + failed + dropped, each as counted in another way."""
    stream.put(record("counters", 0), record("counters", 1, result="Dropped"))
    eventually(lambda: [line for line in stream.lines("data/") if line["test"] == "counters"])
    eventually(
        lambda: (
            metric(stream, "DataReadFromKinesisStream.Records", "Sum") == stream.put_records
            and metric(stream, "DeliveryToS3.ObjectCount", "Sum") == len(stream.objects())
        )
    )
    delivered = sum(body.count(b"\n") for body in stream.objects("data/").values())
    assert metric(stream, "DeliveryToS3.Records", "Sum") == delivered
    failed = len(stream.lines("errors/"))
    dropped = metric(stream, "SucceedProcessing.Records", "Sum") - delivered
    assert dropped >= 1 and delivered + failed + dropped == stream.put_records
    written = sum(map(len, stream.objects("data/").values()))
    assert metric(stream, "DeliveryToS3.Bytes", "Sum") == written
    assert metric(stream, "DeliveryToS3.DataFreshness", "Maximum") >= 1
    assert metric(stream, "ActivePartitionsLimit", "Maximum") == 500
    shown = read_delivery(
        Settings(
            aws_endpoint_url=stream.gateway.endpoint,
            aws_access_key_id="000000000000",
            aws_secret_access_key=SecretStr("local"),
            delivery_stream=stream.name,
        )
    )
    assert (shown.read, shown.delivered, shown.problem) == (stream.put_records, delivered, "")
    assert 0 < shown.succeeded <= shown.invocations and shown.freshness_s is not None


def metric(stream: Stream, name: str, statistic: str) -> float:
    """Return a metric of the last hour."""
    now = datetime.datetime.now(datetime.UTC)
    answer = stream.gateway.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Firehose",
        MetricName=name,
        Dimensions=[{"Name": "DeliveryStreamName", "Value": stream.name}],
        StartTime=now - datetime.timedelta(hours=1),
        EndTime=now + datetime.timedelta(minutes=1),
        Period=7200,
        Statistics=[statistic],
    )
    return float(sum(point[statistic] for point in answer["Datapoints"]))


def test_without_lambda_the_size_triggers_and_times_are_the_oldest_records(plain: Stream) -> None:
    """One MiB is reached long before the interval; the prefix tells when the first record came, not the last."""
    first = time.time()
    plain.put(b"a" * 700_000)
    time.sleep(1.1)
    plain.put(b"b" * 700_000)
    (key, body), *rest = eventually(lambda: list(plain.objects().items()))
    assert body == b"a" * 700_000 + b"b" * 700_000 and not rest
    seconds = [time.strftime("%Y-%m-%d-%H-%M-%S", time.gmtime(first + late)) for late in (0, 1)]
    assert key.split("/")[1] in seconds


def test_records_wait_while_their_bucket_is_away(gateway: Gateway) -> None:
    stream = Stream(gateway, "away")
    stream.create(BufferingHints={"IntervalInSeconds": 0})
    s3 = gateway.client("s3")
    s3.delete_bucket(Bucket="away")
    stream.put(b"one", b"two")
    log = gateway.home / "gateway.log"
    eventually(lambda: '"delivery_stream": "away", "event": "delivery step failed"' in log.read_text())
    s3.create_bucket(Bucket="away")
    assert b"".join(eventually(stream.objects).values()) == b"onetwo"


def test_the_version_in_the_names_grows_with_each_change(
    gateway: Gateway, stream: Stream, plain: Stream
) -> None:
    firehose = gateway.client("firehose")
    described = firehose.describe_delivery_stream(DeliveryStreamName="plain")["DeliveryStreamDescription"]
    change = {
        "DeliveryStreamName": "plain",
        "CurrentDeliveryStreamVersionId": described["VersionId"],
        "DestinationId": described["Destinations"][0]["DestinationId"],
    }
    with pytest.raises(ClientError, match="when a delivery stream is created") as refused:
        extended = stream_config(stream, described)
        firehose.update_destination(**change, ExtendedS3DestinationUpdate=extended)
    assert refused.value.response["Error"]["Code"] == "InvalidArgumentException"
    firehose.update_destination(
        **change, ExtendedS3DestinationUpdate={"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}}
    )
    plain.put(b"later")
    eventually(lambda: [key for key in plain.objects() if "/plain-2-" in key])


def stream_config(stream: Stream, described: dict[str, Any]) -> dict[str, Any]:
    """Return what would turn on dynamic partitioning, valid by itself."""
    answer = stream.gateway.client("firehose").describe_delivery_stream(DeliveryStreamName=stream.name)
    s3 = answer["DeliveryStreamDescription"]["Destinations"][0]["ExtendedS3DestinationDescription"]
    names = ("Prefix", "BufferingHints", "DynamicPartitioningConfiguration", "ProcessingConfiguration")
    return {name: s3[name] for name in names}
