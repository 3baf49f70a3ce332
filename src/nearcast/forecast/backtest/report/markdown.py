"""The report as Markdown, with its figures in files beside it."""

from __future__ import annotations

from collections.abc import Iterable

from nearcast.forecast.backtest.report.content import Block, Heading, Paragraph, Picture, Sentences

FIGURES = "figures"


def markdown(title: str, blocks: Iterable[Block]) -> str:
    """Return the page."""
    return "\n\n".join([f"# {title}", *map(_block, blocks)]) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"## {block.text}"
    if isinstance(block, Paragraph):
        return _escape(block.text)
    if isinstance(block, Sentences):
        return "\n".join(f"- {_escape(item)}" for item in block.items)
    if isinstance(block, Picture):
        return f"![{_escape(block.caption)}]({FIGURES}/{file_name(block)})\n\n*{_escape(block.caption)}*"
    aligned = ["---", *["---:"] * (len(block.headings) - 1)]
    lines = [block.headings, aligned, *block.rows]
    return f"**{_escape(block.title)}**\n\n" + "\n".join(
        f"| {' | '.join(map(_escape, line))} |" for line in lines
    )


def file_name(picture: Picture) -> str:
    """Return the name of a figure's file."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in picture.name) + ".png"


def _escape(text: str) -> str:
    """Return text whose underscores, stars and bars are shown as they are."""
    for mark in "\\|*_[]<":
        text = text.replace(mark, f"\\{mark}")
    return text
