"""Athena queries through boto3: start, wait, read the typed result."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from nearcast.aws import client
from nearcast.errors import LakeError
from nearcast.settings import Settings

POLL_S = 0.05
CONVERTERS: dict[str, Callable[[str], Any]] = {
    "tinyint": int,
    "smallint": int,
    "integer": int,
    "bigint": int,
    "double": float,
    "float": float,
    "decimal": Decimal,
    "boolean": lambda text: text == "true",
    "date": date.fromisoformat,
}
"""From the text of a result to a value, by Athena's type; other types stay text."""


@dataclass(frozen=True)
class QueryResult:
    """The names of the columns and the rows, typed; a null is None."""

    columns: list[str]
    rows: list[list[Any]]


def query(settings: Settings, sql: str, database: str | None = None) -> QueryResult:
    """Run ``sql`` on Athena and return its whole result; names without a database are of ``database``.

    Raises LakeError with Athena's own reason.
    """
    from botocore.exceptions import ClientError

    athena = client("athena", settings)
    try:
        execution_id = athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": database or settings.database},
            WorkGroup=settings.need("workgroup"),
        )["QueryExecutionId"]
    except ClientError as error:
        raise LakeError(f"Athena refused the query: {error}", todo="Correct the statement.") from error
    status = _wait(athena, execution_id)
    if status["State"] != "SUCCEEDED":
        raise LakeError(
            f"The query ended {status['State']}: {status.get('StateChangeReason', 'no reason given')}",
            todo="Correct the statement. If a table is missing: `nearcast lake crawl` makes the raw table,"
            " `nearcast lake upsert` the Hudi table (`nearcast lake backfill`, after a destruction).",
        )
    return _read(athena, execution_id)


def _wait(athena: Any, execution_id: str) -> dict[str, Any]:
    while True:
        status: dict[str, Any] = athena.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"][
            "Status"
        ]
        if status["State"] not in ("QUEUED", "RUNNING"):
            return status
        time.sleep(POLL_S)


def _read(athena: Any, execution_id: str) -> QueryResult:
    columns: list[dict[str, Any]] = []
    rows: list[list[Any]] = []
    for page in athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution_id):
        result = page["ResultSet"]
        if not columns:
            columns = result.get("ResultSetMetadata", {}).get("ColumnInfo", [])
            # A SELECT's first row repeats the names of its columns; statements like SHOW have no such row.
            names = [{"VarCharValue": column["Name"]} for column in columns]
            if result["Rows"] and result["Rows"][0].get("Data") == names:
                result["Rows"] = result["Rows"][1:]
        rows += [_typed(row["Data"], columns) for row in result["Rows"]]
    return QueryResult([column["Name"] for column in columns], rows)


def _typed(cells: list[dict[str, str]], columns: list[dict[str, Any]]) -> list[Any]:
    if len(cells) == 1 < len(columns):
        # DESCRIBE answers with one value a row: its columns, padded, with tabs between them.
        return [part.strip() for part in cells[0].get("VarCharValue", "").split("\t")]
    return [
        CONVERTERS.get(column["Type"], str)(cell["VarCharValue"]) if "VarCharValue" in cell else None
        for cell, column in zip(cells, columns, strict=True)
    ]
