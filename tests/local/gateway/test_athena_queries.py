"""Queries on raw JSON tables give what pandas computes from the bundled prices themselves."""

from __future__ import annotations

import struct
from typing import Any

import pandas as pd
import pytest

from tests.local.gateway.athena_client import BUCKET, bars, run


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """The same bars, from the CSV file."""
    return pd.DataFrame(bars())


def bits(value: float | str | None) -> bytes:
    assert value is not None
    return struct.pack("<d", float(value))


def test_every_double_comes_back_bit_by_bit(athena: Any, frame: pd.DataFrame) -> None:
    answer = run(athena, "SELECT open_price, close_price FROM raw_prices ORDER BY date")
    assert answer.columns == {"open_price": "double", "close_price": "double"}
    expected = frame.sort_values("date")[["open_price", "close_price"]].itertuples(index=False)
    assert [[bits(v) for v in row] for row in answer.rows] == [[bits(v) for v in row] for row in expected]


def test_columns_have_the_types_of_the_catalog_and_star_shows_partition_keys_last(athena: Any) -> None:
    answer = run(athena, "SELECT * FROM raw_prices LIMIT 1")
    assert list(answer.columns)[-2:] == ["year", "month"]
    assert answer.columns["date"] == "date" and answer.columns["volume"] == "bigint"
    assert answer.columns["year"] == "varchar"


def test_aggregates_are_those_of_pandas(athena: Any, frame: pd.DataFrame) -> None:
    answer = run(
        athena,
        "SELECT date_trunc('month', date) AS month_start, count(*) AS days, sum(volume) AS volume,"
        " avg(close_price) AS mean, max(high_price) AS top FROM raw_prices GROUP BY 1 ORDER BY 1",
    )
    months = frame.groupby(frame.date.str[:7]).agg(
        days=("date", "size"),
        volume=("volume", "sum"),
        mean=("close_price", "mean"),
        top=("high_price", "max"),
    )
    assert answer.columns["month_start"] == "date" and answer.columns["volume"] == "bigint"
    assert [row[0] for row in answer.rows] == [f"{month}-01" for month in months.index]
    for row, expected in zip(answer.rows, months.itertuples(), strict=True):
        assert [int(str(value)) for value in row[1:3]] == [expected.days, expected.volume]
        assert float(str(row[3])) == pytest.approx(float(str(expected.mean)), rel=1e-14)
        assert float(str(row[4])) == expected.top


def test_windows_ctes_and_joins_give_the_returns_of_pandas(athena: Any, frame: pd.DataFrame) -> None:
    answer = run(
        athena,
        """
        WITH returns AS (
            SELECT date, close_price / lag(close_price) OVER (ORDER BY date) - 1 AS change FROM raw_prices
        )
        SELECT p.date, r.change FROM raw_prices p JOIN returns r ON r.date = p.date
        WHERE p.date IN (SELECT max(date) FROM raw_prices GROUP BY month) ORDER BY p.date
        """,
    )
    returns = frame.set_index("date").close_price.pct_change(fill_method=None)
    wanted = frame.groupby(frame.date.str[5:7]).date.max().sort_values()
    assert [(row[0], float(str(row[1]))) for row in answer.rows] == [(day, returns[day]) for day in wanted]


@pytest.mark.parametrize(
    ("condition", "months"),
    [
        ("year = '2014'", [f"2014-{month:02d}" for month in range(1, 13)]),
        ("year = '2014' AND month = '03'", ["2014-03"]),
        ("month IN ('01', '02') AND close_price > 0", ["2013-01", "2013-02", "2014-01", "2014-02"]),
        ("year || month >= '201411'", ["2014-11", "2014-12"]),
        ("(year = '2013' OR month = '01') AND month < '02'", ["2013-01", "2014-01"]),
        ("year = '1999'", []),
    ],
)
def test_partitions_that_cannot_match_are_not_scanned(
    athena: Any, raw_sizes: dict[str, int], condition: str, months: list[str]
) -> None:
    answer = run(athena, f"SELECT count(*) AS n, min(date) AS first FROM raw_prices WHERE {condition}")
    assert answer.scanned == sum(raw_sizes[month] for month in months)
    assert answer.rows[0] == [
        str(sum(bar["date"][:7] in months for bar in bars())),
        min((bar["date"] for bar in bars() if bar["date"][:7] in months), default=None),
    ]


def test_a_condition_on_the_nullable_side_of_an_outer_join_prunes_nothing(athena: Any) -> None:
    # No partition's year is '-': pruned by that, b would be empty, and every row of a without a partner.
    answer = run(
        athena,
        "SELECT count(*) FROM raw_prices a LEFT JOIN raw_prices b ON b.date = a.date"
        " WHERE coalesce(b.year, '-') = '-'",
    )
    assert answer.rows == [["0"]]


def test_path_is_the_object_of_a_row_and_star_does_not_show_it(athena: Any) -> None:
    answer = run(athena, 'SELECT DISTINCT "$path" AS place FROM raw_prices WHERE "$path" LIKE \'%month=07%\'')
    assert sorted(answer.rows) == [[f"s3://{BUCKET}/prices/year={y}/month=07/part"] for y in (2013, 2014)]
    starred = run(athena, "SELECT * FROM raw_prices WHERE \"$path\" LIKE '%2013/month=07%'")
    assert "$path" not in starred.columns and len(starred.rows) == 22


def test_a_table_whose_partitions_are_not_known_yet_is_empty(athena: Any, gateway: Any) -> None:
    statement = (
        "CREATE EXTERNAL TABLE unknown_partitions (close_price double) PARTITIONED BY (year string)"
        " ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://athena-tests/prices/'"
    )
    assert run(athena, statement).state == "SUCCEEDED"
    assert run(athena, "SELECT close_price FROM unknown_partitions").rows == []


def test_broken_json_fails_the_query_unless_the_table_says_to_ignore_it(athena: Any, gateway: Any) -> None:
    body = b'{"a": 1.5}\n{"a": oops}\n{"a": 2.5}\n'
    gateway.client("s3").put_object(Bucket=BUCKET, Key="broken/part", Body=body)
    serde = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
    lenient = f"{serde} WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')"
    for name, row_format in {"strict_json": serde, "lenient_json": lenient}.items():
        made = run(
            athena, f"CREATE EXTERNAL TABLE {name} (a double) {row_format} LOCATION 's3://{BUCKET}/broken'"
        )
        assert made.state == "SUCCEEDED"
    failed = run(athena, "SELECT sum(a) FROM strict_json")
    assert failed.state == "FAILED" and failed.reason.startswith("HIVE_BAD_DATA: ")
    assert run(athena, "SELECT sum(a) FROM lenient_json").rows == [["4.0"]]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "SELECT * FROM nowhere",
            "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.athena_tests.nowhere' does not exist",
        ),
        ("SELECT *\nFROM no_database.t", "SCHEMA_NOT_FOUND: line 2:18: Schema 'no_database' does not exist"),
        ("SELECT nope FROM raw_prices", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
        ("SELECT list_sort(ARRAY[1])", "FUNCTION_NOT_FOUND: line 1:8: Function 'list_sort' not registered"),
        (
            "SELECT close_price, count(*) FROM raw_prices",
            "EXPRESSION_NOT_AGGREGATE: line 1:8: '\"close_price\"' must be an aggregate expression",
        ),
        ("SELECT volume / 0 FROM raw_prices", "DIVISION_BY_ZERO: Division by zero"),
        (
            "SELECT * FROM raw_prices WHERE year = 2014",
            "TYPE_MISMATCH: line 1:32: Cannot apply operator: varchar = integer",
        ),
        (
            "SELECT * FROM raw_prices p WHERE p.date > '2014-01-01'",
            "TYPE_MISMATCH: line 1:36: Cannot apply operator: date > varchar(10)",
        ),
        ("SELECT * FROM raw_prices a, raw_prices b WHERE volume > 0", "AMBIGUOUS_NAME: "),
        ("SELECT typeof(upper(stock_symbol)) FROM raw_prices", "NOT_SUPPORTED: "),
        ("SELECT CAST('x' AS integer)", "INVALID_CAST_ARGUMENT: "),
        ("SELECT 9223372036854775807 + 1", "NUMERIC_VALUE_OUT_OF_RANGE: "),
        ("SELECT (SELECT close_price FROM raw_prices)", "SUBQUERY_MULTIPLE_ROWS: "),
    ],
)
def test_what_athena_refuses_fails_here_with_athenas_reason(athena: Any, sql: str, reason: str) -> None:
    answer = run(athena, sql)
    assert answer.state == "FAILED"
    assert answer.reason.startswith(reason)
    error = answer.execution["Status"]["AthenaError"]
    assert error["ErrorCategory"] == 2 and error["ErrorMessage"] == answer.reason


def test_a_query_reads_nothing_but_the_lake(athena: Any) -> None:
    for reader in ("read_csv", "read_text", "read_json"):
        assert run(athena, f"SELECT * FROM {reader}('/etc/hosts')").state == "FAILED"
    assert run(athena, "SELECT * FROM '/etc/hosts'").state == "FAILED"
