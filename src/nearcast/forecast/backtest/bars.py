"""The bars of a backtest: the lake's, or those of a CSV file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from nearcast.errors import ForecastError
from nearcast.schema import BAR

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.settings import Settings

COLUMNS = [column.name for column in BAR]
FIRST_VERSION = 1
REJECTED_SHOWN = 3


def lake_bars(settings: Settings, symbols: Sequence[str]) -> pd.DataFrame:
    """Return the lake's bars of ``symbols`` (none: all), by symbol and date.

    Raises
    ------
    ForecastError
        When the lake is empty or holds none of a symbol's rows.
    """
    from nearcast.forecast.bars import read_bars

    return read_bars(settings, symbols)[COLUMNS]


def csv_bars(path: Path, symbols: Sequence[str], note: Callable[[str], None]) -> pd.DataFrame:
    """Return the bars of a CSV file as `nearcast load` reads it, by symbol and date.

    Parameters
    ----------
    symbols
        With a Symbol column: only these (none: all). Without one: the one symbol of the whole file.
    note
        Is told of rows that were rejected.

    Raises
    ------
    SourceError
        When the file is not one of prices.
    ForecastError
        When it has no rows of a symbol.
    """
    import pandas as pd

    from nearcast.source.csv_file import Rejected, normalise_symbol, read_bars

    rows = list(read_bars(path, symbols))
    rejected = [row for row in rows if isinstance(row, Rejected)]
    if rejected:
        shown = "; ".join(f"line {row.line}: {row.reason}" for row in rejected[:REJECTED_SHOWN])
        note(
            f"{path}: {len(rejected)} rows rejected ({shown}{' …' if len(rejected) > REJECTED_SHOWN else ''})"
        )
    bars = pd.DataFrame([vars(row) for row in rows if not isinstance(row, Rejected)])
    held = set(bars["stock_symbol"]) if len(bars) else set()
    if missing := {normalise_symbol(symbol) for symbol in symbols} - held:
        raise ForecastError(
            f"{path} holds no rows of {', '.join(sorted(missing))}.",
            todo=f"Choose among {', '.join(sorted(held)) or 'the symbols of another file'}.",
        )
    if not held:
        raise ForecastError(f"{path} holds no sound row.", todo="Name a file of daily prices.")
    bars["date"] = pd.to_datetime(bars["date"]).astype("datetime64[ns]")
    bars = bars.assign(version=FIRST_VERSION).sort_values(["stock_symbol", "date"], ignore_index=True)
    return bars[COLUMNS]


def up_to(bars: pd.DataFrame, last: date | None) -> pd.DataFrame:
    """Return the bars up to ``last`` (none: all): what comes after it is not looked at, not even as outcome."""
    import pandas as pd

    kept = bars if last is None else bars[bars["date"] <= pd.Timestamp(last)]
    if kept.empty:
        raise ForecastError(
            f"There are no bars up to {last}; the first is of {bars['date'].min():%Y-%m-%d}.",
            todo="Choose a later --to.",
        )
    return kept.reset_index(drop=True)
