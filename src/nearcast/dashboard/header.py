"""The head of the page: the newest price, its change, the next session's forecast, the state of the system."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nearcast.dashboard.data import History, Overview

State = tuple[str, str]
"""What to say, and its tone: "good", "warn" or ""."""


def state(overview: Overview) -> State:
    """Return the state of the stream in a few words."""
    behind = overview.published_rows - overview.lake_rows
    if overview.published_rows == 0:
        return "nothing published yet", ""
    if overview.live:
        return f"live, {overview.pending_rows:,} rows to come", "good"
    if behind > 0:
        return f"the lake is {behind:,} rows behind", "warn"
    if overview.pending_rows:
        return f"paused, {overview.pending_rows:,} rows to publish", ""
    return "up to date", ""


def header_html(history: History, overview: Overview) -> str:
    """Return the line above the chart."""
    text, tone = state(overview)
    badge = f'<span class="nc-badge {tone}">{escape(text)}</span>'
    return f'<div class="nc-head">{_price(history)}{badge}</div><div class="nc-head">{_coming(history)}</div>'


def _price(history: History) -> str:
    symbol = f'<span class="nc-symbol">{escape(history.symbol)}</span>'
    if not history.bars:
        return symbol + _small("its first rows are on their way")
    newest = history.bars[-1]
    price = f'<span class="nc-price">${newest.close_price:,.2f}</span>'
    return symbol + price + _change(history) + _small(f"close of {newest.date:%a %d %b %Y}")


def _change(history: History) -> str:
    if len(history.bars) < 2:
        return ""
    before, now = history.bars[-2].close_price, history.bars[-1].close_price
    sign, kind = ("▲", "nc-up") if now >= before else ("▼", "nc-down")
    text = f"{sign} {abs(now - before):,.2f} ({abs(now / before - 1):.2%})"
    return f'<span class="nc-change {kind}">{text}</span>'


def _coming(history: History) -> str:
    coming = history.coming
    if coming is None:
        return _small("The forecast of the next session is not stored yet.")
    marked = '<span class="nc-badge warn">marked: see the next sessions</span>' if coming.marks else ""
    text = (
        f"Forecast for {coming.date:%a %d %b}: {coming.q500:,.2f}, "
        f"with 80 % between {coming.q100:,.2f} and {coming.q900:,.2f} · model {coming.model_version}"
    )
    return _small(text) + marked


def _small(text: str) -> str:
    return f'<span class="nc-small">{escape(text)}</span>'
