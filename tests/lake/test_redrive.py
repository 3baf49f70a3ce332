"""Redrive: what passes now goes through again, what still fails stays with its reason, nothing is lost."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nearcast.aws import client
from nearcast.commands.lake import lake
from nearcast.deploy.artifacts import package_transformer
from nearcast.errors import LakeError
from nearcast.lake import redrive as module
from nearcast.lake.counts import raw_rows
from nearcast.lake.redrive import redrive
from nearcast.settings import Settings
from nearcast.stream import transformer
from tests.conftest import eventually
from tests.lake.objects import bodies, lines, put, remove

INSERT = json.loads((Path(__file__).parents[1] / "stream" / "change_records_aws.json").read_text())["insert"]
TRANSFORMER = Path(transformer.__file__).read_text()
ROW = {
    "stock_symbol": "REDLINE",
    "date": "2009-03-02",
    **dict.fromkeys(("open_price", "high_price", "low_price", "close_price"), 1.5),
    "volume": 7,
    "version": 1,
}


@pytest.fixture
def world(deployed: Settings) -> Iterator[Settings]:
    """Settings of the world, with no failed records and the right Lambda before and after."""
    remove(deployed, "errors/")
    yield deployed
    use_lambda(deployed, package_transformer())
    remove(deployed, "errors/")
    remove(deployed, "prices/")


def use_lambda(settings: Settings, package: bytes) -> None:
    """Put other code into the deployed Lambda."""
    client("lambda", settings).update_function_code(
        FunctionName=settings.need("transformer"), ZipFile=package
    )


def packaged(source: str) -> bytes:
    """Return a Lambda's package with this source."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("transformer.py", source)
    return packed.getvalue()


def change(symbol: str, day: str) -> bytes:
    """Return the change record of an insert."""
    record = json.loads(json.dumps(INSERT))
    for part in ("Keys", "NewImage"):
        record["dynamodb"][part] |= {"stock_symbol": {"S": symbol}, "date": {"S": day}}
    return json.dumps(record).encode()


def failed(data: bytes, **more: Any) -> bytes:
    """Return a line of an error object, as Firehose writes it."""
    document = {
        "attemptsMade": 1,
        "arrivalTimestamp": 1687368186000,
        "errorCode": "Lambda.ProcessingFailedStatus",
        "errorMessage": "ProcessingFailed status set for record",
        "attemptEndingTimestamp": 1687368187000,
        "rawData": base64.b64encode(data).decode(),
        **more,
    }
    return json.dumps(document).encode() + b"\n"


def raw_keys(settings: Settings, year: int) -> list[tuple[str, str]]:
    """Return the keys of the raw lines of a year."""
    records = [json.loads(line) for line in lines(settings, f"prices/year={year}/")]
    return sorted((record["stock_symbol"], record["date"]) for record in records)


def test_what_a_mended_lambda_takes_goes_through_again_and_the_rest_stays_with_its_reason(
    world: Settings,
) -> None:
    events = 'EVENTS = ("INSERT", "MODIFY", "REMOVE")'
    assert TRANSFORMER.count(events) == 1
    use_lambda(world, packaged(TRANSFORMER.replace(events, 'EVENTS = ("INSERT", "MODIFY")')))
    dynamodb, table = client("dynamodb", world), world.need("prices_table")
    key = {"stock_symbol": {"S": "REDONE"}, "date": {"S": "2008-02-01"}}
    dynamodb.put_item(TableName=table, Item={**INSERT["dynamodb"]["NewImage"], **key})
    dynamodb.put_item(TableName=table, Item={**key, "version": {"N": "8"}, "deleted": {"BOOL": True}})
    dynamodb.delete_item(TableName=table, Key=key)
    dynamodb.put_item(TableName=table, Item={**INSERT["dynamodb"]["NewImage"], "date": {"S": "nodate"}})
    eventually(lambda: len(lines(world, "errors/processing-failed/")) == 2)
    report = redrive(world)
    assert (report.redriven, report.still_failing) == (0, 2)
    reasons = sorted(one.reason for one in report.reasons)
    assert "Invalid isoformat" in reasons[0] and "nearcast deploy" in reasons[1]

    use_lambda(world, package_transformer())
    report = redrive(world)
    assert (report.redriven, report.still_failing) == (1, 1)
    eventually(lambda: len(lines(world, "prices/year=2008/")) == 2)
    versions = [json.loads(line) for line in lines(world, "prices/year=2008/")]
    assert sorted((one["version"], one["deleted"]) for one in versions) == [(7, False), (8, True)]
    left = bodies(world, "errors/")
    [line] = [json.loads(line) for body in left.values() for line in body.splitlines()]
    assert (
        "Invalid isoformat" in line["errorMessage"] and line["errorCode"] == "Lambda.ProcessingFailedStatus"
    )
    assert "nodate" in base64.b64decode(line["rawData"]).decode()
    assert redrive(world).still_failing == 1 and bodies(world, "errors/") == left


def test_a_raw_line_that_the_job_takes_now_becomes_a_raw_object_and_the_others_stay(world: Settings) -> None:
    good, bad = json.dumps(ROW).encode(), b'{"stock_symbol": "REDLINE"}'
    key = "errors/hudi-job-failed/2026/11/24/x"
    put(world, key, failed(good) + failed(bad) + b"no error record\n")
    report = redrive(world)
    assert (report.redriven, report.still_failing) == (1, 2)
    assert lines(world, "prices/year=2009/month=03/") == [good]
    assert bodies(world, key)[key].splitlines()[1] == b"no error record"
    document = json.loads(bodies(world, key)[key].splitlines()[0])
    assert base64.b64decode(document["rawData"]) == bad and "date is None" in document["errorMessage"]
    assert sorted(one.reason.split(":")[0] for one in report.reasons) == [
        "ValueError",
        "the error record has no rawData",
    ]


def test_the_command_reports_in_json(world: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARCAST_HOME", str(world.home))
    put(world, "errors/hudi-job-failed/2026/11/24/y", failed(json.dumps(ROW).encode()) + failed(b"{"))
    answer = CliRunner().invoke(lake, ["redrive", "--json"])
    document = json.loads(answer.stdout)
    assert answer.exit_code == 0 and (document["redriven"], document["still_failing"]) == (1, 1)
    [reason] = document["reasons"]
    assert reason["records"] == 1 and reason["example"] == "errors/hudi-job-failed/2026/11/24/y"
    assert "still failing: 1" in CliRunner().invoke(lake, ["redrive"]).stdout


def test_a_raw_line_that_is_no_row_is_not_counted_as_one(world: Settings) -> None:
    line = json.dumps(ROW).encode()
    put(
        world,
        "prices/year=2009/month=03/x",
        b"\n".join([line, b"{oops", b"[]", b'{"stock_symbol": "REDLINE"}', line]),
    )
    assert raw_rows(world, ["REDLINE"]) == 1


def test_a_deletion_mark_that_failed_once_is_done_with(world: Settings) -> None:
    mark = json.loads(change("REDMARK", "2007-01-02"))
    mark["dynamodb"]["NewImage"]["deleted"] = {"BOOL": True}
    put(world, "errors/processing-failed/2026/11/24/mark", failed(json.dumps(mark).encode()))
    assert redrive(world).redriven == 1
    assert bodies(world, "errors/") == {}


def test_an_interruption_loses_nothing(world: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [f"2006-01-{day:02d}" for day in range(1, 29)]
    for day in days:
        put(world, f"errors/processing-failed/2026/11/24/{day}", failed(change("REDSTOP", day)))
    before = bodies(world, "errors/")
    sent = module._put_records

    def interrupted(settings: Settings, entries: list[dict[str, Any]]) -> None:
        sent(settings, entries[:5])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(module, "_put_records", interrupted)
        redrive(world)
    assert bodies(world, "errors/") == before
    assert redrive(world).redriven == len(days)
    assert bodies(world, "errors/") == {}
    eventually(lambda: len(raw_keys(world, 2006)) >= len(days) + 5)
    assert sorted(set(raw_keys(world, 2006))) == [("REDSTOP", day) for day in days]


def test_a_stream_that_refuses_some_records_gets_them_again(
    world: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PutRecords answers for each record; those with an error code were not taken."""
    taken: list[str] = []

    class Stream:
        def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
            assert StreamName == world.need("stream_name")
            taken.extend(one["PartitionKey"] for one in Records[::2])
            refusal = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"}
            return {"Records": [refusal if i % 2 else {"ShardId": "0"} for i in range(len(Records))]}

    monkeypatch.setattr(module, "client", lambda service, settings: Stream())
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    module._put_changes(world, [(str(i), b"x") for i in range(1200)])
    assert sorted(map(int, taken)) == list(range(1200))


def test_two_redrives_at_the_same_time_lose_nothing_of_many_objects(world: Settings) -> None:
    keys = [(f"RED{i:04d}", f"2005-{1 + i % 12:02d}-01") for i in range(1200)]

    def fail(start: int) -> None:
        records = b"".join(failed(change(*key)) for key in keys[start : start + 2])
        put(world, f"errors/processing-failed/2026/11/24/{start:05d}", records)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fail, range(0, len(keys), 2)))
    worked: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: redrive(world, worked.append), range(2)))
    assert sum(report.redriven for report in reports) >= len(keys) and sum(worked) >= len(keys) // 2
    assert bodies(world, "errors/") == {}
    eventually(lambda: sorted(set(raw_keys(world, 2005))) == sorted(keys))


def test_a_lambda_that_fails_is_an_error_and_everything_stays(world: Settings) -> None:
    use_lambda(
        world, packaged("def lambda_handler(event, context):\n    raise RuntimeError('out of order')\n")
    )
    put(world, "errors/processing-failed/2026/11/24/a", failed(change("REDFAIL", "2004-01-02")))
    before = bodies(world, "errors/")
    with pytest.raises(LakeError, match="out of order"):
        redrive(world)
    assert bodies(world, "errors/") == before


def test_messages_of_the_dead_letter_queue_return_to_the_raw_queue(world: Settings) -> None:
    sqs, url = client("sqs", world), world.need("raw_queue_url")
    dead = sqs.get_queue_url(QueueName="nearcast-dev-raw-dead-letters")["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)
    sqs.purge_queue(QueueUrl=dead)
    for i in range(23):
        sqs.send_message(QueueUrl=dead, MessageBody=json.dumps({"Records": [], "number": i}))
    assert redrive(world).redriven == 23
    numbers = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        numbers += [json.loads(message["Body"])["number"] for message in messages]
    assert sorted(numbers) == list(range(23))
    assert "Messages" not in sqs.receive_message(QueueUrl=dead)
    sqs.purge_queue(QueueUrl=url)
