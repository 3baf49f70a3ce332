"""The lake's parts: Hudi job, buckets, queue, crawler and catalog, Athena."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nearcast.cost.bill import Line, Part, Stop
from nearcast.cost.record_sizes import RecordSizes
from nearcast.cost.tables import limit
from nearcast.cost.workload import DAYS_A_MONTH, GB, HOURS_A_MONTH, TB, Assumptions, Workload

JOB_MINUTES = (60.0, 30.0, 15.0, 10.0, 5.0)
"""Intervals that are tried for the job, the cheapest first."""


@dataclass(frozen=True)
class Runs:
    """What the Hudi job's runs do while rows arrive.

    Parameters
    ----------
    minutes
        From one start to the next.
    commits, rows, files
        Commits of a run, rows and files of a commit; below 1 when only some of the runs find rows.
    commit_seconds, seconds
        Of a commit, with the parsing of its rows, and of a run.
    memory
        Bytes that a commit's rows take in the driver.
    """

    minutes: float
    commits: float
    rows: float
    files: float
    commit_seconds: float
    seconds: float
    memory: float

    def fits(self, taken: Assumptions) -> bool:
        """Tell whether a run copes with its rows."""
        return self.memory <= taken.driver_bytes and self.seconds <= taken.busy_share * self.minutes * 60


def runs_every(minutes: float, workload: Workload, taken: Assumptions, objects: float) -> Runs:
    """Return the runs at an interval; ``objects`` is how many raw objects a month has."""
    rows = workload.rows_per_second * minutes * 60
    waiting = objects / workload.live_seconds * minutes * 60 if workload.live_seconds else 0.0
    commits = float(math.ceil(waiting / taken.objects_a_commit)) if waiting > 1 else min(1.0, rows)
    of_commit = rows / commits if commits else 0.0
    files = min(of_commit, float(workload.symbols * math.ceil(workload.partitions / 12)))
    parsing = of_commit * taken.parse_s
    commit_seconds = taken.commit_s + files * taken.file_s + parsing
    return Runs(
        minutes,
        commits,
        of_commit,
        files,
        commit_seconds,
        taken.session_s + commits * commit_seconds,
        of_commit * taken.line_memory_bytes,
    )


def hudi_runs(workload: Workload, taken: Assumptions, objects: float) -> Runs:
    """Return the runs at the workload's interval, or at the longest one that copes; at the shortest if none does."""
    chosen = (workload.job_minutes,) if workload.job_minutes else JOB_MINUTES
    tried = [runs_every(minutes, workload, taken, objects) for minutes in chosen]
    return next((runs for runs in tried if runs.fits(taken)), tried[-1])


def hudi_job(workload: Workload, taken: Assumptions, runs: Runs) -> Part:
    """Return the job's part. It writes with one task, so two workers, the least, are all that it uses."""
    interval = runs.minutes * 60
    dpus = limit("glue-least-workers") * limit("glue-worker-dpus")
    least = limit("glue-least-job-seconds")
    # A run that outlasts its interval delays the next one: it is billed without a pause, and no more.
    busy = min(interval, max(least, runs.seconds))
    live = workload.live_seconds / interval
    idle = max(0.0, HOURS_A_MONTH * 3600 / interval - live)
    seconds = live * busy + idle * min(interval, max(least, taken.session_s))
    return Part(
        "Glue job",
        f"JobSchedule=rate({runs.minutes:g} minutes), Workers={limit('glue-least-workers'):.0f},"
        f" {runs.seconds:,.0f} s a run",
        (Line("glue-job", seconds * dpus / 3600),),
        _job_stops(taken, runs),
        {"job_minutes": runs.minutes, "run_seconds": runs.seconds, "runs": live + idle},
    )


def _job_stops(taken: Assumptions, runs: Runs) -> tuple[Stop, ...]:
    stops = []
    if runs.seconds > taken.busy_share * runs.minutes * 60:
        stops.append(
            Stop(
                "nearcast-job-time",
                f"A run every {runs.minutes:g} minutes would take {runs.seconds / 60:,.1f}: its one driver cannot"
                " parse, or its one task write, so much.",
                "Have Spark parse the lines and write with more tasks, or give each part of the symbols a table and"
                " a job of its own. More workers alone change nothing.",
            )
        )
    if runs.memory > taken.driver_bytes:
        stops.append(
            Stop(
                "nearcast-job-memory",
                f"A commit's {runs.rows:,.0f} rows would take {runs.memory / GB:,.1f} GB in the driver's Python,"
                f" which has about {taken.driver_bytes / GB:.0f}.",
                "Lower the job's MESSAGES_A_COMMIT, start it more often, or take larger workers.",
            )
        )
    if runs.commit_seconds > taken.visibility_s:
        stops.append(
            Stop(
                "nearcast-visibility",
                f"A commit of {runs.files:,.0f} files would take {runs.commit_seconds:,.0f} s, longer than the"
                f" {taken.visibility_s:.0f} s after which its messages return.",
                "Raise VisibilitySeconds.",
            )
        )
    return tuple(stops)


def commits_a_month(workload: Workload, runs: Runs) -> float:
    """Return how many commits a month has."""
    return workload.live_seconds / (runs.minutes * 60) * runs.commits


def buckets(workload: Workload, sizes: RecordSizes, taken: Assumptions, objects: float, runs: Runs) -> Part:
    """Return the part of the raw and the Hudi bucket."""
    commits = commits_a_month(workload, runs)
    puts = objects + commits * (taken.commit_puts + runs.files * taken.file_puts)
    gets = objects + commits * (taken.commit_gets + runs.files * taken.file_gets)
    of_a_file = (
        workload.new_keys * min(12.0, workload.months_stored) / workload.symbols * taken.hudi_row_bytes
    )
    stored = (
        workload.rows * workload.months_stored * sizes.line
        + table_bytes(workload, taken) * taken.hudi_versions
        + commits * runs.files * of_a_file * taken.noncurrent_days / DAYS_A_MONTH
    )
    return Part(
        "S3",
        f"raw objects kept, replaced versions for {taken.noncurrent_days:.0f} days",
        (
            Line("s3-storage", stored / GB),
            Line("s3-put", puts),
            Line("s3-get", gets),
        ),
        details={"stored_gb": stored / GB, "requests": puts + gets},
    )


def table_bytes(workload: Workload, taken: Assumptions) -> float:
    """Return the bytes of the Hudi table's newest files."""
    return workload.new_keys * workload.months_stored * taken.hudi_row_bytes


def queue(objects: float, runs: float) -> Part:
    """Return the queue's part: a notification of each object, received and deleted by tens; a last, empty answer."""
    return Part("SQS", "one notification an object", (Line("sqs-requests", objects * 1.2 + runs),))


def crawler(workload: Workload, taken: Assumptions) -> Part:
    """Return the part of the crawler and of the catalog's partitions."""
    crawls = HOURS_A_MONTH / workload.crawl_hours
    hours = min(workload.crawl_hours, limit("glue-least-crawl-seconds") / 3600)
    partitions = workload.symbols * math.ceil(workload.months_stored / 12) + math.ceil(workload.months_stored)
    return Part(
        "Glue crawler",
        f"CrawlerSchedule=rate({workload.crawl_hours:g} hours), ten minutes billed",
        (
            Line("glue-crawler", crawls * hours * taken.crawler_dpus),
            Line("glue-catalog", float(partitions) if workload.rows else 0.0),
        ),
        details={"crawls": crawls},
    )


def athena(workload: Workload, taken: Assumptions) -> Part:
    """Return Athena's part: every query reads the whole table, as those without a symbol or a year do."""
    scanned = max(limit("athena-least-scan"), table_bytes(workload, taken))
    return Part(
        "Athena",
        f"{workload.queries_per_day:g} queries a day",
        (Line("athena-scanned", workload.queries_per_day * DAYS_A_MONTH * scanned / TB),),
        details={"bytes_a_query": scanned},
    )
