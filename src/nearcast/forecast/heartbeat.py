"""The forecaster's sign of life: a file in the home that it touches whenever it looks at the lake."""

from __future__ import annotations

from pathlib import Path

SILENT_S = 120.0
"""Seconds without a look after which the forecaster counts as stuck; taking in a large commit is one look."""


def beat_file(home: Path) -> Path:
    """Return the file whose time of change is that of the last look."""
    return home / "forecaster.beat"
