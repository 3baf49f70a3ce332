"""Reading a copy of the Hudi table with hudi-rs: the newest version of each row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.lake.sync import reading, table_folder
from nearcast.schema import BAR
from nearcast.settings import Settings

if TYPE_CHECKING:
    import pyarrow

HUDI_COMMIT_TIME = "_hoodie_commit_time"
"""Hudi's column of the instant that wrote a row."""

COLUMNS = tuple(column.name for column in BAR)


def read_snapshot(
    settings: Settings, columns: Sequence[str] = COLUMNS, symbols: Sequence[str] = ()
) -> pyarrow.Table:
    """Return these columns of the local copy's rows, in no order.

    Only the files of ``symbols`` (default: all) are read. The table has no row while the copy has none; a
    column that a file does not have yet is null.
    """
    folder = table_folder(settings)
    with reading(folder):
        return read_copy(folder, columns, symbols)


def read_copy(
    folder: Path,
    columns: Sequence[str] | None = None,
    symbols: Sequence[str] = (),
    as_of: str | None = None,
) -> pyarrow.Table:
    """Return the rows of a copy of the table, as `read_snapshot` does, without what came after ``as_of``.

    Without ``columns`` it has all but Hudi's own, and ``_hoodie_commit_time``.
    """
    import pyarrow

    table = open_copy(folder)
    if table is None:
        return empty(columns or COLUMNS)
    names = list(columns or [*_own_columns(table), HUDI_COMMIT_TIME])
    options = read_options(symbols)
    if as_of is not None:
        options = options.with_as_of_timestamp(as_of)
    batches = [pyarrow.record_batch(batch) for batch in table.read(options.with_projection(names))]
    if not batches:  # no commit yet, no such symbol, or every row was deleted
        return empty(names)
    return pyarrow.Table.from_batches(batches).select(names)


def _own_columns(table: Any) -> list[str]:
    import pyarrow

    schema = pyarrow.schema(table.get_schema())
    return [name for name in schema.names if not name.startswith("_hoodie_")]


def open_copy(folder: Path) -> Any | None:
    """Return hudi-rs's table of a folder; None when there is none."""
    from hudi import HudiTableBuilder

    if not (folder / ".hoodie" / "hoodie.properties").exists():
        return None
    return HudiTableBuilder.from_base_uri(folder.absolute().as_uri()).build()


def read_options(symbols: Sequence[str]) -> Any:
    """Return hudi-rs's options that leave out other symbols' partitions."""
    from hudi import HudiReadOptions

    options = HudiReadOptions()
    return options.with_filters([("stock_symbol", "IN", ",".join(symbols))]) if symbols else options


def empty(columns: Sequence[str]) -> pyarrow.Table:
    """Return no rows of these columns, with the schema's types."""
    import pyarrow

    types = {
        "string": pyarrow.string(),
        "date": pyarrow.date32(),
        "double": pyarrow.float64(),
        "bigint": pyarrow.int64(),
    }
    bar = {column.name: types[column.lake] for column in BAR}
    fields = [(name, bar.get(name, pyarrow.string())) for name in columns]
    return pyarrow.schema(fields).empty_table()
