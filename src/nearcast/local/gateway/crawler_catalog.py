"""What a crawl changes in the catalog: a table, its partitions, and what the crawl reports of them."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, field
from typing import Any

from nearcast.local.gateway import calls
from nearcast.local.gateway.crawler_formats import Format
from nearcast.local.gateway.crawler_policy import Policy, invalid
from nearcast.local.gateway.crawler_types import NULL, Schema
from nearcast.local.gateway.hooks import AwsError

DEPRECATED = "DEPRECATED_BY_CRAWLER"
TABLE_INPUT = (
    "Name",
    "Description",
    "Owner",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "TableType",
    "Parameters",
)


@dataclass
class Changes:
    """The names of the tables and partitions that a crawl added, updated and deleted."""

    tables: dict[str, list[str]] = field(default_factory=lambda: {"ADD": [], "UPDATE": [], "DELETE": []})
    partitions: dict[str, list[str]] = field(default_factory=lambda: {"ADD": [], "UPDATE": [], "DELETE": []})

    def summary(self) -> dict[str, Any]:
        """Return the counts and names of what changed, as a crawl's summary has them."""
        return {
            kind: {
                what: {"Count": len(names), "Details": {"names": names[:100]}}
                for what, names in changed.items()
                if names
            }
            for kind, changed in (("TABLE", self.tables), ("PARTITION", self.partitions))
            if any(changed.values())
        }


@dataclass(frozen=True)
class Found:
    """A table as its objects show it.

    Parameters
    ----------
    root
        The s3:// address of its folder.
    keys
        Its partition keys.
    partitions
        The values of each partition, and its folder's s3:// address.
    format, schema
        How its objects are read, and the columns of all that were ever read.
    """

    root: str
    keys: list[str]
    partitions: dict[tuple[str, ...], str]
    format: Format
    schema: Schema


def table_name(crawler: dict[str, Any], root: str) -> str:
    """Return the name of the table of a folder: with a hash where another folder's table has the plain one."""
    bucket, prefix = calls.split_uri(root)
    folder = prefix.rstrip("/").rpartition("/")[2] or bucket
    name = (crawler.get("TablePrefix") or "") + re.sub(r"[^a-z0-9_]", "_", folder.lower())
    table = get_table(crawler["DatabaseName"], name)
    if table is None or table["StorageDescriptor"].get("Location", "").rstrip("/") == root.rstrip("/"):
        return name
    return f"{name}_{hashlib.md5(root.encode(), usedforsecurity=False).hexdigest()}"


def get_table(database: str, name: str) -> dict[str, Any] | None:
    """Return a table of the catalog, or None."""
    try:
        found: dict[str, Any] = calls.glue("GetTable", DatabaseName=database, Name=name)["Table"]
    except AwsError as error:
        if error.code != "EntityNotFoundException":
            raise
        return None
    return found


def partitions(database: str, table: str) -> list[dict[str, Any]]:
    """Return the partitions of a table."""
    from ministack.services import glue

    return list(glue._partitions.get(f"{database}/{table}") or [])


def values(database: str, table: str, root: str = "") -> set[tuple[str, ...]]:
    """Return the values of a table's partitions, or of those whose folder lies under ``root``."""
    return {
        tuple(item["Values"])
        for item in partitions(database, table)
        if item["StorageDescriptor"].get("Location", "").startswith(root)
    }


def put_table(
    crawler: dict[str, Any], policy: Policy, name: str, found: Found, changes: Changes
) -> dict[str, Any]:
    """Create the table, or update it as the policy says; return its storage descriptor.

    Columns that it has stay, in their order. Raises AwsError when its partition keys are others.
    """
    database = crawler["DatabaseName"]
    before = get_table(database, name)
    if before is None:
        table = _new_table(crawler, name, found)
        calls.glue("CreateTable", DatabaseName=database, TableInput=table)
        changes.tables["ADD"].append(name)
        return dict(table["StorageDescriptor"])
    keys = [key["Name"] for key in before.get("PartitionKeys") or []]
    if keys != found.keys:
        raise invalid(
            f"Table {database}.{name} has the partition keys {keys}, the folders of {found.root} have {found.keys}:"
            " move the objects, or delete the table"
        )
    table = _updated(before, crawler, policy, found) if policy.update else before
    if table != before:
        table_input = {part: table[part] for part in TABLE_INPUT if part in table}
        calls.glue("UpdateTable", DatabaseName=database, TableInput=table_input)
        changes.tables["UPDATE"].append(name)
    return dict(table["StorageDescriptor"])


def _new_table(crawler: dict[str, Any], name: str, found: Found) -> dict[str, Any]:
    columns = found.format.columns(found.schema)
    parameters = found.format.parameters()
    return {
        "Name": name,
        "Owner": "owner",
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in found.keys],
        "StorageDescriptor": {
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
            "Location": found.root,
            **found.format.storage(list(columns)),
            "Parameters": {**parameters, "UPDATED_BY_CRAWLER": crawler["Name"]},
        },
        "Parameters": {**parameters, "UPDATED_BY_CRAWLER": crawler["Name"]},
    }


def _updated(before: dict[str, Any], crawler: dict[str, Any], policy: Policy, found: Found) -> dict[str, Any]:
    """Return the table with what was found; properties and comments that others gave it stay."""
    held: dict[str, dict[str, Any]] = {c["Name"]: c for c in before["StorageDescriptor"].get("Columns") or []}
    types = found.format.columns(found.schema)
    columns = []
    for name in [*held, *(name for name in types if name not in held)]:
        column = held.get(name)
        if column is None:
            columns.append({"Name": name, "Type": types[name]})
        elif policy.merge_new_columns or found.schema.get(name, NULL) == NULL:
            columns.append(column)
        else:
            columns.append({**column, "Type": types[name]})
    new = _new_table(crawler, before["Name"], found)
    storage, given = before["StorageDescriptor"], found.format.storage([c["Name"] for c in columns])
    serde, new_serde = storage.get("SerdeInfo") or {}, given["SerdeInfo"]
    same = serde.get("SerializationLibrary") == new_serde["SerializationLibrary"]
    kept = (serde.get("Parameters") or {}) if same else {}
    serde = {**serde, **new_serde, "Parameters": {**kept, **new_serde["Parameters"]}}
    parameters = {
        name: value for name, value in (before.get("Parameters") or {}).items() if name != DEPRECATED
    }
    return {
        **before,
        "StorageDescriptor": {
            **storage,
            **given,
            "Columns": columns,
            "SerdeInfo": serde,
            "Parameters": {**(storage.get("Parameters") or {}), **new["StorageDescriptor"]["Parameters"]},
        },
        "Parameters": {**parameters, **new["Parameters"]},
    }


def update_partitions(database: str, name: str, descriptor: dict[str, Any], changes: Changes) -> None:
    """Give the partitions of a table that have other columns or another SerDe the table's own."""
    inherited = {part: descriptor[part] for part in ("Columns", "InputFormat", "OutputFormat", "SerdeInfo")}
    entries = []
    for partition in partitions(database, name):
        storage = partition["StorageDescriptor"]
        if any(storage.get(part) != value for part, value in inherited.items()):
            new = {"Values": partition["Values"], "StorageDescriptor": {**storage, **inherited}}
            entries.append({"PartitionValueList": partition["Values"], "PartitionInput": new})
    for start in range(0, len(entries), 100):
        answer = calls.glue(
            "BatchUpdatePartition",
            DatabaseName=database,
            TableName=name,
            Entries=entries[start : start + 100],
        )
        if answer.get("Errors"):
            raise invalid(str(answer["Errors"][:2]))
    changes.partitions["UPDATE"] += [f"{name}/{'/'.join(entry['PartitionValueList'])}" for entry in entries]


def remove_gone(
    crawler: dict[str, Any],
    policy: Policy,
    name: str,
    there: set[tuple[str, ...]],
    gone: list[tuple[str, ...]],
    changes: Changes,
) -> None:
    """Do what the policy says of partitions whose objects are gone, and of a table without any object.

    ``there`` and ``gone`` are partitions' values. AWS: crawler-configuration.html, DeleteBehavior.
    """
    database = crawler["DatabaseName"]
    table = get_table(database, name)
    if table is None or policy.delete == "LOG":
        return
    if policy.delete == "DELETE_FROM_DATABASE":
        if not there:
            calls.glue("DeleteTable", DatabaseName=database, Name=name)
            changes.tables["DELETE"].append(name)
            return
        for lost in gone:
            calls.glue("DeletePartition", DatabaseName=database, TableName=name, PartitionValues=list(lost))
            changes.partitions["DELETE"].append(f"{name}/{'/'.join(lost)}")
    elif not there and DEPRECATED not in (table.get("Parameters") or {}):
        deprecated = {**(table.get("Parameters") or {}), DEPRECATED: str(round(time.time() * 1000))}
        table_input = {part: table[part] for part in TABLE_INPUT if part in table}
        calls.glue("UpdateTable", DatabaseName=database, TableInput={**table_input, "Parameters": deprecated})
        changes.tables["UPDATE"].append(name)
