"""CSV tables through Athena: what both SerDes make of text, held to Python's csv module and to their documentation."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.local.gateway.athena_client import BUCKET, PRICES, bars, run

OPEN_CSV = "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'"


def put(gateway: Any, name: str, body: str) -> None:
    """Put one object of a table."""
    gateway.client("s3").put_object(Bucket=BUCKET, Key=f"csv/{name}/part", Body=body.encode())


def create(athena: Any, name: str, columns: str, row_format: str, properties: str = "") -> None:
    """Create a table over csv/NAME/."""
    answer = run(
        athena,
        f"CREATE EXTERNAL TABLE {name} ({columns}) {row_format} LOCATION 's3://{BUCKET}/csv/{name}/' {properties}",
    )
    assert answer.state == "SUCCEEDED", answer.reason


def rows_of(athena: Any, name: str, body: str, gateway: Any, columns: str, row_format: str) -> list[Any]:
    """Make a table of one object; return its rows, or the reason why it cannot be read."""
    put(gateway, name, body)
    create(athena, name, columns, row_format)
    answer = run(athena, f"SELECT * FROM {name}")
    return answer.rows if answer.state == "SUCCEEDED" else [answer.reason]


@pytest.mark.parametrize("row_format", ["ROW FORMAT DELIMITED FIELDS TERMINATED BY ','", OPEN_CSV])
def test_the_real_prices_are_the_same_from_csv_as_from_json(
    row_format: str, athena: Any, gateway: Any
) -> None:
    name = "open_bars" if row_format == OPEN_CSV else "lazy_bars"
    header, *lines = PRICES.read_text().splitlines()
    wanted = [line for line in lines if line.startswith("NFLX,") and line.split(",")[1] < "2015"]
    put(gateway, name, "\n".join([header, *wanted]) + "\n")
    create(
        athena,
        name,
        # OpenCSVSerde reads dates as numbers of days: the column is text here.
        "symbol string, `date` string, open double, high double, low double, close double, volume bigint",
        row_format,
        "TBLPROPERTIES ('skip.header.line.count' = '1')",
    )
    assert header.split(",")[:7] == ["symbol", "date", "open", "high", "low", "close", "volume"]
    same = run(
        athena,
        f"SELECT count(*), sum(c.volume), max(r.date) FROM {name} c JOIN raw_prices r ON r.date = CAST(c.date AS date)"
        " AND r.open_price = c.open AND r.close_price = c.close AND r.high_price = c.high AND r.low_price = c.low",
    )
    expected = bars()
    assert same.rows == [[str(len(expected)), str(sum(b["volume"] for b in expected)), expected[-1]["date"]]]


def test_plain_values_that_do_not_fit_are_null(athena: Any, gateway: Any) -> None:
    rows = rows_of(
        athena,
        "lazy_types",
        "1|2.5|true|2024-01-02|x\n1.5|x|yes|2024-13-02|\n|\\N||\n7|1e3|FALSE|2024-02-29|y|z\r\n\\N|-.5|\n",
        gateway,
        "i int, d double, b boolean, day date, s string",
        "ROW FORMAT DELIMITED FIELDS TERMINATED BY '|' STORED AS TEXTFILE",
    )
    assert rows == [
        ["1", "2.5", "true", "2024-01-02", "x"],
        [None, None, None, None, ""],
        [None, None, None, None, None],
        ["7", "1000.0", "false", "2024-02-29", "y"],
        [None, "-0.5", None, None, None],
    ]


def test_a_plain_delimiter_can_be_escaped_and_defaults_to_ctrl_a(athena: Any, gateway: Any) -> None:
    escaped = "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' ESCAPED BY '\\\\' NULL DEFINED AS 'nil'"
    body = 'a\\,b,"c"\nnil,\\\\\n'
    assert rows_of(athena, "lazy_escaped", body, gateway, "a string, b string", escaped) == [
        ["a,b", '"c"'],
        [None, "\\"],
    ]
    rows = rows_of(athena, "lazy_default", "a\x01b,c\n", gateway, "a string, b string", "")
    assert rows == [["a", "b,c"]]


def test_quoted_values_are_those_of_pythons_csv_module(athena: Any, gateway: Any) -> None:
    table = [['say "hi"', "a,b", ""], ["", "x", "it's"], ["1", ",", '""'], ["ü", " y ", "'z'"]]
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(table[:2])
    csv.writer(written, lineterminator="\r\n").writerows(table[2:])
    rows = rows_of(
        athena, "open_quotes", written.getvalue(), gateway, "a string, b string, c string", OPEN_CSV
    )
    assert rows == table
    semicolons = (
        f"{OPEN_CSV} WITH SERDEPROPERTIES ('separatorChar' = ';', 'quoteChar' = '`', 'escapeChar' = '\\\\')"
    )
    body = "`a;b`;1\n;\\`c\n`d\\`e`;\n"
    expected = [["a;b", "1"], ["", "\\`c"], ["d`e", ""]]
    assert rows_of(athena, "open_semicolons", body, gateway, "a string, b string", semicolons) == expected


def test_quoted_dates_are_days_and_timestamps_milliseconds(athena: Any, gateway: Any) -> None:
    columns = "n bigint, day date, at timestamp, b boolean, d decimal(5,2)"
    rows = rows_of(
        athena, "open_types", '"-3","19724","1704153600123",TRUE,"1.25"\n', gateway, columns, OPEN_CSV
    )
    assert rows == [["-3", "2024-01-02", "2024-01-02 00:00:00.123", "true", "1.25"]]


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [("open_empty", "int", ""), ("open_text", "double", "x"), ("open_day", "date", "2024")],
)
def test_a_quoted_value_that_does_not_fit_fails_the_query(
    name: str, kind: str, value: str, athena: Any, gateway: Any
) -> None:
    rows = rows_of(athena, name, f'"{value}",1\n', gateway, f"a {kind}, b int", OPEN_CSV)
    if kind == "date":
        assert rows == [["1975-07-18", "1"]]
        return
    assert str(rows[0]).startswith("HIVE_BAD_DATA: ") and f"'{value}'" in str(rows[0])


@pytest.mark.parametrize(
    "row_format",
    [
        "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' COLLECTION ITEMS TERMINATED BY '|'",
        "STORED AS ORC",
        "ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe'",
    ],
)
def test_what_is_not_done_is_refused(row_format: str, athena: Any) -> None:
    statement = f"CREATE EXTERNAL TABLE refused (a string) {row_format} LOCATION 's3://{BUCKET}/csv/refused/'"
    assert run(athena, statement).reason.startswith("NOT_SUPPORTED: ")
