"""The alerts of the last day: failed tasks, late runs, late ticks, quarantined rows."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nearcast.dashboard.data import Alert

MOST = 5
"""Alerts that are shown; the table nearcast.alerts has all."""


def alerts_html(alerts: Sequence[Alert]) -> str:
    """Return the newest alerts, newest first; nothing when there is none."""
    lines = "".join(
        f'<div class="nc-alert"><b>{escape(alert.source)}</b> {escape(alert.text)}'
        f'<span class="nc-small"> {alert.raised_at:%d %b %H:%M:%S} UTC</span></div>'
        for alert in alerts
    )
    return f'<div class="nc-alerts">{lines}</div>' if lines else ""
