"""The one schema: names, types and units of a daily bar at every hop.

PostgreSQL, the transformer, the Hudi job, the catalog and the features are checked against it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One column of a daily bar.

    Parameters
    ----------
    name
        The column's name, the same at every hop.
    postgres, lake
        Its type in PostgreSQL and in the Glue catalog (Hive's names).
    unit
        What its values are measured in.
    """

    name: str
    postgres: str
    lake: str
    unit: str


BAR: tuple[Column, ...] = (
    Column("stock_symbol", "text", "string", "ticker symbol"),
    Column("date", "date", "date", "trading day (exchange time)"),
    Column("open_price", "double precision", "double", "US dollars"),
    Column("high_price", "double precision", "double", "US dollars"),
    Column("low_price", "double precision", "double", "US dollars"),
    Column("close_price", "double precision", "double", "US dollars"),
    Column("volume", "bigint", "bigint", "shares"),
    Column("version", "bigint", "bigint", "version of the source row; a larger one is newer"),
)
"""A daily bar, in the order in which its columns are written."""

RECORD_KEY = ("stock_symbol", "date")
"""The key of DynamoDB's table and of Hudi's records."""

ORDERING_FIELD = "version"
"""Of two records with one key, the one with the larger value stays."""

PRICE_COLUMNS = ("open_price", "high_price", "low_price", "close_price")

DATABASE = "nearcast"
HUDI_TABLE = "prices"
RAW_TABLE = "raw_prices"
FORECASTS_TABLE = "forecasts"

QUANTILE_LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Levels of every forecast's quantiles."""

QUANTILE_COLUMNS = tuple(f"q{round(level * 1000):03d}" for level in QUANTILE_LEVELS)
"""Their column names: q025, q100, q250, q500, q750, q900, q975 (thousandths)."""

SESSIONS_AHEAD = 10
"""The largest horizon of a forecast; the next session is horizon 1."""
