"""Expressions mean what they mean in Trino; expected values are those of Trino's documentation."""

from __future__ import annotations

from typing import Any

import pytest

from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_query import Session
from nearcast.local.gateway.athena_statements import parse
from nearcast.local.gateway.hooks import AwsError

TRINO = {
    # Numbers: whole division truncates, doubles follow IEEE 754.
    "7 / 2": ("integer", "3"),
    "-7 / 2": ("integer", "-3"),
    "-7 % 3": ("integer", "-1"),
    "7e0 / 2": ("double", "3.5"),
    "1e0 / 0": ("double", "Infinity"),
    "0e0 / 0": ("double", "NaN"),
    "sum(x) / count(*)": ("bigint", "2"),
    "sum(y) / count(*)": ("double", "0.8333333333333334"),
    "max(y) / 2": ("double", "0.75"),
    "max(x) / 2": ("integer", "1"),
    "sum(x) / 4e0": ("double", "1.5"),
    "1e0 / 0.0000000000012": ("double", "8.333333333333334E11"),
    "avg(x)": ("double", "2.0"),
    "sum(x)": ("bigint", "6"),
    "TRY(1 / 0)": ("integer", None),
    "CAST(NULL AS integer) / 0": ("integer", None),
    "CAST(ARRAY[2.5e0] AS array(integer))": ("array", "[3]"),
    "CAST(ARRAY[1.5e0] AS array(varchar))": ("array", "[1.5E0]"),
    "format('%.1f', 1.25)": ("varchar", "1.3"),
    "CAST(12345678.9 AS double)": ("double", "1.23456789E7"),
    "width_bucket(5, 0, 10, 5)": ("bigint", "3"),
    "CAST(y + 1e0 AS bigint)": ("bigint", "3"),
    "TRY_CAST('x' AS integer)": ("integer", None),
    # Dates stay dates.
    "DATE '2020-01-31' + INTERVAL '1' MONTH": ("date", "2020-02-29"),
    "INTERVAL '7' DAY + DATE '2020-01-02'": ("date", "2020-01-09"),
    "DATE '2020-01-02' - INTERVAL '1' MONTH": ("date", "2019-12-02"),
    "date_add('day', 7, DATE '2020-01-02')": ("date", "2020-01-09"),
    "date_add('month', -1, DATE '2020-03-31')": ("date", "2020-02-29"),
    "date_trunc('month', DATE '2020-01-22')": ("date", "2020-01-01"),
    "date_trunc('hour', TIMESTAMP '2020-01-02 03:04:05')": ("timestamp", "2020-01-02 03:00:00.000"),
    "TIMESTAMP '2020-01-02 03:04:05' + INTERVAL '1' DAY": ("timestamp", "2020-01-03 03:04:05.000"),
    "max(d) + INTERVAL '1' DAY": ("date", "2020-02-02"),
    "date_trunc('year', min(d))": ("date", "2020-01-01"),
    "date_diff('day', DATE '2020-01-02', DATE '2020-02-02')": ("bigint", "31"),
    "date_parse('20200102', '%Y%m%d')": ("timestamp", "2020-01-02 00:00:00.000"),
    "date_format(TIMESTAMP '2020-01-02 13:04:05', '%Y-%m %H:%i')": ("varchar", "2020-01 13:04"),
    "day_of_week(DATE '2020-01-05')": ("bigint", "7"),
    "extract(DOW FROM DATE '2020-01-05')": ("bigint", "7"),
    "to_iso8601(DATE '2020-01-02')": ("varchar", "2020-01-02"),
    "from_unixtime(1577934245)": ("timestamp with time zone", "2020-01-02 03:04:05.000 UTC"),
    # Texts.
    "regexp_extract('abc', 'z')": ("varchar", None),
    "regexp_extract('abc123', '([a-z]+)([0-9]+)', 2)": ("varchar", "123"),
    "regexp_replace('abc', '(a)', '$1x')": ("varchar", "axbc"),
    "split_part('a-b', '-', 2)": ("varchar", "b"),
    "split_part('a-b', '-', 5)": ("varchar", None),
    "CAST('abcdef' AS varchar(3))": ("varchar", "abc"),
    "format('%.2f|%s', 1.5e0, 'x')": ("varchar", "1.50|x"),
    "concat('a', CAST(NULL AS varchar))": ("varchar", None),
    'json_extract_scalar(\'{"a": {"b": "x"}}\', \'$.a.b\')': ("varchar", "x"),
    # Collections.
    "ARRAY[1, NULL]": ("array", "[1, null]"),
    "slice(ARRAY[1, 2, 3], 2, 2)": ("array", "[2, 3]"),
    "element_at(ARRAY[1, 2], 9)": ("integer", None),
    "transform(ARRAY[1, 2], y -> y + 1)": ("array", "[2, 3]"),
    "MAP(ARRAY['a'], ARRAY[1])": ("map", "{a=1}"),
    "ROW(1, 'x')": ("row", "{field0=1, field1=x}"),
    "CAST(1.5 AS decimal(5, 2))": ("decimal", "1.50"),
    "x IS NULL": ("boolean", "false"),
}


def evaluate(sql: str) -> Any:
    """Run a query on an engine of its own; return its result."""
    session = Session("default", [])
    try:
        return session.select(parse(sql), sql)
    finally:
        session.close()


@pytest.mark.parametrize("expression", TRINO)
def test_an_expression_has_trinos_type_and_value(expression: str) -> None:
    rows = "(1, 1.5e0, DATE '2020-02-01')"
    if any(name in expression for name in ("sum(", "avg(", "max(", "min(")):
        rows += ", (2, 0.5e0, DATE '2020-01-15'), (3, 0.5e0, DATE '2020-01-31')"
    result = evaluate(f"SELECT {expression} FROM (VALUES {rows}) AS t(x, y, d)")
    assert result.columns[0]["Name"] == "_col0"
    assert (result.columns[0]["Type"], result.rows[0][0]) == TRINO[expression]


def test_the_change_from_the_day_before_is_a_double_and_infinite_after_zero() -> None:
    closes = "(VALUES (1, 0e0), (2, 2e0), (3, 3e0)) AS t(day, close)"
    result = evaluate(f"SELECT close / lag(close) OVER (ORDER BY day) - 1 FROM {closes} ORDER BY day")
    assert result.rows == [[None], ["Infinity"], ["0.5"]]


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
def test_nulls_come_last_in_either_direction(direction: str) -> None:
    result = evaluate(f"SELECT x FROM (VALUES 2, NULL, 1) AS t(x) ORDER BY x {direction}")
    assert result.rows[-1] == [None]


def test_columns_without_a_name_are_numbered_by_their_place() -> None:
    result = evaluate("SELECT *, x + 1 FROM (SELECT 1 AS x, 2 AS y)")
    assert [column["Name"] for column in result.columns] == ["x", "y", "_col2"]
    assert evaluate("SELECT _col0 + 1 AS z FROM (SELECT 41)").rows == [["42"]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list_aggregate(ARRAY[1], 'sum')",
        "SELECT 'a' ILIKE 'A'",
        "SELECT * EXCLUDE (x) FROM (SELECT 1 AS x, 2 AS y)",
        "SELECT x FROM (SELECT 1 AS x) QUALIFY row_number() OVER () = 1",
        "SELECT regexp_replace('a', 'a', x -> 'b')",
        "SELECT TIMESTAMP '2020-01-01 00:00:00 UTC' AT TIME ZONE 'Asia/Tokyo'",
    ],
)
def test_what_only_duckdb_knows_or_cannot_do_is_refused(sql: str) -> None:
    with pytest.raises((QueryError, AwsError)):
        evaluate(sql)
