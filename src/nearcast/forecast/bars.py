"""Daily bars out of the local copy of the Hudi table, read with hudi-rs: no JVM, no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.errors import ForecastError
from nearcast.lake.quarantine import sound_bars
from nearcast.lake.snapshot import HUDI_COMMIT_TIME, open_copy, read_options
from nearcast.lake.sync import reading, table_folder
from nearcast.lake.timeline import COMPLETED
from nearcast.schema import BAR

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow

    from nearcast.settings import Settings

COLUMNS = [column.name for column in BAR]
COMMIT_TIME = "commit_time"
"""Column of the instant that wrote a row (Hudi's ``_hoodie_commit_time``)."""


def latest_commit(settings: Settings) -> str | None:
    """Return the newest completed instant of the local copy; None while there is no commit.

    In table version 6 an instant is complete when ``.hoodie/<instant>.commit`` exists
    (https://hudi.apache.org/docs/1.0.2/timeline).
    """
    timeline = table_folder(settings) / ".hoodie"
    if not timeline.is_dir():
        return None
    return max((path.stem for path in timeline.iterdir() if path.suffix in COMPLETED), default=None)


class BarReader:
    """Snapshots of the local copy; a file slice that was read before is not read again.

    Hudi never changes a file that it has written, so a snapshot put together from remembered and new
    slices is the one that a whole read would give, updates and deletes included.

    Parameters
    ----------
    path
        The folder of the Hudi table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._slices: dict[str, pd.DataFrame] = {}

    def read(self, symbols: Sequence[str] = ()) -> pd.DataFrame:
        """Return the newest snapshot: the columns of `COLUMNS` and `COMMIT_TIME`, by symbol and date.

        Only the slices of ``symbols`` (default: all) are read, and remembered.

        Raises
        ------
        ForecastError
            When there is no table, or it has no commit.
        """
        import pandas as pd

        table = open_copy(self.path)
        if table is None:
            raise _empty(self.path)
        with reading(self.path):
            slices = {
                "|".join([item.base_file_relative_path(), *item.log_file_names]): item
                for item in table.get_file_slices(read_options(symbols))
            }
            if not slices:
                raise no_rows(symbols) if symbols else _empty(self.path)
            reader = table.create_file_group_reader_with_options()
            self._slices = {
                name: self._slices[name] if name in self._slices else _frame(reader.read_file_slice(item))
                for name, item in slices.items()
            }
        bars = pd.concat(self._slices.values(), ignore_index=True)
        return bars.sort_values(["stock_symbol", "date"], ignore_index=True)


def read_bars(settings: Settings, symbols: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the daily bars of ``symbols`` (default: all) from the local copy, without the quarantined ones.

    Returns
    -------
    pandas.DataFrame
        The columns of `nearcast.schema.BAR` (prices in US dollars, volume in shares, ``date`` as
        datetime64) and ``commit_time``, sorted by symbol and date.

    Raises
    ------
    ForecastError
        When the lake is empty or holds none of a symbol's rows.
    SourceError
        When PostgreSQL, which holds the quarantine, fails.
    """
    bars = sound_bars(settings, BarReader(table_folder(settings)).read(symbols or ()))
    check_symbols(symbols or (), bars["stock_symbol"].unique())
    return bars


def check_symbols(wanted: Iterable[str], held: Iterable[str]) -> None:
    """Raise a ForecastError that names the symbols of which the lake holds no rows."""
    missing = set(wanted) - set(held)
    if missing:
        raise no_rows(missing)


def no_rows(symbols: Iterable[str]) -> ForecastError:
    """Return the error that the lake holds no rows of these symbols."""
    return ForecastError(
        f"The lake holds no rows of {', '.join(sorted(symbols))}.",
        todo="Load and publish them, then run `nearcast lake upsert` and `nearcast lake sync`.",
    )


def as_bars(rows: pyarrow.Table) -> pd.DataFrame:
    """Return Arrow rows with the columns of `COLUMNS` and Hudi's commit time as bars with pandas types."""
    import pandas as pd

    frame: pd.DataFrame = rows.to_pandas().rename(columns={HUDI_COMMIT_TIME: COMMIT_TIME})
    frame["date"] = pd.to_datetime(frame["date"]).astype("datetime64[ns]")
    return frame


def _frame(batch: Any) -> pd.DataFrame:
    """Return an Arrow batch of hudi-rs as bars."""
    import pyarrow

    return as_bars(pyarrow.table(batch).select([*COLUMNS, HUDI_COMMIT_TIME]))


def _empty(path: Path) -> ForecastError:
    return ForecastError(
        f"The local copy of the lake in {path} is empty.",
        todo="Run `nearcast publish`, `nearcast lake upsert` and `nearcast lake sync` first.",
    )
