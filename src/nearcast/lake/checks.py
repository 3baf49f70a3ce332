"""The data checks of the lake: each with its count of rows that break it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nearcast.errors import LakeError
from nearcast.settings import Settings

SETTLE_S = 60.0
"""Rows published in the last minute may still be on their way."""


def published_rows(settings: Settings) -> int:
    """Return how many rows DynamoDB has taken."""
    from nearcast.source.database import connect

    with connect(settings.need("postgres_dsn")) as link:
        found = link.execute(
            "SELECT count(*) FROM nearcast.publications WHERE confirmed_at IS NOT NULL AND NOT deleted"
        ).fetchone()
    return int(found[0]) if found else 0


def run_checks(settings: Settings, say: Callable[[str], None]) -> dict[str, int]:
    """Compare the lake with the source, and its rows with what a trading day can be.

    Returns
    -------
    dict
        How many rows break each check; all are 0.

    Raises
    ------
    LakeError
        A check found rows that break it; the message names checks and counts.
    """
    from nearcast.lake.counts import rejected_records
    from nearcast.lake.query import query
    from nearcast.lake.reconcile import reconcile

    difference = reconcile(settings, settle_s=SETTLE_S)
    say(
        f"source {difference.source_rows:,} rows, lake {difference.lake_rows:,}, under way {difference.pending:,}"
    )
    impossible = query(settings, Path(__file__).with_name("impossible_bars.sql").read_text()).rows[0][0]
    broken = {**difference.counts(), "impossible_bars": int(impossible)}
    for name, count in broken.items():
        say(f"{name}: {count:,}")
    say(f"rejected records, for `nearcast lake redrive`: {rejected_records(settings):,}")
    if any(broken.values()):
        failed = ", ".join(f"{count:,} {name}" for name, count in broken.items() if count)
        raise LakeError(
            f"Data checks failed: {failed}.",
            kept="The table is as it is; nothing was removed.",
            todo="See `nearcast lake reconcile`; `nearcast lake reconcile --repair` publishes those rows again.",
        )
    return broken
