"""Tables that describe the catalog: information_schema's, and a table's own ``"name$partitions"``.

Source: docs.aws.amazon.com/athena/latest/ug/querying-glue-catalog.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nearcast.local.gateway import calls
from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_tables import NULL_PARTITION, VIEW_TEXT, CatalogTable, find
from nearcast.local.gateway.athena_types import to_trino

SCHEMA = "information_schema"
CATALOG = "awsdatacatalog"
PARTITIONS = "$partitions"
COLUMNS = {
    "schemata": ("catalog_name", "schema_name"),
    "tables": ("table_catalog", "table_schema", "table_name", "table_type"),
    "views": ("table_catalog", "table_schema", "table_name", "view_definition"),
    "columns": (
        *("table_catalog", "table_schema", "table_name", "column_name", "ordinal_position", "column_default"),
        *("is_nullable", "data_type", "comment", "extra_info"),
    ),
}
Row = tuple[str | int | None, ...]


@dataclass(frozen=True)
class DescribingTable:
    """A table whose rows are computed: its columns (the catalog's types, keys among them) and its rows."""

    database: str
    name: str
    columns: dict[str, str]
    rows: list[Row]
    keys: dict[str, str]


def describing(database: str, name: str, at: str) -> DescribingTable | None:
    """Return the table that describes the catalog, None when the name is not of one. Raises QueryError.

    Parameters
    ----------
    database, name
        Lower case.
    at
        The name's place in the statement, for the error's message.
    """
    if database == SCHEMA:
        if name not in COLUMNS:
            raise QueryError(f"TABLE_NOT_FOUND: {at}Table '{CATALOG}.{SCHEMA}.{name}' does not exist")
        types = {c: "bigint" if c == "ordinal_position" else "string" for c in COLUMNS[name]}
        return DescribingTable(database, name, types, list(_rows(name)), {})
    if not name.endswith(PARTITIONS):
        return None
    table = find(database, name.removesuffix(PARTITIONS), at)
    if not table.keys:
        raise QueryError(f"TABLE_NOT_FOUND: {at}Table '{CATALOG}.{database}.{name}' does not exist")
    rows: list[Row] = [
        tuple(None if value == NULL_PARTITION else value for value in partition.values)
        for partition in table.partitions()
    ]
    return DescribingTable(database, name, dict(table.keys), rows, {})


def _rows(name: str) -> Iterator[Row]:
    databases = [database["Name"] for database in calls.glue("GetDatabases")["DatabaseList"]]
    if name == "schemata":
        yield from ((CATALOG, database) for database in (*databases, SCHEMA))
        return
    for database in databases:
        for described in calls.glue("GetTables", DatabaseName=database)["TableList"]:
            table = CatalogTable(database, described)
            of_table = (CATALOG, database, table.name)
            if name == "tables":
                yield (*of_table, "VIEW" if table.is_view else "BASE TABLE")
            elif name == "views" and table.is_view:
                yield (*of_table, _definition(table))
            elif name == "columns":
                yield from ((*of_table, *column) for column in _columns(table))
    if name == "tables":
        yield from ((CATALOG, SCHEMA, own, "BASE TABLE") for own in COLUMNS)


def _columns(table: CatalogTable) -> Iterator[Row]:
    held = list(table.descriptor.get("Columns") or [])
    keys = list(table.described.get("PartitionKeys") or [])
    for place, column in enumerate([*held, *keys], 1):
        info = "partition key" if place > len(held) else None
        kind = to_trino(column["Type"].lower())
        yield (column["Name"].lower(), place, None, "YES", kind, column.get("Comment") or None, info)


def _definition(table: CatalogTable) -> str | None:
    found = VIEW_TEXT.search(table.view_text)
    stored: dict[str, Any] = json.loads(base64.b64decode(found[1])) if found else {}
    return stored.get("originalSql")
