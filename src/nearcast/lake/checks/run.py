"""A run of the data checks: the lake against its source and each row against the laws; stored, row by row."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nearcast.errors import LakeError
from nearcast.lake.checks.catalog import BY_NAME, CHECKS, Severity
from nearcast.lake.checks.finding import Finding
from nearcast.lake.checks.rows import check_rows
from nearcast.lake.quarantine import Version, quarantined_versions
from nearcast.settings import Settings
from nearcast.source.database import connect, refusals

if TYPE_CHECKING:
    from nearcast.lake.reconcile import Difference

SETTLE_S = 60.0
"""Rows published in the last minute may still be on their way."""


@dataclass(frozen=True)
class CheckResult:
    """What one check found in a run: how much, and the first of it."""

    name: str
    severity: str
    rule: str
    findings: int
    example: str | None


@dataclass(frozen=True)
class CheckRun:
    """A run of all checks.

    Parameters
    ----------
    id
        Its number in nearcast.check_runs.
    commit
        Instant of the Hudi commit that it saw; None: an empty lake.
    rows
        How many rows it checked.
    quarantined
        How many of them are quarantined.
    new
        How many of those were not before.
    results
        A result for each check, in the order of `nearcast.lake.checks.catalog.CHECKS`.
    """

    id: int
    commit: str | None
    rows: int
    quarantined: int
    new: int
    results: tuple[CheckResult, ...]

    @property
    def failures(self) -> list[CheckResult]:
        """The checks by which the lake differs from its source."""
        return [one for one in self.results if one.severity == Severity.FAILURE and one.findings]

    def raise_for_failures(self) -> None:
        """Raise a LakeError that names the failures, if there are any."""
        if self.failures:
            counts = ", ".join(f"{one.findings:,} {one.name}" for one in self.failures)
            raise LakeError(
                f"Data checks failed: {counts}.",
                kept="The table is as it is; nothing was removed.",
                todo="See `nearcast lake reconcile`; `nearcast lake reconcile --repair` publishes those rows again.",
            )


def published_rows(settings: Settings) -> int:
    """Return how many rows DynamoDB has taken."""
    with connect(settings.need("postgres_dsn")) as link:
        found = link.execute(
            "SELECT count(*) FROM nearcast.publications WHERE confirmed_at IS NOT NULL AND NOT deleted"
        ).fetchone()
    return int(found[0]) if found else 0


def run_checks(settings: Settings) -> CheckRun:
    """Run every check on the lake, store what each found, and quarantine the rows that are wrong.

    The local copy is brought up to date first. New rows in the quarantine raise an alert. A lake that differs from
    its source is a result too: see `CheckRun.raise_for_failures`.

    Raises
    ------
    LakeError
        The checks cannot run; then the results of the last run stay as they were.
    SourceError
        PostgreSQL failed.
    """
    from nearcast.alerts import raise_alert
    from nearcast.lake.checks.bar_schema import to_frame
    from nearcast.lake.reconcile import reconcile
    from nearcast.lake.snapshot import read_snapshot
    from nearcast.lake.sync import sync

    started_at = datetime.datetime.now(datetime.UTC)
    differences = _differences(reconcile(settings, settle_s=SETTLE_S))
    commit = sync(settings).commit
    rows = to_frame(read_snapshot(settings))
    found = check_rows(rows, settings.calendar, started_at, _released(settings))
    wrong = {one.row: one for one in found if BY_NAME[one.check].severity is Severity.ERROR}
    in_lake = Counter(zip(rows["stock_symbol"], rows["date"].dt.date, rows["version"], strict=True))
    quarantined = sum(in_lake[key] for key in wrong)
    results = _results([*differences, *found])
    run_id, new = _store(settings, (started_at, commit, len(rows), quarantined), results, found)
    if new:
        first = wrong[min(new)]
        text = f"rows newly quarantined: {len(new):,}, such as {_words(first)} ({first.check})"
        raise_alert(settings, "lake.check", text)
    return CheckRun(run_id, commit, len(rows), quarantined, len(new), results)


def _differences(difference: Difference) -> list[Finding]:
    """Return the differences between the lake and its source as findings."""
    return [
        Finding(name, symbol, datetime.date.fromisoformat(day), None, "")
        for name in difference.counts()
        for symbol, day in getattr(difference, name)
    ]


def _results(findings: Sequence[Finding]) -> tuple[CheckResult, ...]:
    """Return a result for each check, also for those that found nothing."""
    counts = Counter(one.check for one in findings)
    examples = {one.check: _words(one) for one in reversed(findings)}
    return tuple(
        CheckResult(check.name, check.severity, check.rule, counts[check.name], examples.get(check.name))
        for check in CHECKS
    )


def _words(finding: Finding) -> str:
    key = f"{finding.stock_symbol} {finding.date}"
    return f"{key}: {finding.reason}" if finding.reason else key


def _released(settings: Settings) -> set[tuple[Version, str]]:
    """Return the versions and checks that a person has overruled."""
    query = "SELECT stock_symbol, date, version, check_name FROM nearcast.quarantine WHERE released_at IS NOT NULL"
    with connect(settings.need("postgres_dsn")) as link:
        return {((symbol, day, number), check) for symbol, day, number, check in link.execute(query)}


def _store(
    settings: Settings,
    run: tuple[datetime.datetime, str | None, int, int],
    results: Sequence[CheckResult],
    found: Sequence[Finding],
) -> tuple[int, set[Version]]:
    """Store a run in one transaction; return its number and which versions are quarantined that were not before."""
    errors = [one for one in found if BY_NAME[one.check].severity is Severity.ERROR]
    columns = {
        "symbols": [one.stock_symbol for one in errors],
        "dates": [one.date for one in errors],
        "versions": [one.version for one in errors],
        "checks": [one.check for one in errors],
        "reasons": [one.reason for one in errors],
    }
    with (
        refusals(
            "The results of the last run are as they were.", "Mend the cause, then run the checks again."
        ),
        connect(settings.need("postgres_dsn")) as link,
    ):
        # One run at a time, and none between the look at what was quarantined and what is.
        link.execute("LOCK TABLE nearcast.quarantine IN SHARE ROW EXCLUSIVE MODE")
        before = quarantined_versions(link)
        (run_id,) = link.execute(
            "INSERT INTO nearcast.check_runs (started_at, commit_time, rows, quarantined) VALUES (%s, %s, %s, %s)"
            " RETURNING id",
            run,
        ).fetchall()[0]
        link.cursor().executemany(
            "INSERT INTO nearcast.check_results VALUES (%s, %s, %s, %s, %s)",
            [(run_id, one.name, one.severity, one.findings, one.example) for one in results],
        )
        statement = Path(__file__).with_name("store_quarantine.sql").read_bytes()
        link.execute(statement, {**columns, "run_id": run_id})
        return run_id, quarantined_versions(link) - before
