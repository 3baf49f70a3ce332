"""The tables say where each figure is from, none is dead, and they give what AWS's own examples come to."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlsplit

import pytest

from nearcast.cost.bill import Line
from nearcast.cost.estimate import estimate
from nearcast.cost.tables import limit, limits, price_table
from nearcast.cost.workload import Assumptions, Workload
from nearcast.deploy.deployment import LAYERS
from nearcast.deploy.templates import parse, template_text
from nearcast.lake import hudi_job

TEMPLATES = {layer: parse(template_text(layer)) for layer in LAYERS}


def resources(kind: str) -> list[Any]:
    """Return the properties of all resources of a kind."""
    found = [one for template in TEMPLATES.values() for one in template["Resources"].values()]
    return [one["Properties"] for one in found if one["Type"] == kind]


def test_every_price_has_a_page_of_aws_and_a_day_or_a_word_why_there_is_none() -> None:
    table = price_table()
    assert table.region == "us-east-1"
    for price in table.prices.values():
        assert urlsplit(price.source).hostname == "aws.amazon.com", price
        assert price.note or price.stated, price
        assert price.stated is None or price.stated <= table.compiled, price
        assert all(usd > 0 for _, usd in price.tiers) and price.per >= 1, price
        assert [up_to for up_to, _ in price.tiers] == sorted({up_to for up_to, _ in price.tiers}), price
        assert price.tiers[-1][0] == math.inf, price


def test_every_limit_has_a_page_of_aws() -> None:
    for one in limits().values():
        assert urlsplit(one.source).hostname in ("aws.amazon.com", "docs.aws.amazon.com"), one
        assert one.value > 0


def test_no_price_is_in_the_table_that_no_part_uses() -> None:
    rare = estimate(Workload(5000, hours_per_day=0.1, authors=1, readers=1, mwaa=True))
    used = {line.name for one in (rare, estimate(Workload(1))) for part in one.parts for line in part.lines}
    assert used == price_table().prices.keys()


@pytest.mark.parametrize(
    ("lines", "usd"),
    [
        # Kinesis: 100 records of 35 KB a second, so 4 shards and 2 units a record, in 31 days.
        ((Line("kinesis-shard", 4 * 24 * 31), Line("kinesis-put", 100 * 2 * 86_400 * 31)), 52.14),
        # DynamoDB: change data capture of 42,177,000 writes of up to 1 KB.
        ((Line("dynamodb-change-capture", 42_177_000),), 4.22),
        # Glue: a job on 6 DPUs for a quarter of an hour.
        ((Line("glue-job", 6 * 0.25),), 0.66),
        # Athena: a query of a text file of 3 TB.
        ((Line("athena-scanned", 3),), 15.00),
        # DynamoDB: continuous backups of 27 GB.
        ((Line("dynamodb-point-in-time-recovery", 27),), 5.40),
    ],
)
def test_the_examples_on_awss_pages_come_out(lines: tuple[Line, ...], usd: float) -> None:
    assert sum(line.usd for line in lines) == pytest.approx(usd, abs=0.005)


def test_tiers_are_paid_one_after_the_other() -> None:
    price = price_table().prices["firehose-ingested"]
    assert price.cost(512_000) == pytest.approx(14_848)
    assert price.cost(612_000) == pytest.approx(14_848 + 2_500)
    assert price.cost(3_000_000) == pytest.approx(14_848 + 1_536_000 * 0.025 + 952_000 * 0.020)


def test_what_is_taken_for_granted_is_what_the_templates_and_the_job_say() -> None:
    taken, stream = Assumptions(), TEMPLATES["stream"]
    defaults = {name: parameter.get("Default") for name, parameter in stream["Parameters"].items()}
    assert defaults["BufferSeconds"] == taken.buffer_seconds
    assert defaults["LambdaBufferSeconds"] == taken.lambda_buffer_seconds
    assert defaults["VisibilitySeconds"] == taken.visibility_s
    assert defaults["LogRetentionDays"] == taken.log_days
    [function] = resources("AWS::Lambda::Function")
    assert function["MemorySize"] == taken.lambda_memory_mb
    [delivery] = resources("AWS::KinesisFirehose::DeliveryStream")
    processing = delivery["ExtendedS3DestinationConfiguration"]["ProcessingConfiguration"]
    parameters = {
        one["ParameterName"]: one["ParameterValue"] for one in processing["Processors"][0]["Parameters"]
    }
    assert float(parameters["BufferSizeInMBs"]) * 2**20 == taken.lambda_buffer_bytes
    lake = TEMPLATES["lake"]["Parameters"]
    assert (lake["WorkerType"]["Default"], lake["Workers"]["Default"]) == (
        "G.1X",
        limit("glue-least-workers"),
    )
    assert lake["NoncurrentDays"]["Default"] == taken.noncurrent_days
    assert hudi_job.OBJECTS_A_COMMIT == hudi_job.MESSAGES_A_COMMIT == taken.objects_a_commit
    assert len(resources("AWS::CloudWatch::Alarm")) == taken.alarms
    assert len(resources("AWS::CloudWatch::Dashboard")) == taken.dashboards


def test_the_templates_are_within_the_limits() -> None:
    for layer, template in TEMPLATES.items():
        assert len(template["Resources"]) <= limit("cloudformation-resources"), layer
        assert len(template.get("Parameters", {})) <= limit("cloudformation-parameters"), layer
        assert len(template.get("Outputs", {})) <= limit("cloudformation-outputs"), layer
        assert len(template_text(layer).encode()) <= limit("cloudformation-body"), layer
    parameters = TEMPLATES["stream"]["Parameters"]
    seconds, megabytes = parameters["BufferSeconds"], parameters["BufferMegabytes"]
    assert (
        limit("firehose-least-buffer-seconds") <= seconds["Default"] <= limit("firehose-most-buffer-seconds")
    )
    assert seconds["MaxValue"] <= limit("firehose-most-buffer-seconds")
    assert megabytes["MinValue"] == limit("firehose-least-buffer-megabytes")
    assert megabytes["MaxValue"] == limit("firehose-most-buffer-megabytes")
    [job] = resources("AWS::Glue::Job")
    lake = TEMPLATES["lake"]["Parameters"]
    runs = job["ExecutionProperty"]["MaxConcurrentRuns"]
    assert runs <= limit("glue-concurrent-runs")
    assert runs * lake["Workers"]["Default"] * limit("glue-worker-dpus") <= limit("glue-task-dpus")
    assert limit("sqs-in-flight") >= hudi_job.MESSAGES_A_COMMIT


def test_a_commits_requests_are_far_from_what_s3_takes_of_a_prefix() -> None:
    taken = Assumptions()
    assert 10 * taken.file_puts / taken.file_s < limit("s3-prefix-puts")
