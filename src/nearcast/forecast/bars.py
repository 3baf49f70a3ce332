"""Daily bars out of the local copy of the Hudi table, read with hudi-rs: no JVM, no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.errors import ForecastError
from nearcast.lake.quarantine import sound_bars
from nearcast.lake.sync import table_folder
from nearcast.lake.timeline import COMPLETED
from nearcast.schema import BAR

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.settings import Settings

COLUMNS = [column.name for column in BAR]
COMMIT_TIME = "commit_time"
"""Column of the instant that wrote a row (Hudi's ``_hoodie_commit_time``)."""

_META_COMMIT_TIME = "_hoodie_commit_time"


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

    def read(self) -> pd.DataFrame:
        """Return the newest snapshot: the columns of `COLUMNS` and `COMMIT_TIME`, by symbol and date.

        Raises
        ------
        ForecastError
            When there is no table, or it has no commit.
        """
        import pandas as pd

        table = self._table()
        slices = {
            "|".join([item.base_file_relative_path(), *item.log_file_names]): item
            for item in table.get_file_slices()
        }
        if not slices:
            raise _empty(self.path)
        reader = table.create_file_group_reader_with_options()
        self._slices = {
            name: self._slices[name] if name in self._slices else _frame(reader.read_file_slice(item))
            for name, item in slices.items()
        }
        bars = pd.concat(self._slices.values(), ignore_index=True)
        return bars.sort_values(["stock_symbol", "date"], ignore_index=True)

    def _table(self) -> Any:
        from hudi import HudiTableBuilder

        if not (self.path / ".hoodie" / "hoodie.properties").exists():
            raise _empty(self.path)
        return HudiTableBuilder.from_base_uri(self.path.absolute().as_uri()).build()


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
    bars = sound_bars(settings, BarReader(table_folder(settings)).read())
    if not symbols:
        return bars
    missing = sorted(set(symbols) - set(bars["stock_symbol"].unique()))
    if missing:
        raise ForecastError(
            f"The lake holds no rows of {', '.join(missing)}.",
            todo="Load and publish them, then run `nearcast lake upsert` and `nearcast lake sync`.",
        )
    return bars[bars["stock_symbol"].isin(list(symbols))].reset_index(drop=True)


def _frame(batch: Any) -> pd.DataFrame:
    """Return an Arrow batch of hudi-rs as bars with pandas types."""
    import pandas as pd
    import pyarrow as pa

    columns = pa.record_batch(batch).select([*COLUMNS, _META_COMMIT_TIME])
    frame: pd.DataFrame = columns.to_pandas().rename(columns={_META_COMMIT_TIME: COMMIT_TIME})
    frame["date"] = pd.to_datetime(frame["date"]).astype("datetime64[ns]")
    return frame


def _empty(path: Path) -> ForecastError:
    return ForecastError(
        f"The local copy of the lake in {path} is empty.",
        todo="Run `nearcast publish`, `nearcast lake upsert` and `nearcast lake sync` first.",
    )
