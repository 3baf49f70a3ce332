"""CREATE TABLE AS SELECT: a query's result as objects, a table over them, and their manifest.

Source: docs.aws.amazon.com/athena/latest/ug/create-table-as.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearcast.local.gateway import athena_dialect, athena_write, calls
from nearcast.local.gateway.athena_ddl import JSON_FORMAT, PARQUET_FORMAT, locate
from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_results import Result
from nearcast.local.gateway.athena_statements import Context
from nearcast.local.gateway.athena_tables import directory, partition_folder
from nearcast.local.gateway.athena_write import Output
from nearcast.local.gateway.crawler import add_partitions
from nearcast.local.gateway.hooks import AwsError

if TYPE_CHECKING:
    from sqlglot import exp

PROPERTIES = {"format", "external_location", "partitioned_by", "write_compression", "parquet_compression"}
FORMATS = {"PARQUET": PARQUET_FORMAT, "JSON": JSON_FORMAT}


def create(context: Context, tree: exp.Expr, sql: str) -> Result:
    """Run the statement. Raises QueryError: the table or its place exist, or a property is not supported."""
    properties = properties_of(tree, PROPERTIES)
    output = output_of(properties)
    database, name = locate(context, ".".join(part.name for part in tree.this.parts))
    if _exists(database, name):
        if tree.args.get("exists"):
            return Result(written=0)
        raise QueryError(
            f"TABLE_ALREADY_EXISTS: line 1:1: Table 'awsdatacatalog.{database}.{name}' already exists"
        )
    default = f"{context.output_location.rpartition('/')[0]}/tables/{context.query_id}"
    location = directory(properties.get("external_location") or default)
    athena_write.refuse_taken(location, f"{database}.{name}")
    place = athena_dialect.unnamed(tree.expression)
    if place is not None:
        raise QueryError(f"MISSING_COLUMN_NAME: line 1:1: Column name not specified at position {place}")
    session = context.session
    query = session.prepare(tree.expression, sql, session.database)
    described = session.describe(query, sql)
    check_keys(output.keys, [column for column, _ in described])
    columns = [(column, athena_write.storable(kind)) for column, kind in described]
    objects: dict[str, tuple[str, ...]] = {}
    written = 0
    if _with_data(tree):
        folder, written = athena_write.write(context, athena_write.castable(query, described), output, sql)
        objects = athena_write.upload(
            context, folder, output, lambda values: location + partition_folder(output.keys, values)
        )
    else:
        session.scanned = 0
    try:
        _add_table(database, name, location, columns, output, objects)
    except AwsError as error:
        athena_write.discard(objects)
        raise QueryError(f"HIVE_METASTORE_ERROR: {error}") from error
    return Result(statistics=athena_write.put_manifest(context, objects), written=written)


def output_of(properties: dict[str, Any]) -> Output:
    """Return how a statement's WITH properties want rows written. Raises QueryError: not supported here."""
    compression = properties.get("write_compression") or properties.get("compression")
    compression = compression or properties.get("parquet_compression") or "GZIP"
    keys = [key.lower() for key in properties.get("partitioned_by", [])]
    return Output(properties.get("format", "PARQUET").upper(), compression.upper(), keys)


def check_keys(keys: list[str], columns: list[str]) -> None:
    """Raise QueryError when the partition keys are not the last columns, in order, after one that is none."""
    if keys and [column.lower() for column in columns[len(columns) - len(keys) :]] != keys:
        raise QueryError(
            "HIVE_COLUMN_ORDER_MISMATCH: Partition keys must be the last columns in the table and in the same"
            f" order as the table properties: {keys}"
        )
    if keys and len(keys) == len(columns):
        raise QueryError("INVALID_TABLE_PROPERTY: Table contains only partition columns")


def _with_data(tree: exp.Expr) -> bool:
    from sqlglot import exp

    listed = (tree.args.get("properties") or exp.Properties()).expressions
    return not any(isinstance(item, exp.WithDataProperty) and item.args.get("no") for item in listed)


def properties_of(tree: exp.Expr, known: set[str]) -> dict[str, Any]:
    """Return the properties of a WITH clause. Raises QueryError for one that is not among ``known``."""
    from sqlglot import exp

    given: dict[str, Any] = {}
    for item in (tree.args.get("properties") or exp.Properties()).expressions:
        if isinstance(item, exp.PartitionedByProperty):
            given["partitioned_by"] = [part.name.lower() for part in item.this.expressions]
        elif isinstance(item, exp.FileFormatProperty):
            given["format"] = item.name.upper()
        elif type(item) is exp.Property:
            given[item.name.lower()] = item.args["value"].name
        elif not isinstance(item, exp.WithDataProperty):
            raise QueryError(f"NOT_SUPPORTED: {item.sql('athena')} is not supported by the local Athena")
    unknown = sorted(set(given) - known)
    if unknown:
        raise QueryError(f"NOT_SUPPORTED: Table properties {unknown} are not supported by the local Athena")
    return given


def _exists(database: str, name: str) -> bool:
    try:
        calls.glue("GetTable", DatabaseName=database, Name=name)
    except AwsError as error:
        if error.code == "EntityNotFoundException":
            return False
        raise
    return True


def _add_table(
    database: str,
    name: str,
    location: str,
    columns: list[tuple[str, str]],
    output: Output,
    objects: dict[str, tuple[str, ...]],
) -> None:
    listed = [{"Name": column, "Type": kind} for column, kind in columns]
    split = len(listed) - len(output.keys)
    descriptor = {"Columns": listed[:split], "Location": location, **FORMATS[output.format]}
    described = {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "has_encrypted_data": "false"},
        "PartitionKeys": listed[split:],
        "StorageDescriptor": descriptor,
    }
    calls.glue("CreateTable", DatabaseName=database, TableInput=described)
    folders = {values: f"{uri.rpartition('/')[0]}/" for uri, values in objects.items()}
    try:
        if output.keys:
            add_partitions(database, name, descriptor, folders)
    except AwsError:
        calls.glue("DeleteTable", DatabaseName=database, Name=name)
        raise
