"""The cards, badges and tables of the page, as HTML; every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from pathlib import Path


@dataclass(frozen=True)
class Card:
    """A title, a large value and small notes below; ``tone`` is "", "good", "warn" or "bad"."""

    title: str
    value: str
    notes: Sequence[str] = field(default_factory=tuple)
    tone: str = ""


def card(content: Card) -> str:
    """Return one card."""
    notes = "".join(f'<div class="nc-note">{escape(note)}</div>' for note in content.notes if note)
    return (
        f'<div class="nc-card {escape(content.tone)}"><div class="nc-title">{escape(content.title)}</div>'
        f'<div class="nc-value">{escape(content.value)}</div>{notes}</div>'
    )


def cards(kind: str, contents: Sequence[Card], between: str = "") -> str:
    """Return a row of cards with ``between`` (HTML) between two of them."""
    return f'<div class="nc-row {kind}">{between.join(map(card, contents))}</div>'


def section(title: str, text: str) -> str:
    """Return a heading with a few words beside it."""
    return (
        f'<div class="nc-head"><span class="nc-section">{escape(title)}</span>'
        f'<span class="nc-small">{escape(text)}</span></div>'
    )


def table(heading: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heading)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    return f'<table class="nc-table"><tr>{head}</tr>{body}</table>'


@lru_cache
def style() -> str:
    """Return the page's style sheet as an element."""
    return f"<style>{Path(__file__).with_name('style.css').read_text()}</style>"
