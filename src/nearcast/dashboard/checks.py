"""The data checks: the last run, the runs before it, and the rows in the quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from nearcast.dashboard.cards import Card, cards, table

if TYPE_CHECKING:
    from nearcast.dashboard.data import CheckResult, CheckRun, Database, QuarantinedRow

MOST_RUNS = 144
"""Runs that are shown: a day of one every ten minutes."""

MOST_ROWS = 50
"""Quarantined rows that are shown; `nearcast lake quarantine` lists all."""

LINES = {"quarantined": "#e0525f", "warnings": "#e0a02c", "differences": "#5a8cff"}


def draw_checks(database: Database) -> None:
    """Draw the section."""
    runs = database.check_runs(MOST_RUNS)
    if not runs:
        st.html(cards("nc-checks", [Card("Data checks", "–", ["none has run yet: nearcast lake check"])]))
        return
    results, rows = database.check_results(), database.quarantined(MOST_ROWS)
    st.html(checks_html(runs[-1], results, rows))
    with st.expander("Data checks: results, runs and quarantine"):
        st.html(results_html(results))
        if len(runs) > 1:
            st.plotly_chart(runs_figure(runs), key="check_runs", config={"displaylogo": False})
        if rows:
            st.html(quarantine_html(rows))


def checks_html(run: CheckRun, results: Sequence[CheckResult], rows: Sequence[QuarantinedRow]) -> str:
    """Return the cards: checks that found nothing, differences, quarantine, warnings."""
    clean = sum(result.findings == 0 for result in results)
    total = rows[0].total if rows else 0
    notes = [f"{run.rows:,} rows checked", f"{run.stored_at:%d %b %H:%M:%S} UTC"]
    return cards(
        "nc-checks",
        [
            Card("Data checks without a finding", f"{clean} of {len(results)}", notes),
            Card(
                "Differences from the source",
                f"{run.differences:,}",
                ["nearcast lake reconcile --repair"] if run.differences else ["row by row, bit by bit"],
                tone="bad" if run.differences else "",
            ),
            Card(
                "Quarantined rows",
                f"{total:,}",
                ["left out of training and forecasts"],
                tone="bad" if total else "",
            ),
            Card(
                "Warnings",
                f"{run.warnings:,}",
                ["reported, nothing is left out"],
                "warn" if run.warnings else "",
            ),
        ],
    )


def results_html(results: Sequence[CheckResult]) -> str:
    """Return the table of every check of the last run."""
    lines = ((one.check_name, one.severity, f"{one.findings:,}", one.example or "") for one in results)
    return table(("check", "severity", "findings", "such as"), lines)


def quarantine_html(rows: Sequence[QuarantinedRow]) -> str:
    """Return the table of the newest rows in the quarantine."""
    lines = (
        (f"{one.stock_symbol} {one.date}", str(one.version), one.reasons, f"{one.since:%d %b %H:%M} UTC")
        for one in rows
    )
    more = rows[0].total - len(rows)
    rest = f'<div class="nc-note">{more:,} more: nearcast lake quarantine</div>' if more else ""
    return table(("quarantined row", "version", "reasons", "since"), lines) + rest


def runs_figure(runs: Sequence[CheckRun]) -> dict[str, Any]:
    """Return what each run found, through time."""
    moments = [run.stored_at for run in runs]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": moments,
                "y": [getattr(run, name) for run in runs],
                "line": {"shape": "hv", "color": colour},
            }
            for name, colour in LINES.items()
        ],
        "layout": {
            "height": 180,
            "margin": {"l": 10, "r": 10, "t": 20, "b": 10},
            "hovermode": "x unified",
            "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
            "yaxis": {"rangemode": "tozero", "tickformat": ",d"},
        },
    }
