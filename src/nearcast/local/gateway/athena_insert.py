"""INSERT INTO: a query's rows as further objects of a Parquet or JSON table, and the partitions they need.

Source: docs.aws.amazon.com/athena/latest/ug/insert-into.html; which types go into which, and the wording,
are Trino's (io.trino.sql.analyzer.StatementAnalyzer).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nearcast.local.gateway import athena_dialect, athena_projection, athena_write
from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_results import Result
from nearcast.local.gateway.athena_statements import Context
from nearcast.local.gateway.athena_tables import CatalogTable, find, partition_folder, quote
from nearcast.local.gateway.athena_types import ATHENA, ENGINE_ONLY, to_duckdb, to_trino
from nearcast.local.gateway.athena_write import Output
from nearcast.local.gateway.crawler import add_partitions
from nearcast.local.gateway.hooks import AwsError

if TYPE_CHECKING:
    from sqlglot import exp

UNKNOWN = "unknown"
FAMILIES = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint", "float", "double", "decimal"), "number"),
    **dict.fromkeys(("string", "varchar", "char"), "text"),
    **dict.fromkeys(("date", "timestamp"), "time"),
}
BOUNDED = re.compile(r"(?:varchar|char)\((\d+)\)")


def insert(context: Context, tree: exp.Insert, sql: str) -> Result:
    """Run the statement. Raises QueryError: the rows do not fit the table, or it cannot be written."""
    session = context.session
    table = _target(context, tree)
    output = _output(table)
    types = {**table.columns, **table.keys}
    named = _named(tree, list(types))
    query = session.prepare(tree.expression, sql, session.database)
    given = session.describe(query, sql)
    _check_types([types[name] for name in named], [kind for _, kind in given])
    rows = _rows(query, types, dict(zip(named, [kind for _, kind in given], strict=True)))
    folder, written = athena_write.write(context, rows, output, sql)
    objects: dict[str, tuple[str, ...]] = {}
    if written:
        objects = athena_write.upload(context, folder, output, _places(table))
    try:
        if table.keys and not athena_projection.enabled(table):
            folders = {values: f"{uri.rpartition('/')[0]}/" for uri, values in objects.items()}
            add_partitions(table.database, table.name, table.descriptor, folders)
    except AwsError as error:
        athena_write.discard(objects)
        raise QueryError(f"HIVE_METASTORE_ERROR: {error}") from error
    return Result(statistics=athena_write.put_manifest(context, objects), written=written)


def _target(context: Context, tree: exp.Insert) -> CatalogTable:
    from sqlglot import exp

    node = tree.find(exp.Table)
    if node is None or not isinstance(node.this, exp.Identifier):
        raise QueryError("SYNTAX_ERROR: line 1:1: INSERT INTO needs the name of a table")
    table = find((node.db or context.session.database).lower(), node.name.lower(), "line 1:1: ")
    if table.is_view:
        raise QueryError("NOT_SUPPORTED: line 1:1: Inserting into views is not supported")
    if table.is_hudi:
        raise QueryError("NOT_SUPPORTED: Writing to Hudi tables is not supported")
    return table


def _output(table: CatalogTable) -> Output:
    kind = next((name for name in athena_write.FORMATS if name.lower() in table.serde), None)
    if kind is None:
        raise QueryError(
            f"HIVE_UNSUPPORTED_FORMAT: The local Athena inserts into Parquet and JSON tables, not {table.serde}"
        )
    named = table.parameters.get("write.compression") or table.parameters.get(f"{kind.lower()}.compression")
    return Output(kind, (named or "GZIP").upper(), list(table.keys))


def _named(tree: exp.Insert, columns: list[str]) -> list[str]:
    """Return the columns that the query's are for, in its order."""
    from sqlglot import exp

    if not isinstance(tree.this, exp.Schema):
        return columns
    named = [part.name.lower() for part in tree.this.expressions]
    for place, name in enumerate(named):
        if name not in columns:
            raise QueryError(
                f"COLUMN_NOT_FOUND: line 1:1: Insert column name does not exist in target table: {name}"
            )
        if name in named[:place]:
            raise QueryError(
                f"DUPLICATE_COLUMN_NAME: line 1:1: Insert column name is specified more than once: {name}"
            )
    return named


def _check_types(wanted: list[str], given: list[Any]) -> None:
    found = [UNKNOWN if kind.id == "null" else athena_write.storable(kind) for kind in given]
    if len(wanted) != len(found) or not all(map(_fits, found, wanted)):
        shown = (", ".join(map(to_trino, types)) for types in (wanted, found))
        raise QueryError(
            "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types:"
            f" Table: [{next(shown)}], Query: [{next(shown)}]"
        )


def _fits(given: str, wanted: str) -> bool:
    """Return whether Trino has a common type of both: then the value is cast, and must fit."""
    if given in (UNKNOWN, wanted):
        return True
    names = [re.split(r"[(<]", kind)[0] for kind in (given, wanted)]
    if names[0] == names[1] == "array":
        return _fits(given[len("array<") : -1], wanted[len("array<") : -1])
    return FAMILIES.get(names[0]) is not None and FAMILIES.get(names[0]) == FAMILIES.get(names[1])


def _rows(query: str, types: dict[str, str], given: dict[str, Any]) -> str:
    """Return the query of rows in the table's columns and types; columns that are not given are null."""
    places = {name: quote(f"c{place}") for place, name in enumerate(given)}
    shown = []
    for name, wanted in types.items():
        value = places.get(name, "NULL")
        if name not in given or given[name].id == "null":
            value = f"CAST({value} AS {to_duckdb(wanted)})"
        elif athena_write.storable(given[name]) != wanted:
            value = _cast(value, wanted)
        elif given[name].id in ENGINE_ONLY:
            value = f"CAST({value} AS {ATHENA[given[name].id][0]})"
        shown.append(f"{value} AS {quote(name)}")
    return f"SELECT {', '.join(shown)} FROM ({query}) AS q({', '.join(places.values())})"


def _cast(value: str, wanted: str) -> str:
    from sqlglot import exp, parse_one

    kind = exp.DataType.build(wanted, dialect="hive")
    cast = athena_dialect.to_duckdb(exp.Cast(this=parse_one(value, read="duckdb"), to=kind))
    bounded = BOUNDED.fullmatch(wanted)
    if not bounded:
        return cast
    reason = (
        "INVALID_CAST_ARGUMENT: Cannot truncate non-space characters when casting from varchar to"
        f" {wanted} on INSERT"
    )
    # Spaces that are too many are cut off, anything else is an error.
    refused = f"CAST(trino_fail('{reason}') AS VARCHAR)"
    cut = f"left({cast}, {bounded[1]})"
    return f"CASE WHEN length(rtrim({value}, ' ')) > {bounded[1]} THEN {refused} ELSE {cut} END"


def _places(table: CatalogTable) -> Any:
    """Return what gives the folder of a partition's values: its own when the catalog or a projection has one."""
    if athena_projection.enabled(table):
        return lambda values: athena_projection.location(table, values)
    known = {partition.values: partition.location for partition in table.partitions()}
    return lambda values: known.get(values) or table.location + partition_folder(table.keys, values)
