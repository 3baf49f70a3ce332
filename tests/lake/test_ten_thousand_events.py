"""10,000 malformed, duplicated, reordered and late events through the Lambda and the Hudi job.

Every record ends in exactly one of table, dropped by rule, or error prefix with a reason; the table, read by
hudi-rs, is the source's.
"""

from __future__ import annotations

import base64
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest

from nearcast.aws import client
from nearcast.lake.query import query
from nearcast.lake.snapshot import read_snapshot
from nearcast.lake.sync import sync
from nearcast.lake.upsert import run_job, waiting_objects
from nearcast.schema import BAR
from nearcast.settings import Settings
from nearcast.stream.transformer import lambda_handler
from tests.lake import objects
from tests.lake.events import SYMBOLS, Event, Key, stream

EVENTS = 10_000
COMMITS = 8
SEED = 20261124
RESULTS = {"row": "Ok", "deletion": "Ok", "mark": "Dropped", "malformed": "ProcessingFailed"}


def transformed(events: list[Event]) -> list[tuple[str, bytes]]:
    """Send events through the Lambda, in Firehose's batches; return the delivered lines with their folders."""
    lines = []
    for start in range(0, len(events), 500):
        batch = [event.record(str(start + i)) for i, event in enumerate(events[start : start + 500])]
        answers = lambda_handler({"invocationId": "1", "records": batch}, None)["records"]
        assert [answer["recordId"] for answer in answers] == [record["recordId"] for record in batch]
        for record, answer in zip(batch, answers, strict=True):
            assert answer["result"] == RESULTS[events[int(record["recordId"])].fate], record
            if answer["result"] == "ProcessingFailed":
                assert answer["data"] == record["data"]
            if answer["result"] == "Ok":
                keys = answer["metadata"]["partitionKeys"]
                folder = f"prices/year={keys['year']}/month={keys['month']}/"
                lines.append((folder, base64.b64decode(answer["data"]).rstrip(b"\n")))
    return lines


def damaged(chance: random.Random, lines: list[tuple[str, bytes]], count: int) -> list[tuple[str, bytes]]:
    """Return ``count`` lines that are no rows, each another: cut, changed, or no JSON at all."""
    result = []
    for i, (folder, line) in enumerate(chance.choices(lines, k=count)):
        record = json.loads(line)
        variants = [
            b"%d:" % i + line,
            line[: chance.randrange(2, len(line))] + b"\xff%d" % i,
            json.dumps({**record, "version": f"v{i}"}).encode(),
            json.dumps({**record, "stock_symbol": f"../{i}"}).encode(),
            json.dumps({**record, "deleted": i + 2}).encode(),
            json.dumps([i]).encode(),
        ]
        result.append((folder, chance.choice(variants)))
    return result


def raw_objects(
    chance: random.Random, lines: list[tuple[str, bytes]], commit: int
) -> list[tuple[str, list[bytes]]]:
    """Return the raw objects (key, lines) of one commit: lines of a folder, at most 40 in an object."""
    folders: defaultdict[str, list[bytes]] = defaultdict(list)
    for folder, line in lines:
        folders[folder].append(line)
    divided: list[tuple[str, list[bytes]]] = []
    for folder, held in folders.items():
        while held:
            size = chance.randint(1, 40)
            divided.append((f"{folder}property {commit}+{len(divided)}", held[:size]))
            del held[:size]
    chance.shuffle(divided)
    return divided


def deliver(settings: Settings, stored: list[tuple[str, list[bytes]]], repeated: list[str]) -> None:
    """Store raw objects, which are notified of, and notify again of some that were stored before."""
    bucket = settings.need("raw_bucket")
    for key, lines in stored:
        objects.put(settings, key, b"\n".join([*lines, b""]))
    for key in repeated:
        place = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}}
        body = json.dumps({"Records": [{"eventSource": "aws:s3", "s3": place}]})
        client("sqs", settings).send_message(QueueUrl=settings.need("raw_queue_url"), MessageBody=body)


def error_lines(settings: Settings) -> Counter[bytes]:
    """Return the lines under the job's error prefix; each has a reason."""
    documents = [json.loads(line) for line in objects.lines(settings, "errors/hudi-job-failed/")]
    assert all(one["errorMessage"] and one["errorCode"] == "HudiJob.InvalidLine" for one in documents)
    return Counter(base64.b64decode(one["rawData"]) for one in documents)


def table_rows(settings: Settings) -> dict[Key, tuple[Any, ...]]:
    """Return the rows of the Hudi table, read by hudi-rs; none may be there twice."""
    sync(settings)
    rows = read_snapshot(settings, [column.name for column in BAR]).to_pylist()
    found = {
        (row["stock_symbol"], row["date"]): tuple(row.values())[2:]
        for row in rows
        if row["stock_symbol"] in SYMBOLS
    }
    assert len(found) == sum(row["stock_symbol"] in SYMBOLS for row in rows)
    return found


@pytest.fixture
def world(deployed: Settings) -> Iterator[Settings]:
    """Settings of the world; its raw objects, of which some are damaged, are removed at the end."""
    yield deployed
    objects.remove(deployed, "prices/")
    objects.remove(deployed, "errors/")


@pytest.mark.timeout(280)
def test_every_event_ends_in_one_place_and_the_table_is_the_source(world: Settings) -> None:
    history, events = stream(SEED, EVENTS)
    assert len(events) == EVENTS
    chance = random.Random(SEED)
    lines = transformed(events)
    broken = damaged(chance, lines, EVENTS // 100)
    total = len(lines)
    stored: list[str] = []
    for commit in range(COMMITS):
        part = lines[commit * total // COMMITS : (commit + 1) * total // COMMITS]
        part += broken[commit::COMMITS]
        chance.shuffle(part)
        new = raw_objects(chance, part, commit)
        stored += [key for key, _ in new]
        deliver(world, new, chance.sample(stored, len(stored) // 4))
        run_job(world)
        assert waiting_objects(world) == 0
    assert error_lines(world) == Counter(line for _, line in broken)
    expected = history.rows()
    assert table_rows(world) == expected
    fates = Counter(event.fate for event in events)
    assert min(fates.values()) > EVENTS // 20 and 0 < len(expected) < len(history.newest)
    [[living]] = query(world, f"SELECT count(*) FROM prices WHERE stock_symbol IN {SYMBOLS}").rows
    assert living == len(expected)
