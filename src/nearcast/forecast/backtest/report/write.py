"""Writing the report's files."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.errors import ForecastError
from nearcast.forecast.backtest.report.content import Picture, content
from nearcast.forecast.backtest.report.html import html
from nearcast.forecast.backtest.report.markdown import FIGURES, file_name, markdown

if TYPE_CHECKING:
    from nearcast.forecast.backtest.run import Run

TITLE = "Nearcast: a walk-forward backtest"
HTML_FILE, MARKDOWN_FILE = "report.html", "report.md"
DOTS_PER_INCH = 130


def check_folder(folder: Path) -> None:
    """Make a folder for a report; raise a ForecastError when that cannot be: before the work, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ForecastError(
            f"The report's folder {folder} cannot be written: {error.strerror}.", todo="Name another folder."
        ) from error


def write_report(run: Run, document: dict[str, Any], folder: Path) -> Path:
    """Write ``report.html``, ``report.md`` and ``figures/*.png``; return the HTML file."""
    (folder / FIGURES).mkdir(parents=True, exist_ok=True)
    drawn = [(block, _png(block) if isinstance(block, Picture) else b"") for block in content(run, document)]
    for block, png in drawn:
        if isinstance(block, Picture):
            (folder / FIGURES / file_name(block)).write_bytes(png)
    (folder / MARKDOWN_FILE).write_text(markdown(TITLE, (block for block, _ in drawn)), encoding="utf-8")
    page = folder / HTML_FILE
    page.write_text(html(TITLE, drawn), encoding="utf-8")
    return page


def _png(picture: Picture) -> bytes:
    stream = io.BytesIO()
    # without the version of Matplotlib in it, the same figure gives the same bytes
    picture.figure.savefig(stream, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return stream.getvalue()
