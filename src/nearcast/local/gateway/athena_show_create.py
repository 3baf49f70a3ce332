"""SHOW CREATE TABLE and SHOW CREATE VIEW: statements that make the same again.

Source: docs.aws.amazon.com/athena/latest/ug/show-create-table.html, laid out as Hive does
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from nearcast.local.gateway.athena_ddl import failed, find_table
from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_results import Result
from nearcast.local.gateway.athena_statements import NAME, UTILITY, Context, identifier
from nearcast.local.gateway.athena_tables import VIEW_TEXT, CatalogTable
from nearcast.local.gateway.athena_types import describe

HIDDEN = {"EXTERNAL", "comment"}
"""Parameters of a table that the statement says elsewhere."""


def _show_table(context: Context, match: re.Match[str]) -> Result:
    table = find_table(context, match["name"])
    if table.is_view:
        raise failed(f"SemanticException: {table.database}.{table.name} is a view: use SHOW CREATE VIEW")
    database, _ = identifier(match["name"])
    name = f"`{table.database}`.`{table.name}`" if database else f"`{table.name}`"
    return _lines("createtab_stmt", create_statement(table, name))


def create_statement(table: CatalogTable, name: str) -> str:
    """Return the CREATE EXTERNAL TABLE of a table, under ``name``."""
    descriptor = table.descriptor
    serde = descriptor.get("SerdeInfo") or {}
    parts = [f"CREATE EXTERNAL TABLE {name}(\n{_columns(descriptor.get('Columns') or [])})"]
    if "comment" in table.parameters:
        parts.append(f"COMMENT {_text(table.parameters['comment'])}")
    if table.keys:
        parts.append(f"PARTITIONED BY ( \n{_columns(table.described['PartitionKeys'])})")
    parts.append(f"ROW FORMAT SERDE \n  {_text(serde.get('SerializationLibrary') or '')} ")
    if serde.get("Parameters"):
        parts.append(f"WITH SERDEPROPERTIES ( \n{_pairs(serde['Parameters'])}) ")
    parts.append(f"STORED AS INPUTFORMAT \n  {_text(descriptor.get('InputFormat') or '')} ")
    parts.append(f"OUTPUTFORMAT \n  {_text(descriptor.get('OutputFormat') or '')}")
    parts.append(f"LOCATION\n  {_text(descriptor.get('Location') or '')}")
    shown = {key: value for key, value in table.parameters.items() if key not in HIDDEN}
    if shown:
        parts.append(f"TBLPROPERTIES (\n{_pairs(shown)})")
    return "\n".join(parts)


def _show_view(context: Context, match: re.Match[str]) -> Result:
    view = find_table(context, match["name"])
    found = VIEW_TEXT.search(view.view_text)
    if not view.is_view or not found:
        raise QueryError(f"NOT_SUPPORTED: line 1:1: Relation '{view.database}.{view.name}' is not a view")
    sql = json.loads(base64.b64decode(found[1]))["originalSql"]
    return _lines("Create View", f"CREATE VIEW {view.database}.{view.name} AS\n{sql}")


def _show_properties(context: Context, match: re.Match[str]) -> Result:
    table = find_table(context, match["name"])
    asked = match["property"]
    if asked is None:
        return _lines(
            "prpt_name", "\n".join(f"{key}\t{value}" for key, value in sorted(table.parameters.items()))
        )
    missing = f"Table {table.database}.{table.name} does not have property: {asked}"
    return _lines("prpt_name", table.parameters.get(asked, missing))


def _lines(column: str, text: str) -> Result:
    return Result([describe(column, "string")], [[line] for line in text.split("\n")])


def _columns(columns: list[dict[str, Any]]) -> str:
    def shown(column: dict[str, Any]) -> str:
        comment = f" COMMENT {_text(column['Comment'])}" if column.get("Comment") else ""
        return f"  `{column['Name']}` {column['Type']}{comment}"

    return ", \n".join(map(shown, columns))


def _pairs(pairs: dict[str, str]) -> str:
    return ", \n".join(f"  {_text(key)}={_text(value)}" for key, value in sorted(pairs.items()))


def _text(value: str) -> str:
    r"""Return a text as Hive writes it: with \ before a quote or a backslash."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


STATEMENTS = (
    (rf"SHOW\s+CREATE\s+TABLE\s+{NAME}", UTILITY, "SHOW_CREATE_TABLE", _show_table),
    (rf"SHOW\s+CREATE\s+VIEW\s+{NAME}", UTILITY, "SHOW_CREATE_VIEW", _show_view),
    (
        rf"SHOW\s+TBLPROPERTIES\s+{NAME}(?:\s*\(\s*'(?P<property>[^']*)'\s*\))?",
        UTILITY,
        "SHOW_TBLPROPERTIES",
        _show_properties,
    ),
)
"""Pattern, StatementType, SubstatementType and what is done."""
