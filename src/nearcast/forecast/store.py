"""PostgreSQL's tables of arrivals and forecasts: rows are only ever added."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.forecast.bars import COMMIT_TIME
from nearcast.schema import QUANTILE_COLUMNS

if TYPE_CHECKING:
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


def store_forecast(connection: Any, forecast: Forecast, commit: str) -> tuple[Any, ...] | None:
    """Store a forecast that was made from the lake's ``commit``; return the stored row.

    The same one again changes nothing, and None is returned.
    """
    row = {
        "stock_symbol": forecast.symbol,
        "date": forecast.date,
        "horizon": forecast.horizon,
        "as_of_date": forecast.as_of_date,
        "model_version": forecast.model_version,
        "commit_time": commit,
        "last_close": forecast.last_close,
    }
    quantiles = dict(zip(QUANTILE_COLUMNS, forecast.quantiles, strict=True))
    stored: tuple[Any, ...] | None = connection.execute(
        statement("insert_forecast"), row | quantiles
    ).fetchone()
    return stored
