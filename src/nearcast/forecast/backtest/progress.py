"""How far a backtest is, on stderr: a bar on a terminal, a line for each change elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nearcast.forecast.backtest.pool import Progress as Tell
from nearcast.forecast.backtest.pool import Task

if TYPE_CHECKING:
    from nearcast.output import Output


@contextmanager
def progress_bar(output: Output) -> Iterator[Tell]:
    """Yield what `run_tasks` tells its progress: the names of the tasks that run, and how many are done."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    shown = output.people.is_terminal
    with Progress(*columns, console=output.people, disable=not shown) as bars:
        bar = bars.add_task("")

        def tell(running: Sequence[Task], done: int, total: int) -> None:
            names = ", ".join(map(str, running))
            bars.update(bar, completed=done, total=total, description=names)
            if not shown and running:
                output.note(f"{done} of {total} folds done; running: {names}")

        yield tell
