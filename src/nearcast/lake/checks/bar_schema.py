"""The laws that each row fulfils by itself, as a pandera schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.errors import LakeError
from nearcast.lake.checks.finding import Finding, findings
from nearcast.schema import BAR, ORDERING_FIELD, PRICE_COLUMNS, RECORD_KEY

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow
    from pandera.pandas import DataFrameSchema

PANDAS_TYPES = {"text": "str", "date": "datetime64[ns]", "double precision": "float64", "bigint": "Int64"}
"""pandas' type of each of `nearcast.schema`'s; those that can hold a null, so that one is found and not a failure."""

PANDERA_NAMES = {"not_nullable": "missing_value", "multiple_fields_uniqueness": "duplicate_key"}
"""Our names of the checks that pandera names itself."""

OPEN_LOW_CLOSE = ["open_price", "low_price", "close_price"]
OPEN_CLOSE = ["open_price", "close_price"]


def to_frame(table: pyarrow.Table) -> pd.DataFrame:
    """Return a snapshot's rows by symbol and date; nulls stay nulls, and wrong types stay wrong."""
    import pandas as pd
    import pyarrow as pa

    if table.num_rows == 0:  # an empty lake's columns have no types
        return pd.DataFrame({column.name: pd.Series(dtype=PANDAS_TYPES[column.postgres]) for column in BAR})
    rows: pd.DataFrame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    if pa.types.is_date(table.schema.field("date").type):
        rows["date"] = pd.to_datetime(rows["date"]).astype("datetime64[ns]")
    return rows.sort_values([*RECORD_KEY, ORDERING_FIELD], ignore_index=True)


def bar_schema() -> DataFrameSchema:
    """Return the schema of the lake's rows: the columns of `nearcast.schema.BAR` and the laws of a daily bar."""
    from pandera.pandas import Check, Column, DataFrameSchema

    laws = {name: [Check(_is_price, error="price_not_positive")] for name in PRICE_COLUMNS}
    laws["volume"] = [Check.ge(0, error="negative_volume")]
    columns = {
        column.name: Column(PANDAS_TYPES[column.postgres], laws.get(column.name), nullable=False)
        for column in BAR
    }
    # The negation of what is wrong: a comparison with a null is false, and null values have a check of their own.
    high = Check(lambda rows: ~(rows["high_price"] < rows[OPEN_LOW_CLOSE].max(axis=1)), error="high_too_low")
    low = Check(lambda rows: ~(rows["low_price"] > rows[OPEN_CLOSE].min(axis=1)), error="low_too_high")
    return DataFrameSchema(columns, checks=[high, low], unique=list(RECORD_KEY), strict=True)


def _is_price(prices: pd.Series[float]) -> pd.Series[bool]:
    return (prices > 0) & (prices < np.inf)


def broken_laws(rows: pd.DataFrame) -> list[Finding]:
    """Return a finding for each row and law that it breaks.

    Raises
    ------
    LakeError
        When a column is missing or of another type, or a row has no symbol, date or version: it cannot be named.
    """
    from pandera.errors import SchemaErrors

    nameless = rows[[*RECORD_KEY, ORDERING_FIELD]].isna().any(axis=1)
    if nameless.any():
        raise _cannot_run(f"{int(nameless.sum())} rows have no symbol, date or version")
    try:
        bar_schema().validate(rows, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return []
    of_table = cases[cases["index"].isna()]
    if len(of_table):
        first = of_table.iloc[0]
        raise _cannot_run(f"column {first['column']}: {first['check']}, found {first['failure_case']}")
    names = cases["check"].replace(PANDERA_NAMES)
    found: list[Finding] = []
    for name in names.unique():
        wrong = rows.loc[sorted({int(label) for label in cases.loc[names == name, "index"]})]
        found += findings(name, wrong, map(REASONS[name], wrong.itertuples()))
    return found


def _cannot_run(what: str) -> LakeError:
    return LakeError(
        f"The data checks cannot run: {what}.",
        kept="The results of the last run are as they were.",
        todo="Look at the table with `nearcast lake query`; see docs/architecture.md for its schema.",
    )


def _missing(row: Any) -> str:
    import pandas as pd

    names = [column.name for column in BAR if pd.isna(getattr(row, column.name))]
    return f"{', '.join(names)} missing"


def _prices(row: Any) -> str:
    wrong = [name for name in PRICE_COLUMNS if not 0 < getattr(row, name) < np.inf]
    return ", ".join(f"{name} {getattr(row, name):g}" for name in wrong)


REASONS: dict[str, Callable[[Any], str]] = {
    "missing_value": _missing,
    "price_not_positive": _prices,
    "negative_volume": lambda row: f"volume {row.volume:,}",
    "high_too_low": lambda row: (
        f"high {row.high_price:g} is below {max(row.open_price, row.low_price, row.close_price):g}"
    ),
    "low_too_high": lambda row: f"low {row.low_price:g} is above {min(row.open_price, row.close_price):g}",
    "duplicate_key": lambda row: "another row has the same symbol and date",
}
"""What is wrong with a row, in a few words."""
