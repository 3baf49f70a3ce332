"""Runs of the Hudi job through Glue's API: one writer at a time, continuous runs, kills, lost notifications."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nearcast.aws import client
from nearcast.lake.backfill import backfill
from nearcast.lake.hudi_job import LEASE_S, POLL_S, Job, Lease
from nearcast.lake.query import query
from nearcast.lake.upsert import run_job, waiting_objects
from nearcast.settings import Settings
from tests.conftest import eventually
from tests.lake import objects
from tests.local.gateway.test_jobs import ended, run

LINE = (
    '{{"stock_symbol": "RUNS", "date": "2001-01-{day:02d}", "open_price": 1.5, "high_price": 2, "low_price": 1,'
    ' "close_price": {close}, "volume": 10, "version": {version}, "deleted": false}}'
)


@pytest.fixture
def world(deployed: Settings) -> Iterator[Settings]:
    """The deployed world without raw objects, before and after."""
    objects.remove(deployed, "prices/")
    yield deployed
    stop_all(deployed)
    objects.remove(deployed, "prices/")
    if owner := held_by(deployed):  # of a test that failed
        lease(deployed, owner).release()


def stop_all(settings: Settings) -> None:
    """Stop the job's runs, with -9, and wait for their end."""
    glue, name = client("glue", settings), settings.need("hudi_job")
    for one in glue.get_job_runs(JobName=name)["JobRuns"]:
        if one["JobRunState"] in ("STARTING", "RUNNING"):
            glue.batch_stop_job_run(JobName=name, JobRunIds=[one["Id"]])
            ended(settings, name, one["Id"])


def put(settings: Settings, version: int, *days: int) -> None:
    """Store a raw object with a row for each of these days of January 2001."""
    lines = [LINE.format(day=day, close=version, version=version) for day in days]
    objects.put(settings, f"prices/year=2001/month=01/{version}", "\n".join(lines).encode())


def rows(settings: Settings) -> list[list[Any]]:
    """Return days and versions in the table."""
    sql = "SELECT day(date), version FROM prices WHERE stock_symbol = 'RUNS' ORDER BY 1"
    return query(settings, sql).rows


def lease(settings: Settings, owner: str, job_name: str = "") -> Lease:
    """Return the lease of the deployed table, as a run would have it."""
    table = f"nearcast-{settings.environment}-leases"
    path = f"s3://{settings.need('hudi_bucket')}/prices"
    job = Job("", path, "", "prices", lease_table=table, job_name=job_name, run_id=owner)
    return Lease(client("dynamodb", settings), client("glue", settings), job)


def test_while_one_run_holds_the_lease_another_writes_nothing(world: Settings) -> None:
    put(world, 1, 1)
    other = lease(world, "somebody")
    other.take()
    other.take()
    failed = run(world, world.need("hudi_job"))
    assert failed["JobRunState"] == "FAILED"
    assert "somebody writes to s3://" in failed["ErrorMessage"]
    assert waiting_objects(world) == 1
    lease(world, "nobody").release()
    with pytest.raises(RuntimeError, match="somebody writes"):
        lease(world, "third").take()
    other.release()
    run_job(world)
    assert rows(world) == [[1, 1]]


def test_a_lease_that_lapsed_is_taken_over(world: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    second, first = lease(world, "second"), lease(world, "first")
    second.take()
    with pytest.raises(RuntimeError, match="second writes"):
        first.take()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + LEASE_S + 2)
    first.take()
    with pytest.raises(RuntimeError, match="first writes"):
        second.take()
    second.release()
    assert held_by(world) == "first"
    first.release()
    assert held_by(world) is None


def held_by(settings: Settings) -> str | None:
    """Return the owner of the table's lease."""
    found = client("dynamodb", settings).scan(TableName=f"nearcast-{settings.environment}-leases")["Items"]
    return found[0]["owner"]["S"] if found else None


def test_rows_whose_notifications_were_lost_come_by_a_backfill(world: Settings) -> None:
    put(world, 20, 1, 2, 3)
    put(world, 21, 3)
    client("sqs", world).purge_queue(QueueUrl=world.need("raw_queue_url"))
    run_job(world)
    assert [3, 21] not in rows(world)
    report = backfill(world, 2001)
    assert report.upserted == 3
    assert rows(world) == [[1, 20], [2, 20], [3, 21]]
    assert waiting_objects(world) == 0


def test_a_continuous_run_commits_as_objects_come_and_a_killed_one_is_followed_by_another(
    world: Settings,
) -> None:
    environment = {**os.environ, "NEARCAST_HOME": str(world.home)}
    follower = subprocess.Popen(
        [Path(sys.executable).with_name("nearcast"), "lake", "follow"], env=environment
    )
    try:
        eventually(lambda: held_by(world), 60)
        for version in (30, 31, 32):
            put(world, version, 1, 2)
            run_job(world)
            assert rows(world) == [[1, version], [2, version], [3, 21]]
        stop_all(world)  # kill -9; `follow` starts the next one
        # What the dead run's last question is answered with comes back after the visibility timeout.
        time.sleep(POLL_S + 0.2)
        put(world, 33, 2)
        eventually(lambda: rows(world) == [[1, 32], [2, 33], [3, 21]], 60)
    finally:
        follower.terminate()
        follower.wait()
    run_id = held_by(world)
    second = lease(world, "second")
    with pytest.raises(RuntimeError, match=f"{run_id} writes"):
        second.take()
    stop_all(world)
    assert held_by(world) == run_id, "a killed run leaves its lease"
    second.take()
    second.release()
