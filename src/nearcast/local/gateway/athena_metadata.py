"""The catalog as Athena's API shows it: databases and tables, with the errors that AWS gives.

Source: docs.aws.amazon.com/athena/latest/APIReference/API_ListTableMetadata.html and the pages beside it
"""

from __future__ import annotations

import re
from typing import Any

from nearcast.local.gateway import calls
from nearcast.local.gateway.athena_pages import page
from nearcast.local.gateway.hooks import AwsError

MOST = 50


def get_database(request: dict[str, Any]) -> dict[str, Any]:
    """GetDatabase. Raises AwsError (MetadataException): no such database or catalog."""
    _check_catalog(request)
    return {"Database": _database(_glue("GetDatabase", Name=request["DatabaseName"])["Database"])}


def list_databases(request: dict[str, Any]) -> dict[str, Any]:
    """ListDatabases, a page of at most 50. Raises AwsError (MetadataException): no such catalog."""
    _check_catalog(request)
    return page("DatabaseList", [_database(d) for d in _glue("GetDatabases")["DatabaseList"]], request, MOST)


def get_table_metadata(request: dict[str, Any]) -> dict[str, Any]:
    """GetTableMetadata. Raises AwsError (MetadataException): no such table, database or catalog."""
    _check_catalog(request)
    found = _glue("GetTable", DatabaseName=request["DatabaseName"], Name=request["TableName"])
    return {"TableMetadata": _table(found["Table"])}


def list_table_metadata(request: dict[str, Any]) -> dict[str, Any]:
    """ListTableMetadata, a page of at most 50, of the names that match a regular expression.

    Raises AwsError (MetadataException): no such database or catalog, or the expression is not regular.
    """
    _check_catalog(request)
    _glue("GetDatabase", Name=request["DatabaseName"])
    tables = _glue("GetTables", DatabaseName=request["DatabaseName"])["TableList"]
    try:
        wanted = re.compile(request.get("Expression") or ".*")
    except re.error as error:
        raise AwsError("MetadataException", f"The expression is not a regular one: {error}") from error
    shown = [_table(table) for table in tables if wanted.fullmatch(table["Name"])]
    return page("TableMetadataList", sorted(shown, key=lambda table: str(table["Name"])), request, MOST)


def _check_catalog(request: dict[str, Any]) -> None:
    from ministack.services import athena

    athena._ensure_default_data_catalog()
    name = request.get("CatalogName") or "AwsDataCatalog"
    if name.lower() not in {held.lower() for held in athena._data_catalogs}:
        raise AwsError("MetadataException", f"Catalog {name} does not exist")


def _glue(action: str, **document: Any) -> dict[str, Any]:
    try:
        return calls.glue(action, **document)
    except AwsError as error:
        raise AwsError(
            "MetadataException", f"{error} (Service: AmazonGlue; Error Code: {error.code})"
        ) from error


def _database(described: dict[str, Any]) -> dict[str, Any]:
    shown = {"Name": described["Name"], "Parameters": described.get("Parameters") or {}}
    return shown | ({"Description": described["Description"]} if described.get("Description") else {})


def _table(described: dict[str, Any]) -> dict[str, Any]:
    """Return a TableMetadata; where the rows lie is among its parameters, as on AWS."""
    descriptor = described.get("StorageDescriptor") or {}
    serde = descriptor.get("SerdeInfo") or {}
    storage = {
        "location": descriptor.get("Location"),
        "inputformat": descriptor.get("InputFormat"),
        "outputformat": descriptor.get("OutputFormat"),
        "serde.serialization.lib": serde.get("SerializationLibrary"),
        **{f"serde.param.{name}": value for name, value in (serde.get("Parameters") or {}).items()},
    }
    return {
        "Name": described["Name"],
        "CreateTime": described["CreateTime"],
        "LastAccessTime": described.get("LastAccessTime") or 0,
        "TableType": described.get("TableType") or "",
        "Columns": [_column(c) for c in descriptor.get("Columns") or []],
        "PartitionKeys": [_column(c) for c in described.get("PartitionKeys") or []],
        "Parameters": {**(described.get("Parameters") or {}), **{k: v for k, v in storage.items() if v}},
    }


def _column(column: dict[str, Any]) -> dict[str, str]:
    return {name: column[name] for name in ("Name", "Type", "Comment") if column.get(name)}
