"""The estimate of a workload: every part, with its recommended settings."""

from __future__ import annotations

from nearcast.cost import account, lake, stream
from nearcast.cost.bill import Estimate
from nearcast.cost.record_sizes import record_sizes
from nearcast.cost.workload import Assumptions, Workload


def estimate(workload: Workload, taken: Assumptions | None = None) -> Estimate:
    """Return what a workload takes and costs a month.

    Not in it: RDS or another PostgreSQL, data transfer, taxes, free allowances, and what stays below a cent whatever
    the rate (the lease's writes, the artifacts bucket, query results).
    """
    taken = taken or Assumptions()
    sizes = record_sizes()
    changes = stream.kinesis(workload, sizes, taken)
    delivery = stream.firehose(workload, sizes, taken)
    function = stream.transformer(workload, sizes, taken, changes.details["shards"])
    objects = delivery.details["objects"]
    runs = lake.hudi_runs(workload, taken, objects)
    job = lake.hudi_job(workload, taken, runs)
    crawler = lake.crawler(workload, taken)
    buckets = lake.buckets(workload, sizes, taken, objects, runs)
    started = job.details["runs"]
    parts = [
        stream.dynamodb(workload, sizes, taken),
        changes,
        delivery,
        function,
        buckets,
        lake.queue(objects, started),
        job,
        crawler,
        lake.athena(workload, taken),
        account.key(taken, buckets.details["requests"]),
        account.cloudwatch(taken, function.details["invocations"], started),
        account.schedules(taken, started + (crawler.details["crawls"])),
    ]
    if workload.authors or workload.readers:
        parts.append(account.quicksight(workload))
    if workload.mwaa:
        parts.append(account.mwaa())
    return Estimate(tuple(parts))
