"""What a model is trained on: the lake's rows as of a commit, the same to the bit whenever they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nearcast.errors import ForecastError
from nearcast.forecast.bars import COLUMNS, check_symbols
from nearcast.lake.kept_snapshots import keep_quarantined, keep_snapshot
from nearcast.lake.snapshot import HUDI_COMMIT_TIME
from nearcast.lake.timeline import newest_commit

if TYPE_CHECKING:
    import pyarrow

    from nearcast.settings import Settings


def commit_to_train_on(settings: Settings) -> str:
    """Return the lake's newest commit.

    Raises
    ------
    ForecastError
        When it has none.
    """
    commit = newest_commit(settings)
    if commit is None:
        raise ForecastError(
            "The lake is empty.", todo="Run `nearcast publish` and `nearcast lake upsert` first."
        )
    return commit


def training_set(settings: Settings, commit: str, symbols: Sequence[str] = ()) -> pyarrow.Table:
    """Return the rows of ``symbols`` (default: all) as of a commit, and keep that commit's snapshot for ever.

    Rows that were quarantined when it was first asked for are left out, then and later.

    Returns
    -------
    pyarrow.Table
        The columns of `nearcast.schema.BAR` and ``_hoodie_commit_time``, by symbol and date.

    Raises
    ------
    ForecastError
        When there are no rows of a symbol.
    LakeError
        When the commit is not kept, and can no longer be read.
    """
    import pyarrow.compute

    rows = keep_snapshot(settings, commit).select([*COLUMNS, HUDI_COMMIT_TIME])
    wrong = keep_quarantined(settings, commit)
    if wrong:
        keys = zip(*(rows[name].to_pylist() for name in ("stock_symbol", "date", "version")), strict=True)
        rows = rows.filter(pyarrow.array(key not in wrong for key in keys))
    check_symbols(symbols, rows["stock_symbol"].unique().to_pylist())
    if symbols:
        rows = rows.filter(pyarrow.compute.is_in(rows["stock_symbol"], pyarrow.array(list(symbols))))
    return rows.replace_schema_metadata(None).combine_chunks()


def sha256(rows: pyarrow.Table) -> str:
    """Return the SHA-256 of a table's Arrow IPC stream: its schema and the bits of its values."""
    import pyarrow.ipc

    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return hashlib.sha256(sink.getvalue()).hexdigest()
