"""CREATE TABLE AS SELECT: a query's result as Parquet objects, a table over them, and their manifest.

Source: docs.aws.amazon.com/athena/latest/ug/create-table-as.html
"""

from __future__ import annotations

import shutil
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from nearcast.local.gateway import athena_dialect, calls
from nearcast.local.gateway.athena_ddl import PARQUET_FORMAT, locate
from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_results import Result
from nearcast.local.gateway.athena_statements import Context
from nearcast.local.gateway.athena_tables import directory, quote, text
from nearcast.local.gateway.athena_types import ATHENA, ENGINE_ONLY, HIVE, to_hive
from nearcast.local.gateway.crawler import add_partitions
from nearcast.local.gateway.hooks import AwsError

if TYPE_CHECKING:
    from sqlglot import exp

PROPERTIES = {"format", "external_location", "partitioned_by", "write_compression", "parquet_compression"}
COMPRESSIONS = {"SNAPPY": "snappy", "GZIP": "gzip", "ZSTD": "zstd", "NONE": "uncompressed"}
MAX_PARTITIONS = 100
"""Athena writes at most 100 partitions in one statement."""


def create(context: Context, tree: exp.Create, sql: str) -> Result:
    """Run the statement. Raises QueryError: the table or its place exist, or a property is not supported."""
    properties = _properties(tree)
    database, name = locate(context, ".".join(part.name for part in tree.this.parts))
    if _exists(database, name):
        if tree.args.get("exists"):
            return Result(written=0)
        raise QueryError(
            f"TABLE_ALREADY_EXISTS: line 1:1: Table 'awsdatacatalog.{database}.{name}' already exists"
        )
    location = _free_place(context, properties, f"{database}.{name}")
    place = athena_dialect.unnamed(tree.expression)
    if place is not None:
        raise QueryError(f"MISSING_COLUMN_NAME: line 1:1: Column name not specified at position {place}")
    session = context.session
    query = session.prepare(tree.expression, sql, session.database)
    described = session.describe(query, sql)
    keys = properties.get("partitioned_by", [])
    if [column for column, _ in described[len(described) - len(keys) :]] != keys:
        raise QueryError("HIVE_COLUMN_ORDER_MISMATCH: Partition keys must be the last columns in the table")
    columns = [(column, _storable(kind)) for column, kind in described]
    folder, written = _write(context, query, described, properties, sql)
    objects = _upload(folder, location, len(keys))
    _add_table(database, name, location, columns, len(keys), objects)
    return Result(statistics={"DataManifestLocation": _put_manifest(context, objects)}, written=written)


def _properties(tree: exp.Create) -> dict[str, Any]:
    from sqlglot import exp

    given: dict[str, Any] = {}
    for item in (tree.args.get("properties") or exp.Properties()).expressions:
        if isinstance(item, exp.PartitionedByProperty):
            given["partitioned_by"] = [part.name.lower() for part in item.this.expressions]
        elif isinstance(item, exp.FileFormatProperty):
            given["format"] = item.name.upper()
        elif type(item) is exp.Property:
            given[item.name.lower()] = item.args["value"].name
        else:
            raise QueryError(f"NOT_SUPPORTED: {item.sql('athena')} is not supported by the local Athena")
    unknown = sorted(set(given) - PROPERTIES)
    if unknown:
        raise QueryError(f"NOT_SUPPORTED: Table properties {unknown} are not supported by the local Athena")
    if given.get("format", "PARQUET") != "PARQUET":
        raise QueryError(f"NOT_SUPPORTED: The local Athena writes PARQUET only, not {given['format']}")
    return given


def _exists(database: str, name: str) -> bool:
    try:
        calls.glue("GetTable", DatabaseName=database, Name=name)
    except AwsError as error:
        if error.code == "EntityNotFoundException":
            return False
        raise
    return True


def _free_place(context: Context, properties: dict[str, Any], table: str) -> str:
    default = f"{context.output_location.rpartition('/')[0]}/tables/{context.query_id}"
    location = directory(properties.get("external_location") or default)
    bucket, prefix = calls.split_uri(location)
    try:
        taken = calls.list_objects(bucket, prefix)
    except AwsError as error:
        raise QueryError(f"HIVE_METASTORE_ERROR: {error} (Service: Amazon S3)") from error
    if taken:
        raise QueryError(
            f"HIVE_PATH_ALREADY_EXISTS: Target directory for table '{table}' already exists: {location}"
        )
    return location


def _storable(kind: Any) -> str:
    """Return the catalog's type for a column that is written; DuckDB's own wider types are cast."""
    return HIVE[ATHENA[kind.id][0]] if kind.id in ENGINE_ONLY else to_hive(kind)


def _write(
    context: Context, query: str, described: list[tuple[str, Any]], properties: dict[str, Any], sql: str
) -> tuple[Path, int]:
    """Write the query's rows as Parquet files below the scratch folder; return where, and how many."""
    shown = [
        f"CAST({quote(name)} AS {ATHENA[kind.id][0]}) AS {quote(name)}"
        if kind.id in ENGINE_ONLY
        else quote(name)
        for name, kind in described
    ]
    named = (properties.get("write_compression") or properties.get("parquet_compression") or "GZIP").upper()
    if named not in COMPRESSIONS:
        raise QueryError(f"NOT_SUPPORTED: Compression {named} is not supported by the local Athena")
    options = ["FORMAT parquet", f"COMPRESSION {COMPRESSIONS[named]}"]
    keys = properties.get("partitioned_by", [])
    target = Path(context.scratch) / context.query_id
    target.mkdir(parents=True)
    if keys:
        options.append(f"PARTITION_BY ({', '.join(map(quote, keys))})")
    output = target if keys else target / "part.parquet"
    copied = context.session.execute(
        f"COPY (SELECT {', '.join(shown)} FROM ({query})) TO {text(str(output))} ({', '.join(options)})", sql
    )
    return target, int(copied.fetchone()[0])


def _upload(written: Path, location: str, keys: int) -> dict[str, tuple[str, ...]]:
    """Move the files to their place; return each object's address with its partition's values."""
    files = sorted(written.rglob("*.parquet"))
    folders = {file.parent for file in files}
    if keys and len(folders) > MAX_PARTITIONS:
        raise QueryError(f"HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of {MAX_PARTITIONS} open writers")
    bucket, prefix = calls.split_uri(location)
    stamp = time.strftime("%Y%m%d_%H%M%S", time.gmtime())
    objects = {}
    for file in files:
        relative = file.parent.relative_to(written)
        folder = "" if relative == Path() else f"{relative.as_posix()}/"
        key = f"{prefix}{folder}{stamp}_{uuid.uuid4().hex}"
        calls.put_object(bucket, key, file.read_bytes())
        objects[f"s3://{bucket}/{key}"] = tuple(unquote(part.partition("=")[2]) for part in relative.parts)
    shutil.rmtree(written)
    return objects


def _add_table(
    database: str,
    name: str,
    location: str,
    columns: list[tuple[str, str]],
    keys: int,
    objects: dict[str, tuple[str, ...]],
) -> None:
    listed = [{"Name": column, "Type": kind} for column, kind in columns]
    split = len(listed) - keys
    descriptor = {"Columns": listed[:split], "Location": location, **PARQUET_FORMAT}
    described = {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "has_encrypted_data": "false"},
        "PartitionKeys": listed[split:],
        "StorageDescriptor": descriptor,
    }
    calls.glue("CreateTable", DatabaseName=database, TableInput=described)
    if keys:
        folders = {values: f"{uri.rpartition('/')[0]}/" for uri, values in objects.items()}
        add_partitions(database, name, descriptor, folders)


def _put_manifest(context: Context, objects: dict[str, tuple[str, ...]]) -> str:
    """List the written objects beside the result, as awswrangler reads them, and return where."""
    manifest = f"{context.output_location}-manifest.csv"
    bucket, key = calls.split_uri(manifest)
    calls.put_object(bucket, key, "".join(f"{uri}\n" for uri in objects).encode())
    return manifest
