"""The result of a query as a file: CSV for queries, tab-separated text for statements.

Source: docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nearcast.local.gateway import calls

Row = list[str | None]
FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|)(,|\n)')
"""A field of our CSV files: quoted, or empty for a null; and what ends it."""


@dataclass(frozen=True)
class Result:
    """What a statement leaves.

    Parameters
    ----------
    columns, rows
        The columns (ColumnInfo) and the rows as text.
    statistics
        What it adds to the query's Statistics.
    written
        How many rows it wrote to a table; None when it wrote none and has a result of its own.
    """

    columns: list[dict[str, Any]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    statistics: dict[str, Any] = field(default_factory=dict)
    written: int | None = None


def write_csv(rows: Iterable[Row]) -> str:
    """Return rows as Athena writes them: every value quoted, a null as an empty field without quotes."""

    def quoted(value: str | None) -> str:
        return "" if value is None else '"' + value.replace('"', '""') + '"'

    return "".join(",".join(map(quoted, row)) + "\n" for row in rows)


def read_csv(text: str) -> list[Row]:
    """Return the rows that write_csv wrote (``read_csv(write_csv(rows)) == rows``)."""
    rows: list[Row] = []
    row: Row = []
    for found in FIELD.finditer(text):
        row.append(None if found[1] is None else found[1].replace('""', '"'))
        if found[2] == "\n":
            rows.append(row)
            row = []
    return rows


def store(location: str, statement_type: str, result: Result) -> None:
    """Write a result to its place, and its columns beside it.

    Athena's ``.metadata`` file is an undocumented protocol buffer that only its own drivers read; here it
    is the columns as JSON. awswrangler and Airflow delete or ignore it.
    """
    if result.written is not None:
        return
    bucket, key = calls.split_uri(location)
    if statement_type == "DML" and result.columns:
        text = write_csv([[column["Name"] for column in result.columns], *result.rows])
    else:
        text = "".join("\t".join(value or "" for value in row) + "\n" for row in result.rows)
    calls.put_object(bucket, key, text.encode())
    if result.columns:
        calls.put_object(bucket, f"{key}.metadata", json.dumps(result.columns).encode())


def load(location: str) -> list[Row]:
    """Return a stored result's rows; a query's first one holds the names of its columns.

    Raises AwsError when the file is gone.
    """
    bucket, key = calls.split_uri(location)
    text = calls.get_object(bucket, key).decode()
    # A statement's lines are one value each, tabs and all, as GetQueryResults gives them on AWS.
    return read_csv(text) if key.endswith(".csv") else [[line] for line in text.split("\n")[:-1]]
