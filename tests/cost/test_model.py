"""Laws of the estimate, and positions worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.cost import lake, stream
from nearcast.cost.bill import Estimate
from nearcast.cost.estimate import estimate
from nearcast.cost.record_sizes import RecordSizes, record_sizes
from nearcast.cost.tables import limit, limits
from nearcast.cost.workload import Assumptions, Workload

RATES = st.floats(0, 1e6, allow_subnormal=False) | st.sampled_from([0.0, 1.0, 500.0, 5000.0, 50_000.0])
WORKLOADS = st.builds(
    Workload,
    rows_per_second=RATES,
    hours_per_day=st.floats(0.1, 24),
    days_per_month=st.floats(1, 31),
    symbols=st.integers(1, 5000),
    partitions=st.integers(1, 600),
    months_stored=st.floats(0, 120),
    queries_per_day=st.floats(0, 1000),
)


@given(WORKLOADS)
def test_no_cost_is_negative_and_the_total_is_the_sum_of_the_positions(workload: Workload) -> None:
    made = estimate(workload)
    lines = [line for part in made.parts for line in part.lines]
    assert all(line.quantity >= 0 and 0 <= line.usd < math.inf for line in lines)
    assert made.usd == pytest.approx(math.fsum(line.usd for line in lines))
    assert len({part.name for part in made.parts}) == len(made.parts)


@given(WORKLOADS, RATES)
def test_more_rows_never_cost_less(workload: Workload, other: float) -> None:
    low, high = sorted((workload.rows_per_second, other))
    less, more = (estimate(replace(workload, rows_per_second=rate)) for rate in (low, high))
    for part in less.parts:
        assert part.usd <= more.part(part.name).usd * (1 + 1e-9) + 1e-9, part.name


@given(WORKLOADS)
def test_what_is_recommended_carries_the_rate_and_what_is_beyond_a_limit_is_said(workload: Workload) -> None:
    made, rate, sizes = estimate(workload), workload.rows_per_second, record_sizes()
    said = {stop.name for part in made.parts for stop in part.stops}
    capacity = made.part("DynamoDB").details["write_capacity"]
    assert capacity >= rate
    if "PROVISIONED" in made.part("DynamoDB").settings:
        assert (capacity > limit("dynamodb-table-writes")) == ("dynamodb-table-writes" in said)
        assert (capacity > limit("dynamodb-account-writes")) == ("dynamodb-account-writes" in said)
    else:
        assert (rate > limit("dynamodb-table-writes")) == ("dynamodb-table-writes" in said)
        assert (rate > limit("dynamodb-new-on-demand-writes")) == ("dynamodb-new-on-demand-writes" in said)
    shards = made.part("Kinesis").details["shards"]
    if "PROVISIONED" in made.part("Kinesis").settings:
        assert rate / shards <= limit("kinesis-shard-records")
        assert rate * sizes.change / shards <= limit("kinesis-shard-bytes")
        assert (shards > limit("kinesis-shards")) == ("kinesis-shards" in said)
    else:
        assert (rate > 4000) == ("kinesis-new-on-demand-bytes" in said)
    assert (workload.partitions > 500) == ("firehose-active-partitions" in said)
    assert (rate / workload.symbols > 1000) == ("dynamodb-partition-writes" in said)
    assert all(name in limits() or name.startswith("nearcast-") for name in said)


@given(WORKLOADS)
def test_the_cheaper_mode_is_taken_and_they_are_even_where_it_says(workload: Workload) -> None:
    made = estimate(workload)
    for name, capacity in (("DynamoDB", "dynamodb-write"), ("Kinesis", "kinesis-")):
        modes = made.part(name).modes
        assert modes is not None
        paid = sum(line.usd for line in made.part(name).lines if line.name.startswith(capacity))
        assert paid == pytest.approx(min(modes.on_demand_usd, modes.provisioned_usd))
        hours = modes.even_at_hours_per_day
        if hours is not None and hours <= 24:
            even = estimate(replace(workload, hours_per_day=hours)).part(name).modes
            assert even is not None and even.on_demand_usd == pytest.approx(even.provisioned_usd)


@given(WORKLOADS)
def test_what_is_billed_by_the_row_doubles_with_the_hours(workload: Workload) -> None:
    half = replace(workload, hours_per_day=workload.hours_per_day / 2)
    for part, name in (("DynamoDB", "dynamodb-change-capture"), ("Firehose", "firehose-ingested")):
        [once], [twice] = (
            [line.quantity for line in estimate(one).part(part).lines if line.name == name]
            for one in (half, workload)
        )
        assert twice == pytest.approx(2 * once)


@given(
    st.builds(replace, st.just(Workload(0)), hours_per_day=st.floats(1, 24), symbols=st.integers(1, 10_000))
)
def test_idle_it_costs_the_same_whatever_the_hours_and_symbols(workload: Workload) -> None:
    assert estimate(workload).usd == estimate(Workload(0)).usd


def test_the_idle_bill_by_hand() -> None:
    by_hand = {
        "DynamoDB": 0.0,
        "Kinesis": 730 * 0.015,
        "Firehose": 0.0,
        "Lambda": 0.0,
        "S3": 0.0,
        "SQS": 730 * 0.40 / 1e6,
        "Glue job": 730 * 2 * (1 / 60) * 0.44,
        "Glue crawler": 365 / 12 * 2 * (10 / 60) * 0.44,
        "Athena": 50 * 365 / 12 * 10 / 1024**2 * 5.0,
        "KMS": 1.00 + 8 * 12 * 730 * 0.03 / 1e4,
        "CloudWatch": 13 * 0.10 + 3.00 + 2 * 0.30 + 730 * 200 / 1024**2 * (0.50 + 0.03 * 30 / (365 / 12)),
        "Scheduler, SNS": (730 + 365 / 12) / 1e6 + 30 * 0.50 / 1e6 + 30 * 2.00 / 1e5,
    }
    made = estimate(Workload(0))
    assert {part.name: pytest.approx(part.usd) for part in made.parts} == by_hand


def test_five_hundred_rows_a_second_by_hand() -> None:
    made, rows, sizes = estimate(Workload(500)), 500 * 730 * 3600, record_sizes()
    assert sizes.item <= 1024 and sizes.change <= 5120
    modes = made.part("DynamoDB").modes
    assert modes is not None
    assert modes.on_demand_usd == pytest.approx(rows * 0.625e-6)
    assert modes.provisioned_usd == pytest.approx(715 * 730 * 0.00065)
    assert modes.even_at_hours_per_day == pytest.approx(24 * 339.2675 / 821.25)
    assert made.part("Kinesis").usd == pytest.approx(730 * 0.015 + rows * 0.014e-6)
    firehose = rows * 5120 / 2**30 * 0.029 + rows * sizes.line / 2**30 * 0.020 + 730 * 60 / 1000 * 0.005
    assert made.part("Firehose").usd == pytest.approx(firehose)


def test_a_rare_burst_by_hand() -> None:
    made, rows, sizes = (
        estimate(Workload(50_000, hours_per_day=0.1, days_per_month=20)),
        50_000 * 7200,
        record_sizes(),
    )
    assert made.part("Kinesis").settings == "StreamCapacity=ON_DEMAND"
    usd = 730 * 0.04 + rows * 1024 / 2**30 * 0.08 + rows * sizes.change / 2**30 * 0.04
    assert made.part("Kinesis").usd == pytest.approx(usd)
    assert made.part("DynamoDB").settings == "TableCapacity=ON_DEMAND"
    stored = 500 * 20 * 12 * (sizes.item + 100) / 2**30
    assert made.part("DynamoDB").usd == pytest.approx(rows * 0.725e-6 + stored * 0.45)
    seconds = rows * (sizes.change / 2**20 * 0.01 + 47e-6 * 1769 / 256)
    requests = rows * sizes.change / 2**20
    assert made.part("Lambda").usd == pytest.approx(requests * 0.2e-6 + seconds / 4 * 0.0000166667)
    stops = {stop.name for part in made.parts for stop in part.stops}
    assert {"dynamodb-new-on-demand-writes", "dynamodb-table-writes", "kinesis-new-on-demand-bytes"} <= stops


def test_awss_example_of_a_stream_takes_as_many_shards() -> None:
    # aws.amazon.com/kinesis/data-streams/pricing: 100 records of 35 KB a second are 3.4 MB/s, so 4 shards, and two
    # PUT payload units a record.
    sizes = RecordSizes(item=500, change=35 * 1024, event=50_000, line=300)
    part = stream.kinesis(Workload(100, days_per_month=31), sizes, Assumptions(used_share=1.0))
    assert part.details["shards"] == 4
    assert part.lines[1].quantity == 535_680_000


@pytest.mark.parametrize(
    ("change", "billed"), [(3 * 1024, 5 * 1024), (5 * 1024, 5 * 1024), (12 * 1024, 15 * 1024)]
)
def test_firehose_bills_in_steps_of_five_kilobytes(change: int, billed: int) -> None:
    # aws.amazon.com/firehose/pricing: a 3 KB record is billed as 5 KB, a 12 KB record as 15 KB.
    workload = Workload(10)
    part = stream.firehose(workload, replace(record_sizes(), change=change), Assumptions())
    assert part.lines[0].quantity == pytest.approx(workload.rows * billed / 2**30)


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.5, 20.0])
@pytest.mark.parametrize("partitions", [1, 3])
def test_objects_are_those_of_buffers_that_are_filled_one_by_one(rate: float, partitions: int) -> None:
    hours = 10
    times = [number / rate for number in range(round(rate * hours * 3600))]
    flushed = {(number % partitions, int(at // 60)) for number, at in enumerate(times)}
    workload = Workload(rate, hours_per_day=hours, days_per_month=1, partitions=partitions)
    objects = stream.firehose(workload, record_sizes(), Assumptions()).details["objects"]
    assert objects == pytest.approx(len(flushed), rel=0.01)


def test_large_buffers_are_cut_by_their_size() -> None:
    workload = Workload(50_000, hours_per_day=1, days_per_month=1)
    objects = stream.firehose(workload, record_sizes(), Assumptions()).details["objects"]
    assert objects == pytest.approx(workload.rows * record_sizes().line / (128 * 2**20))


def test_the_job_is_started_as_rarely_as_it_copes_with() -> None:
    jobs = [estimate(Workload(rate)).part("Glue job") for rate in (0, 1, 500, 5000, 50_000)]
    assert [job.details["job_minutes"] for job in jobs] == [60, 60, 60, 15, 5]
    stops = estimate(Workload(50_000)).part("Glue job").stops
    assert [stop.name for stop in stops] == ["nearcast-job-memory"]
    of_many = estimate(Workload(500, symbols=5000)).part("Glue job").stops
    assert [stop.name for stop in of_many] == ["nearcast-visibility"]


@given(WORKLOADS, st.sampled_from([5.0, 10.0, 60.0]))
def test_a_job_is_never_billed_for_more_than_a_month_of_its_workers(
    workload: Workload, minutes: float
) -> None:
    part = estimate(replace(workload, job_minutes=minutes)).part("Glue job")
    assert 0 < part.lines[0].quantity <= 2 * 744


def test_the_measured_commits_come_out() -> None:
    # docs/measurements.md: one file .44 s, ten files 1.0 to 1.2 s, the first commit of 2,040 files 150 s.
    taken = Assumptions()
    for files, seconds in ((1, 0.44), (10, 1.1), (2040, 150.1)):
        assert taken.commit_s + files * taken.file_s == pytest.approx(seconds, rel=0.03)
    for files, puts, gets in ((1, 48.6, 62.5), (10, 90.9, 190.2), (12, 104.9, 224.3)):
        assert taken.commit_puts + files * taken.file_puts == pytest.approx(puts, rel=0.05)
        assert taken.commit_gets + files * taken.file_gets == pytest.approx(gets, rel=0.05)


def test_only_asked_for_are_quicksight_and_mwaa_in_it() -> None:
    plain, more = estimate(Workload(1)), estimate(Workload(1, authors=2, readers=10, mwaa=True))
    assert more.usd - plain.usd == pytest.approx(2 * 24 + 10 * 3 + 730 * 0.49)
    assert [part.name for part in more.parts[len(plain.parts) :]] == ["QuickSight", "MWAA"]


def test_runs_wait_for_nothing_when_there_is_nothing() -> None:
    runs = lake.hudi_runs(Workload(0), Assumptions(), 0.0)
    assert (runs.commits, runs.rows, runs.files) == (0, 0, 0)
    assert isinstance(estimate(Workload(0)), Estimate)
