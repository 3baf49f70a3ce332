"""Load prices from a CSV file into PostgreSQL: all good rows in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from nearcast.settings import Settings
from nearcast.source.bar import Bar
from nearcast.source.csv_file import Rejected, read_bars
from nearcast.source.database import connect, refusals

if TYPE_CHECKING:
    from psycopg import Cursor
    from psycopg.rows import TupleRow

_COLUMNS = ", ".join(field.name for field in fields(Bar))
_STAGE = (
    f"CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT {_COLUMNS} FROM nearcast.prices WITH NO DATA"
)
_COPY = f"COPY staged ({_COLUMNS}) FROM STDIN"


@dataclass(frozen=True)
class LoadReport:
    """What a load did; read = inserted + updated + unchanged + the rejected rows."""

    read: int
    inserted: int
    updated: int
    unchanged: int
    rejected: tuple[Rejected, ...]
    symbols: tuple[str, ...] = ()
    """The symbols of the rows that were good."""


def load_csv(
    settings: Settings,
    path: Path,
    symbols: Sequence[str] = (),
    progress: Callable[[float], None] | None = None,
) -> LoadReport:
    """Load the bars of a CSV file; a day that is there already is updated when any of its values differs.

    Parameters
    ----------
    settings
        `postgres_dsn` is the writer's.
    path, symbols
        As `nearcast.source.csv_file.read_bars` takes them.
    progress
        Called with the number of rows read since the last call.

    Raises
    ------
    SourceError
        The file cannot be read, or PostgreSQL failed; then nothing was loaded.
    """
    rejected: list[Rejected] = []
    kept = "Nothing was loaded: the rows that were there are as they were."
    with (
        refusals(kept, "Mend the cause, then load the file again."),
        connect(settings.need("postgres_dsn")) as link,
    ):
        cursor = link.cursor()
        good, found = _stage(cursor, _good_rows(read_bars(path, symbols), rejected, progress))
        inserted, updated = _merge(cursor)
    return LoadReport(
        good + len(rejected), inserted, updated, good - inserted - updated, tuple(rejected), found
    )


def _good_rows(
    rows: Iterator[Bar | Rejected], rejected: list[Rejected], progress: Callable[[float], None] | None
) -> Iterator[Bar]:
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Bar):
            yield row
        else:
            rejected.append(row)
        if progress and number % 1000 == 0:
            progress(1000)


def _stage(cursor: Cursor[TupleRow], bars: Iterator[Bar]) -> tuple[int, tuple[str, ...]]:
    """Copy the bars into a temporary table; return how many they are, and their symbols."""
    count, symbols = 0, set()
    cursor.execute(_STAGE.encode())
    with cursor.copy(_COPY.encode()) as copy:
        for bar in bars:
            copy.write_row(astuple(bar))
            count += 1
            symbols.add(bar.stock_symbol)
    return count, tuple(sorted(symbols))


def _merge(cursor: Cursor[TupleRow]) -> tuple[int, int]:
    """Bring the staged rows into the prices; return how many were inserted and updated."""
    merge = Path(__file__).with_name("merge_prices.sql").read_text()
    inserted, updated = cursor.execute(merge.encode()).fetchone() or (0, 0)
    return inserted, updated
