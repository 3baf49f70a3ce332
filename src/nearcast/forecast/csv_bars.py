"""Daily bars from a user's CSV file, without the lake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nearcast.errors import ForecastError

if TYPE_CHECKING:
    import pandas as pd


def bars_of_csv(path: Path, symbols: Sequence[str] = ()) -> pd.DataFrame:
    """Return the bars of a CSV file as those of the lake: by symbol and date, with pandas types.

    Raises
    ------
    SourceError
        It cannot be read.
    ForecastError
        A row is not a bar.
    """
    import pandas as pd

    from nearcast.schema import BAR, ORDERING_FIELD
    from nearcast.source.csv_file import Rejected, read_bars

    rows = []
    for row in read_bars(path, symbols):
        if isinstance(row, Rejected):
            raise ForecastError(f"{path}, line {row.line}: {row.reason}", todo="Correct the file.")
        rows.append(vars(row))
    bars = pd.DataFrame(rows, columns=[column.name for column in BAR if column.name != ORDERING_FIELD])
    bars["date"] = pd.to_datetime(bars["date"]).astype("datetime64[ns]")
    return bars.sort_values(["stock_symbol", "date"], ignore_index=True)


def digest(bars: pd.DataFrame) -> str:
    """Return the SHA-256 of bars."""
    import pyarrow

    from nearcast.forecast.training_set import sha256

    table = pyarrow.Table.from_pandas(bars, preserve_index=False)
    return sha256(table.replace_schema_metadata(None).combine_chunks())
