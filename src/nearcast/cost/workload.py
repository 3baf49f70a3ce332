"""What is asked of the system, and what the arithmetic takes for granted where AWS publishes no figure."""

from __future__ import annotations

from dataclasses import dataclass

HOURS_A_MONTH = 730.0
"""AWS's own month, as its calculator has it: 365 days of 24 hours, by twelve."""
DAYS_A_MONTH = HOURS_A_MONTH / 24
KB, MB, GB, TB = (1024.0**power for power in (1, 2, 3, 4))


@dataclass(frozen=True)
class Workload:
    """The rows that arrive, and what is kept and asked of them.

    Parameters
    ----------
    rows_per_second
        While rows arrive; each is a new bar of a day or a new version of one. 0: idle.
    hours_per_day, days_per_month
        When they arrive. Provisioned capacity is paid around the clock all the same.
    symbols
        Among which the rows are spread evenly.
    partitions
        Year and month folders that the rows of one buffer belong to: 1 for live rows, those of today; more for a
        history that is loaded out of order.
    months_stored
        The bill is that of the month after so many months like this one: it has their raw objects and rows.
    job_minutes
        From one start of the Hudi job to the next; None: the longest of `JOB_MINUTES` that a run copes with.
    crawl_hours
        From one crawl to the next.
    queries_per_day
        Athena's, each reading the whole Hudi table.
    authors, readers
        QuickSight's users.
    mwaa
        Whether a small MWAA environment runs Airflow all month.
    """

    rows_per_second: float
    hours_per_day: float = 24.0
    days_per_month: float = DAYS_A_MONTH
    symbols: int = 500
    partitions: int = 1
    months_stored: float = 12.0
    job_minutes: float | None = None
    crawl_hours: float = 24.0
    queries_per_day: float = 50.0
    authors: int = 0
    readers: int = 0
    mwaa: bool = False

    @property
    def live_seconds(self) -> float:
        """Seconds of a month in which rows arrive."""
        return self.hours_per_day * self.days_per_month * 3600 if self.rows_per_second else 0.0

    @property
    def rows(self) -> float:
        """Rows of a month."""
        return self.rows_per_second * self.live_seconds

    @property
    def new_keys(self) -> float:
        """Rows of a month that are a symbol's first of a day; the others are newer versions of those."""
        return min(self.rows, self.symbols * self.days_per_month)


@dataclass(frozen=True)
class Assumptions:
    """Figures that are measured (docs/measurements.md, docs/decisions/0018) or assumed; none is AWS's.

    Parameters
    ----------
    used_share
        Of provisioned capacity that the rate may use; the rest is for bursts. Auto scaling's default target, 70 %.
    item_overhead_bytes
        Stored with each item for indexing; DynamoDB's rule for storage.
    buffer_seconds, lambda_buffer_seconds
        The template's defaults.
    lambda_buffer_bytes
        The template's BufferSizeInMBs.
    lambda_memory_mb
        The template's MemorySize.
    transform_cpu_s
        CPU seconds that the Lambda takes for a row, on a whole core; measured, the largest of 38 to 47 µs.
    lambda_overhead_s
        Seconds of an invocation apart from its rows; assumed.
    session_s
        Seconds of a job run before its first commit; measured on two cores (a cold run with one commit: 7.5 s).
    commit_s, file_s
        Seconds of a commit, and of each file (symbol and year) that it writes; measured: 0.44 s for one file, 150 s
        for 2,040.
    parse_s
        Seconds in which the driver's Python parses a raw line; measured, one core.
    line_memory_bytes
        Memory of a row between parsing and commit: the line and its tuple; measured.
    driver_bytes
        What Python has of a G.1X driver's 16 GB beside Spark's JVM; assumed.
    busy_share
        Of the time between two starts that a run may take.
    objects_a_commit
        The job's OBJECTS_A_COMMIT.
    visibility_s
        The template's VisibilitySeconds: a commit must be faster.
    commit_puts, file_puts
        PUT and LIST requests to S3 of a commit, and of each of its files; measured by S3A's counters over 20 warm
        commits: 49 for one file, 91 for ten.
    commit_gets, file_gets
        GET and HEAD requests, the same way: 63 and 190. Deletions are free.
    hudi_row_bytes
        Of the table's newest files; measured with 135 rows a file: small ones are mostly their frame.
    hudi_versions
        All current objects of the table by its newest files; measured, 1.51.
    noncurrent_days
        The Hudi bucket's days until a version that was replaced or deleted goes.
    crawler_dpus
        Of a crawl; AWS does not say how many it takes, its example has two.
    key_users
        Who asks KMS for the key: producers and consumers of the table, the stream, queues and buckets.
    key_reuse_s
        Seconds for which each of them uses a data key; Kinesis and SQS document five minutes.
    bucket_key_share
        Of S3's requests that reach KMS in spite of bucket keys; AWS promises up to 99 % fewer.
    alarms, dashboards, custom_metrics
        The templates'.
    polled_metrics
        Asked for by GetMetricData in a month from outside the console (the console's are free).
    log_bytes_an_invocation, log_bytes_a_run
        Log lines of the Lambda (start, end, report) and of a job run; assumed.
    log_days
        The template's LogRetentionDays.
    alarm_mails
        E-mails of the alarm topic in a month; assumed.
    """

    used_share: float = 0.7
    item_overhead_bytes: int = 100
    buffer_seconds: float = 60.0
    lambda_buffer_seconds: float = 60.0
    lambda_buffer_bytes: float = MB
    lambda_memory_mb: int = 256
    transform_cpu_s: float = 47e-6
    lambda_overhead_s: float = 0.01
    session_s: float = 7.0
    commit_s: float = 0.37
    file_s: float = 0.0735
    parse_s: float = 11e-6
    line_memory_bytes: float = 800.0
    driver_bytes: float = 4 * GB
    busy_share: float = 0.8
    objects_a_commit: int = 1000
    visibility_s: float = 300.0
    commit_puts: float = 44.0
    file_puts: float = 4.7
    commit_gets: float = 48.0
    file_gets: float = 14.2
    hudi_row_bytes: float = 80.0
    hudi_versions: float = 1.51
    noncurrent_days: float = 7.0
    crawler_dpus: float = 2.0
    key_users: int = 8
    key_reuse_s: float = 300.0
    bucket_key_share: float = 0.01
    alarms: int = 13
    dashboards: int = 1
    custom_metrics: int = 2
    polled_metrics: float = 0.0
    log_bytes_an_invocation: float = 400.0
    log_bytes_a_run: float = 200 * KB
    log_days: float = 30.0
    alarm_mails: float = 30.0
