"""Reading the local copy of the Hudi table: the newest version of each row, through hudi-rs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nearcast.lake.sync import table_folder
from nearcast.schema import BAR
from nearcast.settings import Settings

if TYPE_CHECKING:
    import pyarrow


def read_snapshot(settings: Settings, columns: list[str] | None = None) -> pyarrow.Table:
    """Return the snapshot's rows; an empty table with the schema's names while the copy has no row."""
    import pyarrow
    from hudi import HudiTableBuilder

    folder = table_folder(settings)
    names = columns or [column.name for column in BAR]
    batches = []
    if (folder / ".hoodie" / "hoodie.properties").exists():
        table = HudiTableBuilder.from_base_uri(folder.as_uri()).build()
        batches = [pyarrow.record_batch(batch) for batch in table.read()]
    if not batches:  # no table, no commit yet, or every row of it was deleted
        return pyarrow.table({name: [] for name in names})
    return pyarrow.Table.from_batches(batches).select(names)
