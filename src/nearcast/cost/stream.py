"""The stream's parts: table, Kinesis stream, Firehose, Lambda."""

from __future__ import annotations

import math

from nearcast.cost.bill import Line, Modes, Part, Stop, beyond
from nearcast.cost.record_sizes import RecordSizes
from nearcast.cost.tables import limit
from nearcast.cost.workload import GB, HOURS_A_MONTH, MB, Assumptions, Workload

NEW_ON_DEMAND_SHARDS = 4
"""Shards that an on-demand stream begins with: 4 MB/s at 1 MB/s each."""


def dynamodb(workload: Workload, sizes: RecordSizes, taken: Assumptions) -> Part:
    """Return the table's part, in the cheaper billing mode."""
    units = math.ceil(sizes.item / limit("dynamodb-write-unit"))
    peak = workload.rows_per_second * units
    capacity = max(1, math.ceil(peak / taken.used_share))
    modes: dict[str, tuple[Line, ...]] = {
        "ON_DEMAND": (Line("dynamodb-write-request", workload.rows * units),),
        "PROVISIONED": (Line("dynamodb-write-capacity", capacity * HOURS_A_MONTH),),
    }
    mode = cheaper(modes)
    on_demand, provisioned = (_usd(lines) for lines in modes.values())
    even = even_hours(workload, on_demand, provisioned)
    stored = workload.new_keys * workload.months_stored * (sizes.item + taken.item_overhead_bytes) / GB
    return Part(
        "DynamoDB",
        f"TableCapacity={mode}" + f", WriteCapacity={capacity}" * (mode == "PROVISIONED"),
        (
            *modes[mode],
            Line("dynamodb-change-capture", workload.rows * units),
            Line("dynamodb-storage", stored),
            Line("dynamodb-point-in-time-recovery", stored),
        ),
        _table_stops(workload, mode, peak, capacity, units),
        {"write_capacity": float(capacity)},
        Modes(on_demand, provisioned, even),
    )


def _table_stops(workload: Workload, mode: str, peak: float, capacity: int, units: int) -> tuple[Stop, ...]:
    a_symbol = workload.rows_per_second / max(1, workload.symbols) * units
    asked = capacity if mode == "PROVISIONED" else peak
    stops = beyond(
        "dynamodb-partition-writes",
        a_symbol,
        f"{a_symbol:,.0f} writes a second go to each symbol, and a partition takes 1,000.",
        "Spread the rows over more symbols, or put a shard number into the partition key.",
    )
    stops += beyond(
        "dynamodb-table-writes",
        asked,
        f"The table needs {asked:,.0f} write units a second; its quota is 40,000.",
        "Ask for a higher table quota (Service Quotas), or write to several tables.",
    )
    if mode == "PROVISIONED":
        return stops + beyond(
            "dynamodb-account-writes",
            capacity,
            f"The account would provision {capacity:,} WCU; its quota is 80,000.",
            "Ask for a higher account quota (Service Quotas).",
        )
    return stops + beyond(
        "dynamodb-new-on-demand-writes",
        peak,
        f"A new on-demand table serves 4,000 writes a second at once, not {peak:,.0f}.",
        "Raise its warm throughput first, or begin with provisioned capacity.",
    )


def kinesis(workload: Workload, sizes: RecordSizes, taken: Assumptions) -> Part:
    """Return the stream's part, in the cheaper mode."""
    records, volume = workload.rows_per_second, workload.rows_per_second * sizes.change
    by_records = records / (limit("kinesis-shard-records") * taken.used_share)
    by_bytes = volume / (limit("kinesis-shard-bytes") * taken.used_share)
    shards = max(1, math.ceil(max(by_records, by_bytes)))
    rounded = limit("kinesis-on-demand-rounding")
    modes: dict[str, tuple[Line, ...]] = {
        "ON_DEMAND": (
            Line("kinesis-stream", HOURS_A_MONTH),
            Line("kinesis-in", workload.rows * math.ceil(sizes.change / rounded) * rounded / GB),
            Line("kinesis-out", workload.rows * sizes.change / GB),
        ),
        "PROVISIONED": (
            Line("kinesis-shard", shards * HOURS_A_MONTH),
            Line("kinesis-put", workload.rows * math.ceil(sizes.change / limit("kinesis-put-unit"))),
        ),
    }
    mode = cheaper(modes)
    on_demand, provisioned = (_usd(lines) for lines in modes.values())
    # What does not depend on the hours: the stream's own price here, the shards' there.
    even = even_hours(
        workload,
        on_demand - modes["ON_DEMAND"][0].usd - modes["PROVISIONED"][1].usd,
        modes["PROVISIONED"][0].usd - modes["ON_DEMAND"][0].usd,
    )
    return Part(
        "Kinesis",
        f"StreamCapacity={mode}" + f", ShardCount={shards}" * (mode == "PROVISIONED"),
        modes[mode],
        _stream_stops(mode, shards, records, volume),
        {"shards": float(shards if mode == "PROVISIONED" else max(NEW_ON_DEMAND_SHARDS, shards))},
        Modes(on_demand, provisioned, even),
    )


def _stream_stops(mode: str, shards: int, records: float, volume: float) -> tuple[Stop, ...]:
    if mode == "PROVISIONED":
        return beyond(
            "kinesis-shards",
            shards,
            f"The stream needs {shards:,} shards; an account has 20,000.",
            "Ask for a higher shard quota (Service Quotas).",
        )
    # A new on-demand stream's 4 MB/s come in four shards, of 1,000 records a second each.
    return beyond(
        "kinesis-new-on-demand-bytes",
        max(volume, records / limit("kinesis-shard-records") * limit("kinesis-shard-bytes")),
        f"A new on-demand stream takes 4 MB or 4,000 records a second, not {records:,.0f} records.",
        "Raise its warm throughput, let the rate grow to twice its peak at a time, or provision shards.",
    )


def firehose(workload: Workload, sizes: RecordSizes, taken: Assumptions) -> Part:
    """Return the delivery stream's part; its details say how many objects it writes."""
    rounding = limit("firehose-rounding")
    billed = workload.rows * math.ceil(sizes.change / rounding) * rounding / GB
    volume = workload.rows_per_second * sizes.line / workload.partitions
    gathered = volume * taken.buffer_seconds
    least, most = limit("firehose-least-buffer-megabytes"), limit("firehose-most-buffer-megabytes")
    megabytes = least if gathered <= least * MB else most
    buffers = workload.live_seconds / taken.buffer_seconds * workload.partitions
    objects = min(workload.rows, buffers * max(1.0, gathered / (megabytes * MB)))
    stops = beyond(
        "firehose-active-partitions",
        workload.partitions,
        f"{workload.partitions:,} partitions would be open at a time; a stream has 500."
        " The rows beyond go to the error prefix.",
        "Load a history in the order of its dates (`nearcast publish` does), or ask for up to 5,000.",
    )
    stops += beyond(
        "firehose-partition-bytes",
        volume,
        f"A partition would take {volume / GB:,.1f} GB a second; the limit is 1 GB.",
        "Partition by day as well, or use several streams.",
    )
    return Part(
        "Firehose",
        f"BufferSeconds={taken.buffer_seconds:.0f}, BufferMegabytes={megabytes:.0f}",
        (
            Line("firehose-ingested", billed),
            Line("firehose-partitioned", workload.rows * sizes.line / GB),
            Line("firehose-objects", objects),
        ),
        stops,
        {"objects": objects},
    )


def transformer(workload: Workload, sizes: RecordSizes, taken: Assumptions, shards: float) -> Part:
    """Return the Lambda's part; each shard's records are gathered by themselves."""
    by_size = workload.rows * sizes.change / taken.lambda_buffer_bytes
    by_time = shards * workload.live_seconds / taken.lambda_buffer_seconds
    invocations = min(workload.rows, max(by_size, by_time))
    cores = min(1.0, taken.lambda_memory_mb / limit("lambda-megabytes-a-core"))
    seconds = invocations * taken.lambda_overhead_s + workload.rows * taken.transform_cpu_s / cores
    concurrency = seconds / workload.live_seconds if workload.live_seconds else 0.0
    payload = sizes.event * taken.lambda_buffer_bytes / sizes.change
    outstanding = limit("firehose-lambdas-a-shard") * shards
    stops = beyond(
        "lambda-payload",
        payload,
        f"A request would have {payload / MB:.1f} MB; Lambda takes 6.",
        "Lower BufferSizeInMBs of the Lambda's processor.",
    )
    stops += beyond(
        "lambda-concurrency",
        concurrency,
        f"{concurrency:,.0f} executions would run at a time; an account has 1,000.",
        "Raise MemorySize up to 1,769 MB, a whole core, or ask for more concurrency.",
    )
    if concurrency > outstanding:
        stops += (
            Stop(
                "firehose-lambdas-a-shard",
                f"{concurrency:,.0f} executions would run at a time; Firehose starts {outstanding:,.0f}, 5 a shard.",
                "Raise MemorySize up to 1,769 MB, a whole core, or the number of shards.",
            ),
        )
    return Part(
        "Lambda",
        f"MemorySize={taken.lambda_memory_mb}, buffer {taken.lambda_buffer_bytes / MB:.0f} MB"
        f" or {taken.lambda_buffer_seconds:.0f} s",
        (
            Line("lambda-requests", invocations),
            Line("lambda-duration", seconds * taken.lambda_memory_mb / 1024),
        ),
        stops,
        {"invocations": invocations, "concurrency": concurrency},
    )


def cheaper(modes: dict[str, tuple[Line, ...]]) -> str:
    """Return the name of the mode that costs less; of equals the first."""
    return min(modes, key=lambda name: _usd(modes[name]))


def even_hours(workload: Workload, growing_usd: float, fixed_usd: float) -> float | None:
    """Return the hours a day at which a cost that grows with them is as large as one that does not; None: at none."""
    if growing_usd <= 0 or fixed_usd <= 0:
        return None
    return workload.hours_per_day * fixed_usd / growing_usd


def _usd(lines: tuple[Line, ...]) -> float:
    return sum(line.usd for line in lines)
