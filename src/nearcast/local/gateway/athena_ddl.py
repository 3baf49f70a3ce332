"""Definitions: databases, external tables, partitions and views, kept in the Glue catalog.

Source: docs.aws.amazon.com/athena/latest/ug/ddl-reference.html
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from nearcast.local.gateway import athena_dialect, calls
from nearcast.local.gateway.athena_errors import DDL_ERROR, QueryError
from nearcast.local.gateway.athena_results import Result
from nearcast.local.gateway.athena_statements import DDL, NAME, Context, identifier
from nearcast.local.gateway.athena_tables import (
    CatalogTable,
    database_exists,
    directory,
    find,
    partition_folder,
)
from nearcast.local.gateway.athena_types import column_info, to_hive
from nearcast.local.gateway.crawler import add_partitions
from nearcast.local.gateway.crawler_formats import LAZY_SERDE, OPEN_CSV_SERDE, TEXT_INPUT, TEXT_OUTPUT
from nearcast.local.gateway.hooks import AwsError

if TYPE_CHECKING:
    from sqlglot import exp

PARQUET = "org.apache.hadoop.hive.ql.io.parquet."
PARQUET_SERDE = f"{PARQUET}serde.ParquetHiveSerDe"
PARQUET_FORMAT = {
    "InputFormat": f"{PARQUET}MapredParquetInputFormat",
    "OutputFormat": f"{PARQUET}MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": PARQUET_SERDE},
}
JSON_SERDES = (
    "org.openx.data.jsonserde.JsonSerDe",
    "org.apache.hive.hcatalog.data.JsonSerDe",
    "org.apache.hadoop.hive.serde2.JsonSerDe",
)
JSON_FORMAT = {
    "InputFormat": TEXT_INPUT,
    "OutputFormat": TEXT_OUTPUT,
    "SerdeInfo": {"SerializationLibrary": JSON_SERDES[0]},
}
PARTITION = re.compile(
    r"PARTITION\s*\((?P<values>[^)]*)\)(?:\s*LOCATION\s+'(?P<location>[^']*)')?\s*", re.I | re.S
)
VALUE = re.compile(r"`?(\w+)`?\s*=\s*(?:'([^']*)'|([^\s,']+))")


def failed(message: str) -> QueryError:
    """Return a definition's failure, worded as Hive does."""
    return QueryError(f"FAILED: {message}", DDL_ERROR)


def locate(context: Context, name: str) -> tuple[str, str]:
    """Return the database and the table that a name means here. Raises QueryError: no such database."""
    database, table = identifier(name)
    database = database or context.session.database
    if not database_exists(database):
        raise failed(f"SemanticException [Error 10072]: Database does not exist: {database}")
    return database, table


def create_database(context: Context, match: re.Match[str]) -> Result:
    """CREATE DATABASE."""
    _, name = identifier(match["name"])
    try:
        calls.glue("CreateDatabase", DatabaseInput={"Name": name})
    except AwsError as error:
        if error.code != "AlreadyExistsException":
            raise
        if not match["exists"]:
            raise failed(f"SemanticException [Error 10242]: Database {name} already exists") from error
    return Result()


def create_table(context: Context, tree: exp.Create) -> Result:
    """CREATE EXTERNAL TABLE over JSON (openx or Hive SerDe), CSV (LazySimpleSerDe or OpenCSVSerde) or Parquet."""
    from sqlglot import exp

    table = tree.this.this
    database, name = locate(context, ".".join(part.name for part in table.parts))
    listed = (tree.args.get("properties") or exp.Properties()).expressions
    properties = {type(p): p for p in listed}
    location = properties.get(exp.LocationProperty)
    if location is None:
        raise failed("ParseException: LOCATION is required for an external table")
    partitioned = properties.get(exp.PartitionedByProperty)
    comment = properties.get(exp.SchemaCommentProperty)
    plain = {p.name: p.args["value"].name for p in listed if type(p) is exp.Property}
    parameters = {"EXTERNAL": "TRUE", **({"comment": comment.name} if comment is not None else {}), **plain}
    described = {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": columns_of(partitioned.this) if partitioned is not None else [],
        "StorageDescriptor": {
            "Columns": columns_of(tree.this),
            "Location": directory(location.name),
            **_storage(properties),
        },
    }
    _add_table(database, described, exists_ok=bool(tree.args.get("exists")))
    return Result()


def columns_of(schema: exp.Expr) -> list[dict[str, str]]:
    """Return a list of column definitions as the catalog has them."""
    from sqlglot import exp

    columns = []
    for definition in schema.find_all(exp.ColumnDef):
        if definition.parent is not schema:
            continue
        kind = definition.args["kind"].sql("hive").lower()
        column = {"Name": definition.name.lower(), "Type": re.sub(r"([:,]) +", r"\1", kind)}
        comment = definition.find(exp.CommentColumnConstraint)
        columns.append({**column, "Comment": comment.this.name} if comment else column)
    return columns


def _storage(properties: dict[Any, Any]) -> dict[str, Any]:
    from sqlglot import exp

    serde, file_format = properties.get(exp.RowFormatSerdeProperty), properties.get(exp.FileFormatProperty)
    named = file_format.name.upper() if file_format is not None else ""
    library = serde.name if serde is not None else ""
    settings = serde.args.get("serde_properties") if serde is not None else None
    parameters = {p.name: p.args["value"].name for p in settings.expressions} if settings else {}
    if named == "PARQUET" or library == PARQUET_SERDE:
        storage: dict[str, Any] = {**PARQUET_FORMAT}
    elif serde is None and named in ("", "TEXTFILE"):
        # Hive's own default, with ROW FORMAT DELIMITED or without.
        parameters = _delimited(properties.get(exp.RowFormatDelimitedProperty))
        storage = {**JSON_FORMAT, "SerdeInfo": {"SerializationLibrary": LAZY_SERDE}}
    elif library in (*JSON_SERDES, LAZY_SERDE, OPEN_CSV_SERDE):
        storage = {**JSON_FORMAT, "SerdeInfo": {"SerializationLibrary": library}}
    else:
        raise QueryError(
            "NOT_SUPPORTED: The local Athena creates tables over JSON, CSV or Parquet only", DDL_ERROR
        )
    if parameters:
        storage["SerdeInfo"] = {**storage["SerdeInfo"], "Parameters": parameters}
    if file_format is not None and isinstance(file_format.this, exp.InputOutputFormat):
        # A Hudi table differs from a Parquet table by its input format alone.
        storage["InputFormat"] = file_format.this.args["input_format"].name
        storage["OutputFormat"] = file_format.this.args["output_format"].name
    return storage


def _delimited(row_format: exp.Expr | None) -> dict[str, str]:
    """Return ROW FORMAT DELIMITED as the SerDe's properties. Raises QueryError for what is not done here."""
    given = dict(row_format.args) if row_format is not None else {}
    parts = {name: part.name for name, part in given.items() if part is not None}
    if parts.pop("lines", "\n") != "\n":
        raise failed("SemanticException: LINES TERMINATED BY only supports newline '\\n' right now")
    known = {"fields": "field.delim", "escaped": "escape.delim", "null": "serialization.null.format"}
    others = parts.keys() - known.keys()
    if others:
        raise QueryError(f"NOT_SUPPORTED: The local Athena knows no delimiters of {min(others)}", DDL_ERROR)
    return {"serialization.format": parts.get("fields", "1")} | {known[name]: v for name, v in parts.items()}


def _add_table(database: str, described: dict[str, Any], exists_ok: bool) -> None:
    try:
        calls.glue("CreateTable", DatabaseName=database, TableInput=described)
    except AwsError as error:
        if error.code != "AlreadyExistsException":
            raise
        if not exists_ok:
            name = f"{database}.{described['Name']}"
            raise failed(
                f"Execution Error: AlreadyExistsException(message:Table {name} already exists)"
            ) from error


def create_view(context: Context, match: re.Match[str], tree: exp.Expr) -> Result:
    """CREATE [OR REPLACE] VIEW, stored as Athena stores it (a Presto view, in base64)."""
    database, name = locate(context, match["name"])
    place = athena_dialect.unnamed(tree)
    if place is not None:
        raise QueryError(f"MISSING_COLUMN_NAME: line 1:1: Column name not specified at position {place}")
    session, sql = context.session, match["query"]
    columns = session.describe(session.prepare(tree, sql, session.database), sql)
    session.scanned = 0
    shown = [{"name": column, "type": column_info(column, kind)["Type"]} for column, kind in columns]
    view = {"originalSql": sql, "catalog": "awsdatacatalog", "schema": session.database, "columns": shown}
    encoded = base64.b64encode(json.dumps(view).encode()).decode()
    described = {
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [{"Name": column, "Type": to_hive(kind)} for column, kind in columns],
            "Location": "",
            "SerdeInfo": {},
        },
        "ViewOriginalText": f"/* Presto View: {encoded} */",
        "ViewExpandedText": "/* Presto View */",
    }
    _put_view(database, described, bool(match["replace"]))
    return Result()


def _put_view(database: str, described: dict[str, Any], replace: bool) -> None:
    name = described["Name"]
    try:
        calls.glue("CreateTable", DatabaseName=database, TableInput=described)
    except AwsError as error:
        if error.code != "AlreadyExistsException":
            raise
        existing = find(database, name)
        if not replace or not existing.is_view:
            kind = "View" if existing.is_view else "Table"
            raise QueryError(f"ALREADY_EXISTS: {kind} already exists: '{database}.{name}'") from error
        calls.glue("UpdateTable", DatabaseName=database, TableInput=described)


def _drop(context: Context, match: re.Match[str]) -> Result:
    database, name = locate(context, match["name"])
    is_view = match["kind"].upper() == "VIEW"
    try:
        table = find(database, name)
    except QueryError as error:
        if match["exists"]:
            return Result()
        if is_view:
            raise QueryError(f"TABLE_NOT_FOUND: line 1:1: View '{database}.{name}' does not exist") from error
        raise failed(f"SemanticException [Error 10001]: Table not found {database}.{name}") from error
    if table.is_view != is_view:
        kind = "view" if table.is_view else "table"
        raise failed(f"SemanticException: {database}.{name} is a {kind}: use DROP {kind.upper()}")
    calls.glue("DeleteTable", DatabaseName=database, Name=name)
    return Result()


def _repair(context: Context, match: re.Match[str]) -> Result:
    """MSCK REPAIR TABLE: add the partitions whose folders (key=value/) exist."""
    table = partitioned(context, match["name"])
    bucket, prefix = calls.split_uri(table.location)
    found: dict[tuple[str, ...], str] = {}
    for item in calls.list_objects(bucket, prefix):
        pairs = [folder.partition("=") for folder in item.key[len(prefix) :].split("/")[: len(table.keys)]]
        if [pair[0].lower() for pair in pairs] == list(table.keys) and all(pair[1] for pair in pairs):
            folders = "".join(f"{name}={value}/" for name, _, value in pairs)
            found[tuple(unquote(pair[2]) for pair in pairs)] = table.location + folders
    add_partitions(table.database, table.name, table.descriptor, found)
    return Result()


def _add_partitions(context: Context, match: re.Match[str]) -> Result:
    """ALTER TABLE ADD PARTITION."""
    table = partitioned(context, match["name"])
    added: dict[tuple[str, ...], str] = {}
    for found in PARTITION.finditer(match["partitions"]):
        given = {name.lower(): quoted or bare for name, quoted, bare in VALUE.findall(found["values"])}
        if list(given) != list(table.keys):
            raise failed(
                f"SemanticException: partition spec {given} does not match the keys {list(table.keys)}"
            )
        folder = partition_folder(given, given.values())
        added[tuple(given.values())] = directory(found["location"] or table.location + folder)
    known = {partition.values for partition in table.partitions()}
    if known & set(added) and not match["exists"]:
        raise failed("Execution Error: AlreadyExistsException(message:Partition already exists.)")
    add_partitions(table.database, table.name, table.descriptor, added)
    return Result()


def find_table(context: Context, name: str) -> CatalogTable:
    """Return a table or view by the name it has in a statement. Raises QueryError: there is none."""
    database, table = locate(context, name)
    try:
        return find(database, table)
    except QueryError as error:
        raise failed(f"SemanticException [Error 10001]: Table not found {database}.{table}") from error


def partitioned(context: Context, name: str) -> CatalogTable:
    """Return a table that has partition keys. Raises QueryError: there is none."""
    table = find_table(context, name)
    if not table.keys:
        raise failed(f"SemanticException: Table {table.database}.{table.name} is not a partitioned table")
    return table


PARTITIONS = re.sub(r"\?P<\w+>", "?:", PARTITION.pattern)
STATEMENTS = (
    (rf"MSCK\s+REPAIR\s+TABLE\s+{NAME}", DDL, "MSCK_REPAIR_TABLE", _repair),
    (
        rf"ALTER\s+TABLE\s+{NAME}\s+ADD\s+(?P<exists>IF\s+NOT\s+EXISTS\s+)?(?P<partitions>(?:{PARTITIONS})+)",
        DDL,
        "ALTER_TABLE_ADD_PARTITION",
        _add_partitions,
    ),
    (rf"DROP\s+(?P<kind>TABLE|VIEW)\s+(?P<exists>IF\s+EXISTS\s+)?{NAME}", DDL, "DROP_TABLE", _drop),
)
"""Pattern, StatementType, SubstatementType and what is done."""
