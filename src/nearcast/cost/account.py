"""The parts that the others share: key, alarms and logs, schedules; and what is only there if wanted."""

from __future__ import annotations

from nearcast.cost.bill import Line, Part
from nearcast.cost.workload import DAYS_A_MONTH, GB, HOURS_A_MONTH, Assumptions, Workload


def key(taken: Assumptions, s3_requests: float) -> Part:
    """Return the customer-managed key's part: an upper bound, as if every user of the key were always at work."""
    asked = taken.key_users * HOURS_A_MONTH * 3600 / taken.key_reuse_s
    return Part(
        "KMS",
        "one key for all, S3 bucket keys",
        (Line("kms-key", 1.0), Line("kms-requests", asked + s3_requests * taken.bucket_key_share)),
    )


def cloudwatch(taken: Assumptions, invocations: float, runs: float) -> Part:
    """Return the part of alarms, dashboard, metrics and logs."""
    logs = (invocations * taken.log_bytes_an_invocation + runs * taken.log_bytes_a_run) / GB
    return Part(
        "CloudWatch",
        f"{taken.alarms} alarms, {taken.dashboards} dashboard, logs for {taken.log_days:.0f} days",
        (
            Line("cloudwatch-alarm", taken.alarms),
            Line("cloudwatch-dashboard", taken.dashboards),
            Line("cloudwatch-metric", taken.custom_metrics),
            Line("cloudwatch-metric-data", taken.polled_metrics),
            Line("logs-ingested", logs),
            Line("logs-stored", logs * taken.log_days / DAYS_A_MONTH),
        ),
    )


def schedules(taken: Assumptions, starts: float) -> Part:
    """Return the part of EventBridge Scheduler and of the alarms' e-mails."""
    return Part(
        "Scheduler, SNS",
        "starts job and crawler; mails alarms",
        (
            Line("scheduler-invocations", starts),
            Line("sns-publishes", taken.alarm_mails),
            Line("sns-emails", taken.alarm_mails),
        ),
    )


def quicksight(workload: Workload) -> Part:
    """Return QuickSight's part."""
    return Part(
        "QuickSight",
        f"{workload.authors} authors, {workload.readers} readers",
        (Line("quicksight-author", workload.authors), Line("quicksight-reader", workload.readers)),
    )


def mwaa() -> Part:
    """Return the part of a small MWAA environment with its one worker and scheduler."""
    return Part("MWAA", "mw1.small", (Line("mwaa-environment", HOURS_A_MONTH),))
