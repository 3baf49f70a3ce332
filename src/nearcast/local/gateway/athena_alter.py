"""Changes to what the catalog has: ALTER TABLE, and DROP DATABASE.

Source: docs.aws.amazon.com/athena/latest/ug/alter-table-add-columns.html and the pages beside it
"""

from __future__ import annotations

import re
from typing import Any

from nearcast.local.gateway import calls
from nearcast.local.gateway.athena_ddl import PARTITION, VALUE, columns_of, failed, find_table, partitioned
from nearcast.local.gateway.athena_results import Result
from nearcast.local.gateway.athena_statements import DDL, NAME, Context, identifier, parse
from nearcast.local.gateway.athena_tables import CatalogTable, Partition, database_exists, directory

KEPT = (
    *("Description", "Owner", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters"),
    *("ViewOriginalText", "ViewExpandedText"),
)


def _update(table: CatalogTable, **changes: Any) -> None:
    """Write a table back with changes. Raises QueryError when it is a view."""
    if table.is_view:
        raise failed(f"SemanticException: {table.database}.{table.name} is a view")
    kept = {name: value for name, value in table.described.items() if name in KEPT and value is not None}
    described = {"Name": table.name, **kept, **changes}
    calls.glue("UpdateTable", DatabaseName=table.database, TableInput=described)


def _drop_database(context: Context, match: re.Match[str]) -> Result:
    _, name = identifier(match["name"])
    if not database_exists(name):
        if match["exists"]:
            return Result()
        raise failed(f"SemanticException [Error 10072]: Database does not exist: {name}")
    tables = calls.glue("GetTables", DatabaseName=name)["TableList"]
    if tables and (match["how"] or "").upper() != "CASCADE":
        raise failed(
            "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."
            f" InvalidOperationException(message:Database {name} is not empty. One or more tables exist.)"
        )
    calls.glue("DeleteDatabase", Name=name)
    return Result()


def _given(text: str) -> dict[str, str]:
    return {name.lower(): quoted or bare for name, quoted, bare in VALUE.findall(text)}


def _matching(table: CatalogTable, given: dict[str, str]) -> list[Partition]:
    """Return the partitions that have these values; keys that are not given may have any."""
    if not given or set(given) - set(table.keys):
        raise failed(f"SemanticException: partition spec {given} does not match the keys {list(table.keys)}")
    return [
        partition
        for partition in table.partitions()
        if given.items() <= dict(zip(table.keys, partition.values, strict=True)).items()
    ]


def _drop_partitions(context: Context, match: re.Match[str]) -> Result:
    """ALTER TABLE DROP PARTITION: from the catalog; the objects of an external table stay."""
    table = partitioned(context, match["name"])
    found: list[list[str]] = []
    for spec in PARTITION.finditer(match["partitions"]):
        given = _given(spec["values"])
        dropped = _matching(table, given)
        if not dropped and not match["exists"]:
            raise failed(f"SemanticException [Error 10006]: Partition not found {given}")
        found += [list(partition.values) for partition in dropped]
    for values in found:
        calls.glue(
            "DeletePartition", DatabaseName=table.database, TableName=table.name, PartitionValues=values
        )
    return Result()


def _set_location(context: Context, match: re.Match[str]) -> Result:
    location = directory(match["location"])
    if not location.startswith("s3://"):
        raise failed(f"SemanticException: The location must be an s3:// address: {match['location']}")
    if not match["spec"]:
        table = find_table(context, match["name"])
        _update(table, StorageDescriptor={**table.descriptor, "Location": location})
        return Result()
    table = partitioned(context, match["name"])
    given = _given(match["spec"])
    if list(given) != list(table.keys) or not _matching(table, given):
        raise failed(f"SemanticException [Error 10006]: Partition not found {given}")
    values = list(given.values())
    described = {"Values": values, "StorageDescriptor": {**table.descriptor, "Location": location}}
    calls.glue(
        "BatchUpdatePartition",
        DatabaseName=table.database,
        TableName=table.name,
        Entries=[{"PartitionValueList": values, "PartitionInput": described}],
    )
    return Result()


def _set_properties(context: Context, match: re.Match[str]) -> Result:
    from sqlglot import exp

    table = find_table(context, match["name"])
    # The clause is that of CREATE EXTERNAL TABLE, and so is what reads it.
    tree = parse(f"CREATE EXTERNAL TABLE t (a int) TBLPROPERTIES {match['properties']}")
    given = {
        p.name: p.args["value"].name for p in tree.args["properties"].expressions if type(p) is exp.Property
    }
    _update(table, Parameters={**table.parameters, **given})
    return Result()


def _add_columns(context: Context, match: re.Match[str]) -> Result:
    """ADD COLUMNS (after the others, before the keys) and REPLACE COLUMNS; of the catalog, not of the files."""
    table = find_table(context, match["name"])
    added = columns_of(parse(f"CREATE EXTERNAL TABLE t {match['columns']}").this)
    held = [] if match["how"].upper() == "REPLACE" else list(table.descriptor.get("Columns") or [])
    names = [column["Name"].lower() for column in [*held, *added]] + list(table.keys)
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice:
        raise failed(f"SemanticException: Duplicate column name: {twice}")
    _update(table, StorageDescriptor={**table.descriptor, "Columns": [*held, *added]})
    return Result()


PARTITIONS = re.sub(r"\?P<\w+>", "?:", PARTITION.pattern)
SPEC = r"(?:\s+PARTITION\s*\((?P<spec>[^)]*)\))?"
STATEMENTS = (
    (
        rf"DROP\s+(?:DATABASE|SCHEMA)\s+(?P<exists>IF\s+EXISTS\s+)?{NAME}(?:\s+(?P<how>RESTRICT|CASCADE))?",
        DDL,
        "DROP_DATABASE",
        _drop_database,
    ),
    (
        rf"ALTER\s+TABLE\s+{NAME}\s+DROP\s+(?P<exists>IF\s+EXISTS\s+)?(?P<partitions>{PARTITIONS}(?:,\s*{PARTITIONS})*)",
        DDL,
        "ALTER_TABLE_DROP_PARTITION",
        _drop_partitions,
    ),
    (
        rf"ALTER\s+TABLE\s+{NAME}{SPEC}\s+SET\s+LOCATION\s+'(?P<location>[^']*)'",
        DDL,
        "ALTER_TABLE_SET_LOCATION",
        _set_location,
    ),
    (
        rf"ALTER\s+TABLE\s+{NAME}\s+SET\s+TBLPROPERTIES\s*(?P<properties>\(.*\))",
        DDL,
        "ALTER_TABLE_SET_TBLPROPERTIES",
        _set_properties,
    ),
    (
        rf"ALTER\s+TABLE\s+{NAME}\s+(?P<how>ADD|REPLACE)\s+COLUMNS\s*(?P<columns>\(.*\))",
        DDL,
        "ALTER_TABLE_ADD_COLUMNS",
        _add_columns,
    ),
)
"""Pattern, StatementType, SubstatementType and what is done."""
