"""What the analytics page asks Athena: the saved queries that QuickSight's data sets are made of, and its filters."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nearcast.lake.query import query
from nearcast.lake.saved import saved_query

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.settings import Settings


@dataclass(frozen=True)
class Choice:
    """A symbol and the days that are shown, both ends included."""

    symbol: str
    first: datetime.date
    last: datetime.date


DAY_COLUMNS = {"price_history": "date", "monthly_candles": "month", "forecast_outcomes": "date"}
"""The column that holds the day, by query."""


def filtered(name: str, choice: Choice) -> str:
    """Return a saved query with the choice around it, as QuickSight puts its filters around a data set's query."""
    day, symbol = DAY_COLUMNS[name], choice.symbol.replace("'", "''")
    return (
        f"SELECT * FROM (\n{saved_query(name).rstrip()}\n) AS {name}\n"
        f"WHERE stock_symbol = '{symbol}'\n"
        f"    AND {day} BETWEEN DATE '{choice.first}' AND DATE '{choice.last}'\n"
        f"ORDER BY {day}"
    )


def ask(settings: Settings, sql: str) -> pd.DataFrame:
    """Return the rows of a query. Raises LakeError, or botocore's errors when Athena cannot be reached."""
    import pandas as pd

    result = query(settings, sql)
    return pd.DataFrame(result.rows, columns=result.columns)
