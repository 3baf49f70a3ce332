"""Rows a second from PostgreSQL to DynamoDB, to Kinesis and to S3 raw, beside the server's own limit.

In each round the publisher writes its rows and a bare loop of BatchWriteItem writes as many others to the same
table, each in a process of its own, and everything arrives on S3 before the next begins. So other programs'
noise hits both alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from nearcast.bench.rows import bars, load
from nearcast.bench.usage import Sampler, Usage
from nearcast.bench.world import World, throw_away_world
from nearcast.errors import NearcastError
from nearcast.settings import Settings

ROUNDS = 3
ONE_CLIENT_ROWS = 200
DRAIN_S = 300.0
QUIET_S = 1.5
"""The longest pause between two objects while something is being delivered: the gateway's buffer of 1 s, and more."""
POLL_S = 0.25
Note = Callable[[str], None]


@dataclass(frozen=True)
class Phase:
    """One way's writing in one round.

    ``seconds`` is until DynamoDB took the last row, ``kinesis_s`` until its change record was in the stream,
    ``raw_s`` until its object was on S3; ``cpu_s`` the writer's own CPU while it wrote, ``used`` by process.
    """

    rows: int
    seconds: float
    kinesis_s: float
    raw_s: float
    cpu_s: float
    used: dict[str, Usage]


def bench_publish(sizes: Sequence[int], note: Note, rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure each size in a world of its own.

    Returns the document of `nearcast bench publish`: `sizes`, each with `publisher`, `ceiling` (medians over the
    rounds, and all of them) and their `ratios`; `one_client`; and `growth`, the costs relative to the first size.
    CPU ratios leave out the Lambda's workers, whose start now and then costs more than the rows do.

    Raises
    ------
    NearcastError
        A row did not arrive: a measurement that loses rows is none.
    """
    found, single = [], None
    for size in sizes:
        note(f"{size:,} rows: starting PostgreSQL and a gateway")
        with throw_away_world() as world:
            found.append(_measure(world, size, rounds, note))
            if single is None:
                count = min(ONE_CLIENT_ROWS, size)
                note(f"one client for each of {count} rows")
                single = _phase(world, "one_client", 0, count)
    assert single is not None
    baseline = {"rows": single.rows, "rows_per_s": round(single.rows / single.seconds, 1), **_costs([single])}
    speedup = found[0]["publisher"]["rows_per_s"]["dynamodb"] / baseline["rows_per_s"]
    return {
        "rounds": rounds,
        "cpus": os.cpu_count(),
        "sizes": found,
        "one_client": {**baseline, "publisher_is_times_faster": round(speedup, 1)},
        "growth": [_growth(found[0], one) for one in found],
    }


def _measure(world: World, size: int, rounds: int, note: Note) -> dict[str, Any]:
    load(world.settings, bars(size))
    phases: dict[str, list[Phase]] = {"publisher": [], "ceiling": []}
    for number in range(rounds):
        start, end = size * number // rounds, size * (number + 1) // rounds
        for way in phases if number % 2 == 0 else reversed(phases):
            phases[way].append(_phase(world, way, start, end - start))
            done = phases[way][-1]
            note(f"{size:,} rows, round {number + 1}, {way}: {done.rows / done.seconds:,.0f} rows/s")
    ours, limit = (_summary(phases[way]) for way in ("publisher", "ceiling"))
    pairs = zip(phases["publisher"], phases["ceiling"], strict=True)
    ratios = [(one.rows / one.seconds) / (other.rows / other.seconds) for one, other in pairs]
    rates = ours["rows_per_s"]
    return {
        "rows": size,
        "publisher": ours,
        "ceiling": limit,
        "ratios": {
            "publisher_to_ceiling": round(median(ratios), 3),
            "publisher_to_ceiling_by_round": [round(ratio, 3) for ratio in ratios],
            "publisher_to_ceiling_in_cpu": round(_cpu_us(limit) / _cpu_us(ours), 3),
            "raw_to_dynamodb": round(rates["raw"] / rates["dynamodb"], 3),
        },
    }


def _phase(world: World, way: str, start: int, count: int) -> Phase:
    """Let one way write rows, and wait until all of them are on S3."""
    before = _raw_rows(world.settings, _objects(world.settings), {})
    with Sampler(world.pids) as sampler:
        command = [sys.executable, "-m", "nearcast.bench.writers", way, str(start), str(count)]
        environment = {**os.environ, "NEARCAST_HOME": str(world.settings.home)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            sampler.watch("writer", process.pid)
            said, _ = process.communicate()
        if process.returncode:
            raise NearcastError(f"The writing by way of {way} failed.", todo="See the message above.")
        done = json.loads(said)
        arrived = _drain(world.settings, before, count)
    if done["rows"] != count:
        raise NearcastError(f"{way} wrote {done['rows']} of {count} rows.")
    return Phase(
        rows=count,
        seconds=done["seconds"],
        kinesis_s=_newest_record(world.settings) - done["epoch"],
        raw_s=arrived - done["epoch"],
        cpu_s=done["cpu_s"],
        used=sampler.usage(),
    )


def _raw_rows(settings: Settings, keys: Iterable[str], known: Mapping[str, int]) -> dict[str, int]:
    """Return how many rows each raw object holds; ``known`` ones are not read again."""
    from nearcast.aws import client

    s3, bucket = client("s3", settings), settings.need("raw_bucket")
    return {
        key: known[key] if key in known else s3.get_object(Bucket=bucket, Key=key)["Body"].read().count(b"\n")
        for key in keys
    }


def _objects(settings: Settings) -> dict[str, float]:
    """Return the raw objects, and when each was stored (seconds since 1970)."""
    from nearcast.aws import client

    pages = client("s3", settings).get_paginator("list_objects_v2")
    return {
        item["Key"]: item["LastModified"].timestamp()
        for page in pages.paginate(Bucket=settings.need("raw_bucket"), Prefix="prices/")
        for item in page.get("Contents", [])
    }


def _drain(settings: Settings, before: dict[str, int], count: int) -> float:
    """Wait until ``count`` more rows are on S3; return when the last of their objects was stored."""
    deadline, rows, arrived = time.monotonic() + DRAIN_S, before, 0
    while time.monotonic() < deadline:
        time.sleep(POLL_S)
        # Listed until nothing new comes, and only then read, so as not to disturb what is measured.
        objects = _objects(settings)
        if len(objects) == len(rows) or time.time() - max(objects.values()) < QUIET_S:
            continue
        rows = _raw_rows(settings, objects, rows)
        arrived = sum(rows.values()) - sum(before.values())
        if arrived >= count:
            return max(objects.values())
    raise NearcastError(f"Only {arrived} of {count} rows reached S3 within {DRAIN_S:.0f} s.")


def _newest_record(settings: Settings) -> float:
    """Return when the newest change record came into the stream, in seconds since 1970."""
    from nearcast.aws import client

    kinesis, name = client("kinesis", settings), settings.need("stream_name")
    newest = 0.0
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while records := (answer := kinesis.get_records(ShardIterator=iterator))["Records"]:
            newest = max(newest, records[-1]["ApproximateArrivalTimestamp"].timestamp())
            iterator = answer["NextShardIterator"]
    return newest


def _summary(phases: Sequence[Phase]) -> dict[str, Any]:
    """Return the medians over the rounds, and each round."""
    hops = {"dynamodb": "seconds", "kinesis": "kinesis_s", "raw": "raw_s"}
    rates = {
        hop: round(median(phase.rows / getattr(phase, name) for phase in phases), 1)
        for hop, name in hops.items()
    }
    behind = median(phase.raw_s - phase.seconds for phase in phases)
    rounds = [asdict(phase) for phase in phases]
    return {"rows_per_s": rates, "raw_behind_s": round(behind, 2), **_costs(phases), "rounds": rounds}


def _costs(phases: Sequence[Phase]) -> dict[str, Any]:
    """Return microseconds per row, wall clock and CPU by process, and the peak memory of each in megabytes."""
    rows = sum(phase.rows for phase in phases)
    names = sorted({name for phase in phases for name in phase.used} - {"writer"})
    cpu = {name: sum(phase.used[name].cpu_s for phase in phases if name in phase.used) for name in names}
    cpu["writer"] = sum(phase.cpu_s for phase in phases)
    peak = {
        name: max(phase.used[name].peak_rss_mb for phase in phases if name in phase.used)
        for name in (*names, "writer")
    }
    return {
        "wall_us_per_row": round(1e6 * sum(phase.seconds for phase in phases) / rows, 1),
        "cpu_us_per_row": {name: round(1e6 * spent / rows, 1) for name, spent in cpu.items()},
        "peak_rss_mb": peak,
    }


def _growth(first: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return the publisher's costs at one size relative to those at the first."""
    base, here = first["publisher"], other["publisher"]
    return {
        "rows": other["rows"],
        "wall_per_row": round(here["wall_us_per_row"] / base["wall_us_per_row"], 3),
        "cpu_per_row": round(_cpu_us(here) / _cpu_us(base), 3),
        "writer_cpu_per_row": round(here["cpu_us_per_row"]["writer"] / base["cpu_us_per_row"]["writer"], 3),
        "writer_memory": round(here["peak_rss_mb"]["writer"] / base["peak_rss_mb"]["writer"], 3),
    }


def _cpu_us(costs: dict[str, Any]) -> float:
    """Return the CPU microseconds a row of all processes that take part in the writing."""
    return float(
        sum(spent for name, spent in costs["cpu_us_per_row"].items() if name not in ("lambda", "snapshot"))
    )
