"""What a commit to the Hudi table costs, and what reading costs, as the table grows.

Each size is a world of its own. Beside it, in the same Spark process: the whole table written anew as Parquet (what
a commit costs without a table format), and the same rows written once as Parquet (the floor).
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from nearcast.aws import client
from nearcast.bench.rows import bars
from nearcast.bench.world import World, throw_away_world
from nearcast.errors import LakeError
from nearcast.lake.counts import RAW_PREFIX
from nearcast.lake.hudi_job import POLL_S as QUEUE_POLL_S
from nearcast.lake.query import query
from nearcast.lake.saved import saved_query
from nearcast.lake.snapshot import read_snapshot
from nearcast.lake.sync import sync
from nearcast.lake.time_travel import read_changes
from nearcast.lake.timeline import commits_after, newest_commit
from nearcast.lake.upsert import ACTIVE
from nearcast.schema import HUDI_TABLE
from nearcast.source.bar import Bar

PREFIXES = ("", "A", "B", "C", "D", "E")
ROWS_AN_OBJECT = 5_000
NEW_ROWS = 10
WAIT_S = 900.0
POLL_S = 0.02
FIELDS = ("stock_symbol", "open_price", "high_price", "low_price", "close_price", "volume")
REPEATS = 5
COUNTED, COUNTED_MINUTES = 10, 1.5
TEN_SYMBOLS = 5
COMPARED = """
import json, statistics, sys, time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
table = spark.read.format("hudi").load(given["--table_path"])
columns = [name for name in table.columns if not name.startswith("_hoodie_")]
base = given["--base"]
table.select(columns).coalesce(1).write.mode("overwrite").parquet(base + "/whole")
whole = spark.read.parquet(base + "/whole")
new = spark.createDataFrame(whole.limit(10).toPandas(), whole.schema).coalesce(1)

def seconds(act, repeats):
    taken = []
    for number in range(repeats):
        started = time.monotonic()
        act(number)
        taken.append(time.monotonic() - started)
    return statistics.median(taken)

repeats = int(given["--repeats"])
answer = {
    "whole_table_s": seconds(
        lambda n: whole.union(new).coalesce(1).write.mode("overwrite").parquet(f"{base}/again{n}"), repeats
    ),
    "floor_s": seconds(lambda n: new.write.mode("overwrite").parquet(f"{base}/floor{n}"), repeats),
    "spark_snapshot_s": seconds(
        lambda n: spark.read.format("hudi").load(given["--table_path"]).agg({"volume": "sum"}).collect(), 3
    ),
}
import boto3
boto3.client("s3").put_object(Bucket=given["--bucket"], Key="compared", Body=json.dumps(answer).encode())
"""
REQUESTS = """
import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
path = spark._jvm.org.apache.hadoop.fs.Path(given["--table_path"])
counters = path.getFileSystem(spark._jsc.hadoopConfiguration()).getIOStatistics().counters()
answer = {"requests": counters.get("store_io_request"), "jobs": spark._jsc.sc().dagScheduler().numTotalJobs()}
import boto3
boto3.client("s3").put_object(Bucket=given["--bucket"], Key="requests", Body=json.dumps(answer).encode())
"""
Note = Callable[[str], None]


def bench_lake(sizes: Sequence[int], commits: int, table_type: str, note: Note) -> dict[str, Any]:
    """Measure each size; ratios are to the first one.

    Parameters
    ----------
    sizes
        Rows of the table before the small commits.
    commits
        Small commits of ten rows of one symbol; some of ten rows of ten symbols follow.
    table_type
        COPY_ON_WRITE or MERGE_ON_READ.
    note
        Is told what begins.

    Raises
    ------
    LakeError
        A run of the job failed, or a commit did not come.
    """
    found = []
    for size in sizes:
        with throw_away_world() as world:
            found.append(_Size(world, size, commits, table_type, note).measure())
    first = found[0]["commit_s"]["p50"]
    return {
        "table_type": table_type,
        "sizes": found,
        "growth": [round(one["commit_s"]["p50"] / first, 2) for one in found],
    }


class _Size:
    """One size's table: filled, committed to, read."""

    def __init__(self, world: World, rows: int, commits: int, table_type: str, note: Note) -> None:
        self.world, self.settings, self.rows, self.commits = world, world.settings, rows, commits
        self.table_type, self.note = table_type, note
        self.version = 0
        self.s3, self.glue = client("s3", self.settings), client("glue", self.settings)
        self.table = f"s3://{self.settings.need('hudi_bucket')}/{HUDI_TABLE}"
        self.last: dict[str, Bar] = {}
        self.jobs: set[str] = set()

    def measure(self) -> dict[str, Any]:
        """Return what this size costs; seconds, CPU seconds, bytes."""
        self.note(f"{self.rows:,} rows: first commit")
        cold, history = self._history()
        self.note(f"{self.rows:,} rows: {self.commits} commits of {NEW_ROWS} rows")
        commits = self._commits()
        self.note(f"{self.rows:,} rows: reading")
        reads = self._reads()
        self.note(f"{self.rows:,} rows: beside plain Parquet")
        compared = self._job("compared", COMPARED, {"--repeats": str(REPEATS)})
        one = commits["commit_s"]["p50"]
        ratios = {
            "to_whole_table": round(one / compared["whole_table_s"], 2),
            "to_floor": round(one / compared["floor_s"], 2),
        }
        return {
            "rows": self.rows,
            "partitions": len({(bar.stock_symbol, bar.date.year) for bar in self._bars()}),
            "cold_run_s": cold,
            "first_commit_s": history,
            **commits,
            **reads,
            **{name: round(value, 3) for name, value in compared.items()},
            "ratios": ratios,
        }

    def _bars(self) -> Iterator[Bar]:
        return islice(chain.from_iterable(_all_bars(prefix) for prefix in PREFIXES), self.rows)

    def _history(self) -> tuple[float, float]:
        """Fill the table; return the seconds of a cold run of one row and those of the commit of all others."""
        bars_left = self._bars()
        self._put([next(bars_left)])
        started = time.monotonic()
        self._run()
        cold = time.monotonic() - started
        while part := list(islice(bars_left, ROWS_AN_OBJECT)):
            self._put(part)
        started = time.monotonic()
        self._run()
        return round(cold, 1), round(time.monotonic() - started, 1)

    def _run(self) -> None:
        """Run the job to its end, on a table of the wanted type."""
        name = self.settings.need("hudi_job")
        given = {"--table_type": self.table_type}
        _succeeded(self.glue, name, self.glue.start_job_run(JobName=name, Arguments=given)["JobRunId"])

    def _put(self, rows: list[Bar]) -> None:
        """Store a raw object with these rows."""
        lines = []
        for bar in rows:
            self.version += 1
            self.last[bar.stock_symbol] = max(bar, self.last.get(bar.stock_symbol, bar), key=lambda b: b.date)
            values = {name: value for name, value in asdict(bar).items() if name in FIELDS}
            line = {**values, "date": bar.date.isoformat(), "version": self.version, "deleted": False}
            lines.append(json.dumps(line))
        key = f"{RAW_PREFIX}year={rows[0].date:%Y}/month={rows[0].date:%m}/{self.version:09d}"
        body = "\n".join(lines).encode()
        self.s3.put_object(Bucket=self.settings.need("raw_bucket"), Key=key, Body=body)

    def _next(self, symbol: str, count: int) -> list[Bar]:
        """Return a symbol's next rows: its last bar's values on the following days."""
        last = self.last[symbol]
        return [replace(last, date=last.date + timedelta(days=1 + day)) for day in range(count)]

    def _commits(self) -> dict[str, Any]:
        """Return seconds, CPU seconds, requests, objects and bytes of small commits by continuous runs."""
        symbols = sorted(self.last)[:NEW_ROWS]
        before = self._job("requests", REQUESTS, {})
        run_id, log = self._continue(COUNTED_MINUTES)
        for _ in range(COUNTED):
            self._commit(log, self._next(symbols[0], NEW_ROWS))
        _succeeded(self.glue, self.settings.need("hudi_job"), run_id)
        after = self._job("requests", REQUESTS, {})
        run_id, log = self._continue(24 * 60)
        self._commit(log, self._next(symbols[0], NEW_ROWS))
        held, cpu = self._objects(), _spark_cpu(self.world)
        one = [self._commit(log, self._next(symbols[0], NEW_ROWS)) for _ in range(self.commits)]
        cpu = _spark_cpu(self.world) - cpu
        now = self._objects()
        written, newest_bytes = [size for key, size in now.items() if key not in held], _newest(now)
        ten = [
            self._commit(log, [bar for symbol in symbols for bar in self._next(symbol, 1)])
            for _ in range(TEN_SYMBOLS)
        ]
        self._stop(run_id)
        return {
            "commit_s": _spread(one),
            "commit_cpu_s": round(cpu / self.commits, 3),
            "ten_symbols_commit_s": _spread(ten),
            "s3_requests_a_commit": round((after["requests"] - before["requests"]) / COUNTED, 1),
            "spark_jobs_a_commit": round((after["jobs"] - before["jobs"]) / COUNTED, 1),
            "new_objects": {"count": len(written), "bytes": sum(written), "commits": self.commits},
            "disk": {
                "table_bytes": newest_bytes,
                "all_bytes": sum(now.values()),
                "ratio": round(sum(now.values()) / newest_bytes, 2),
            },
        }

    def _continue(self, minutes: float) -> tuple[str, Path]:
        """Start a continuous run; return its id and its log."""
        given = {"--mode": "continuous", "--run_minutes": str(minutes), "--table_type": self.table_type}
        run_id = self.glue.start_job_run(JobName=self.settings.need("hudi_job"), Arguments=given)["JobRunId"]
        return run_id, self.settings.home / "logs" / "jobs" / f"{run_id}.log"

    def _stop(self, run_id: str) -> None:
        """Stop a run, and wait for the end of it and of its last question to the queue."""
        name = self.settings.need("hudi_job")
        self.glue.batch_stop_job_run(JobName=name, JobRunIds=[run_id])
        while self.glue.get_job_run(JobName=name, RunId=run_id)["JobRun"]["JobRunState"] in ACTIVE:
            time.sleep(POLL_S)
        time.sleep(2 * QUEUE_POLL_S)

    def _commit(self, log: Path, rows: list[Bar]) -> float:
        """Store an object and wait for its commit; return the seconds from the job's taking it to its commit."""
        held = len(_committed(log))
        self._put(rows)
        deadline = time.monotonic() + WAIT_S
        while len(found := _committed(log)) == held:
            if time.monotonic() > deadline:
                raise LakeError(f"No commit came in {WAIT_S:.0f} s.", todo=f"See {log}.")
            time.sleep(POLL_S)
        return found[-1]

    def _reads(self) -> dict[str, Any]:
        """Return the seconds of the copy's first and next synchronisation, of reads and of queries."""
        settings = self.settings
        first, first_s = _timed(lambda: sync(settings))
        self._put(self._next(sorted(self.last)[0], NEW_ROWS))
        before = newest_commit(settings)
        self._run()
        again, again_s = _timed(lambda: sync(settings))
        snapshot, snapshot_s = _timed(lambda: read_snapshot(settings))
        assert before is not None
        changed, changes_s = _timed(lambda: read_changes(settings, before, "latest"))
        if changed.rows.num_rows != NEW_ROWS or again.commit != commits_after(settings, before)[-1]:
            raise LakeError(f"{changed.rows.num_rows} rows were read as new, not {NEW_ROWS}.")
        symbol = sorted(self.last)[0]
        year = f"{self.last[symbol].date:%Y}"
        queries = {
            "count": "SELECT count(*) FROM prices",
            "symbol_and_year": f"SELECT avg(close_price) FROM prices WHERE stock_symbol = '{symbol}'"
            f" AND year = '{year}'",
            "monthly_candles": saved_query("monthly_candles"),
        }
        timed = {
            name: statistics.median(_timed(partial(query, settings, sql))[1] for _ in range(3))
            for name, sql in queries.items()
        }
        return {
            "sync": {"first_s": first_s, "first_files": first.files, "s": again_s, "files": again.files},
            "snapshot": {"rows": snapshot.num_rows, "s": snapshot_s},
            "incremental_read_s": changes_s,
            "query_s": {name: round(value, 3) for name, value in timed.items()},
        }

    def _job(self, name: str, script: str, arguments: dict[str, str]) -> Any:
        """Run a script in the gateway's Spark and return the JSON that it puts under its name."""
        bucket = self.settings.need("artifacts_bucket")
        self.s3.put_object(Bucket=bucket, Key=f"bench/{name}.py", Body=script.encode())
        base = {"--table_path": self.table, "--bucket": bucket, "--base": f"s3://{bucket}/bench"}
        command = {"Name": "glueetl", "ScriptLocation": f"s3://{bucket}/bench/{name}.py"}
        if name not in self.jobs:
            self.jobs.add(name)
            self.glue.create_job(Name=name, Role="r", Command=command, DefaultArguments={**base, **arguments})
        _succeeded(self.glue, name, self.glue.start_job_run(JobName=name)["JobRunId"])
        return json.loads(self.s3.get_object(Bucket=bucket, Key=name)["Body"].read())

    def _objects(self) -> dict[str, int]:
        """Return the sizes of the table's objects."""
        pages = self.s3.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.settings.need("hudi_bucket"), Prefix=f"{HUDI_TABLE}/")
        return {item["Key"]: item["Size"] for page in found for item in page.get("Contents", [])}


def _newest(objects: dict[str, int]) -> int:
    """Return the bytes of the files that hold the newest rows."""
    newest: dict[str, tuple[str, int]] = {}
    for key, size in objects.items():
        if key.endswith(".parquet"):
            group, instant = key.rpartition("/")[2].partition("_")[0], key.rpartition("_")[2]
            newest[group] = max(newest.get(group, ("", 0)), (instant, size))
    return sum(size for _, size in newest.values())


def _all_bars(prefix: str) -> Iterator[Bar]:
    return bars(100_000, prefix)


def _spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    place = min(len(ordered) - 1, int(len(ordered) * 0.95))
    return {"p50": round(statistics.median(ordered), 3), "p95": round(ordered[place], 3)}


def _timed(act: Callable[[], Any]) -> tuple[Any, float]:
    started = time.monotonic()
    answer = act()
    return answer, round(time.monotonic() - started, 3)


def _committed(log: Path) -> list[float]:
    """Return the seconds of the commits that a run has written down."""
    if not log.exists():
        return []
    lines = [line for line in log.read_text().splitlines() if line.startswith('{"committed"')]
    return [float(json.loads(line)["seconds"]) for line in lines]


def _succeeded(glue: Any, name: str, run_id: str) -> None:
    """Wait for a run's end. Raises LakeError when it did not succeed."""
    while (run := glue.get_job_run(JobName=name, RunId=run_id)["JobRun"])["JobRunState"] in ACTIVE:
        time.sleep(POLL_S)
    if run["JobRunState"] != "SUCCEEDED":
        raise LakeError(f"The job {name} ended {run['JobRunState']}: {run.get('ErrorMessage', '')}")


def _spark_cpu(world: World) -> float:
    """Return the CPU seconds of the Spark process and its JVM."""
    import psutil

    spent = 0.0
    for child in psutil.Process(world.pids["gateway"]).children(recursive=True):
        with suppress(psutil.Error):  # a fork that wrote a snapshot has ended
            if "spark_host" in " ".join(child.cmdline()) or "java" in child.name():
                spent += sum(child.cpu_times()[:2])
    return spent
