"""The path of a price: rows and delays at each hop, from left to right."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from nearcast.dashboard.cards import Card, cards
from nearcast.dashboard.data import LAST

if TYPE_CHECKING:
    from nearcast.dashboard.data import Overview
    from nearcast.dashboard.rejected import Rejected

ARROW = '<div class="nc-arrow">→</div>'


def hops_html(overview: Overview, rejected: Rejected | None) -> str:
    """Return a card for each hop and one for what was rejected."""
    path = [_source_card(overview), _stream_card(overview), _lake_card(overview), _forecast_card(overview)]
    return cards("nc-hops", [*path, _rejected_card(rejected)], between=ARROW)


def _source_card(overview: Overview) -> Card:
    notes = [f"{overview.pending_rows:,} to publish", f"newest loaded {_clock(overview.newest_loaded_at)}"]
    return Card("PostgreSQL", _rows(overview.source_rows), notes)


def _stream_card(overview: Overview) -> Card:
    notes = ["published and taken", f"newest pushed {_clock(overview.newest_published_at)}"]
    return Card("DynamoDB", _rows(overview.published_rows), notes)


def _lake_card(overview: Overview) -> Card:
    notes = [
        _delay(overview.lake_p50, overview.lake_p95),
        f"newest commit {_commit_clock(overview.newest_commit)}",
    ]
    return Card("Lake", _rows(overview.lake_rows), notes)


def _forecast_card(overview: Overview) -> Card:
    notes = [
        _delay(overview.forecast_p50, overview.forecast_p95),
        f"newest stored {_clock(overview.newest_made_at)}",
    ]
    return Card("Forecast", f"{overview.forecasts:,} stored", notes)


def _rejected_card(rejected: Rejected | None) -> Card:
    if rejected is None:
        return Card("Rejected", "…", ["being counted"])
    if rejected.problem:
        return Card("Rejected", "?", [rejected.problem], tone="warn")
    if rejected.objects == 0:
        return Card("Rejected", "0", ["every record was transformed"])
    more = "+" if rejected.more else ""
    notes = ["objects of failed records", "mend the cause, then: nearcast lake redrive"]
    return Card("Rejected", f"{rejected.objects:,}{more}", notes, tone="bad")


def _rows(count: int) -> str:
    return f"{count:,} rows"


def _delay(p50: float | None, p95: float | None) -> str:
    """Return the delays since the push, of which the newest rows have these percentiles."""
    if p50 is None or p95 is None:
        return "no delay measured yet"
    return f"p50 {_seconds(p50)} · p95 {_seconds(p95)} after push (last {LAST})"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 100 else f"{value:,.0f} s"


def _clock(moment: datetime | None) -> str:
    return "–" if moment is None else f"{moment:%H:%M:%S} UTC"


def _commit_clock(commit: str | None) -> str:
    """Return the time of a Hudi instant, yyyyMMddHHmmssSSS in UTC."""
    if commit is None:
        return "–"
    if len(commit) < 14 or not commit.isdigit():
        return commit
    return f"{commit[8:10]}:{commit[10:12]}:{commit[12:14]} UTC"
