"""PostgreSQL's tables of arrivals and forecasts: rows are only ever added."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.forecast.bars import COMMIT_TIME
from nearcast.schema import QUANTILE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from nearcast.forecast.service import Forecast


@lru_cache
def statement(name: str) -> str:
    """Return the SQL of ``<name>.sql`` in this folder."""
    return Path(__file__).with_name(f"{name}.sql").read_text()


def store_arrivals(connection: Any, rows: pd.DataFrame) -> None:
    """Note bars that were read back from the lake, all in one statement; known versions stay as they are.

    Parameters
    ----------
    connection
        A psycopg connection of the writer.
    rows
        Bars with their ``commit_time``.
    """
    columns = {
        "stock_symbol": rows["stock_symbol"].tolist(),
        "date": [day.date() for day in rows["date"]],
        "version": rows["version"].tolist(),
        "commit_time": rows[COMMIT_TIME].tolist(),
    }
    connection.execute(statement("insert_arrivals"), columns)


def store_forecasts(connection: Any, forecasts: Sequence[Forecast], commit: str) -> list[tuple[Any, ...]]:
    """Store a symbol's forecasts of one as-of day, made from the lake's ``commit``, in one statement.

    Returns
    -------
    list of tuple
        The stored rows by horizon; none when they were stored before, which changes nothing.
    """
    common = forecasts[0]
    quantiles = zip(*(one.quantiles for one in forecasts), strict=True)
    columns = {
        "stock_symbol": common.symbol,
        "as_of_date": common.as_of_date,
        "model_version": common.model_version,
        "commit_time": commit,
        "last_close": common.last_close,
        "marks": list(common.marks),
        "date": [one.date for one in forecasts],
        "horizon": [one.horizon for one in forecasts],
        **{name: list(prices) for name, prices in zip(QUANTILE_COLUMNS, quantiles, strict=True)},
    }
    stored: list[tuple[Any, ...]] = connection.execute(statement("insert_forecasts"), columns).fetchall()
    return sorted(stored, key=lambda row: row[2])
