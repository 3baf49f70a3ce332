"""What commands say: to people (Rich, on stderr and stdout) or to machines (one JSON document)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from nearcast.errors import NearcastError


class Output:
    """Results go to stdout; progress, notes and errors go to stderr.

    Parameters
    ----------
    as_json
        Print the result as one JSON document and nothing else on stdout.
    """

    def __init__(self, as_json: bool = False) -> None:
        from rich.console import Console

        self.as_json = as_json
        self.people = Console(stderr=True)
        self.stdout = Console(highlight=False)

    def result(self, document: dict[str, Any], render: Callable[[Any], None] | None = None) -> None:
        """Print ``document`` as JSON, or let ``render`` print it to the Rich console of stdout."""
        if self.as_json:
            click.echo(json.dumps(document, default=str))
        elif render is not None:
            render(self.stdout)
        else:
            for key, value in document.items():
                self.stdout.print(f"{key}: {value}")

    def table(self, title: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        """Print a table to stdout; only for people."""
        from rich.table import Column, Table

        # Folded and not cut: where the table is too wide, a value must not lose its end.
        folded = (Column(name, overflow="fold") for name in columns)
        table = Table(*folded, title=title, title_justify="left")
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        self.stdout.print(table)

    def note(self, text: str) -> None:
        """Say something on stderr."""
        self.people.print(text, highlight=False, markup=False)

    @contextmanager
    def progress(self, title: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        """Show a bar (or a spinner without ``total``) on stderr; the yielded function advances it."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        if not self.people.is_terminal:
            # Without a terminal the bar is only printed when it is done.
            self.note(f"{title} …")
        columns: list[Any] = [SpinnerColumn(), TextColumn("{task.description}")]
        columns += [BarColumn(), MofNCompleteColumn()] if total is not None else []
        with Progress(*columns, TimeElapsedColumn(), console=self.people) as bars:
            task = bars.add_task(title, total=total)
            yield lambda amount: bars.update(task, advance=amount)

    def error(self, error: NearcastError) -> None:
        """Say what happened, what was kept and what to do next, on stderr."""
        self.people.print(f"[bold red]error:[/] {error.happened}", highlight=False)
        if error.kept:
            self.people.print(f"  kept: {error.kept}", highlight=False, markup=False)
        if error.todo:
            self.people.print(f"  next: {error.todo}", highlight=False, markup=False)
        if self.as_json:
            click.echo(json.dumps({"error": error.happened, "kept": error.kept, "next": error.todo}))
