"""Reading what is new: the format and the columns of a table's new objects, merged into what is known of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nearcast.local.gateway import crawler_json
from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_types import to_hive
from nearcast.local.gateway.calls import StoredObject
from nearcast.local.gateway.crawler_classifiers import Classifier, classify
from nearcast.local.gateway.crawler_errors import UnreadableError
from nearcast.local.gateway.crawler_formats import Format
from nearcast.local.gateway.crawler_types import Schema, Type, merge_schemas

BATCH = 5000
"""So many JSON objects are read by one statement."""


class Reader:
    """Reads objects for one crawl.

    Parameters
    ----------
    classifiers
        Those that say what an object is, in their order.
    lenient
        Pass over lines that are no JSON.
    """

    def __init__(self, classifiers: list[Classifier], lenient: bool) -> None:
        self.classifiers = classifiers
        self.lenient = lenient

    def read(
        self, objects: list[StoredObject], table_format: Format | None, schema: Schema
    ) -> tuple[Format | None, Schema]:
        """Return a table's format and columns after these objects, the oldest of them first.

        Raises UnreadableError, with the name of an object that cannot be read or does not fit to those before it.
        """
        json_objects = []
        for item in sorted(objects, key=lambda item: (item.last_modified, item.key)):
            found, columns = classify(item, self.classifiers, schema)
            table_format = _same_format(item, found, table_format or found)
            if columns is not None:
                schema = _with_csv(item, columns, schema)
            elif found.classification == "parquet":
                schema = merge_schemas(schema, _parquet(item))
            else:
                json_objects.append(item)
        for start in range(0, len(json_objects), BATCH):
            assert table_format
            batch = json_objects[start : start + BATCH]
            found_now = crawler_json.read(batch, table_format.json_path, self.lenient)
            schema = merge_schemas(schema, found_now)
        return table_format, schema


def _same_format(item: StoredObject, found: Format, table_format: Format) -> Format:
    """Return the format that reads this object and those before it. Raises UnreadableError when there is none."""
    # One object with quoted values is enough for the SerDe that knows them; it reads the others too.
    open_csv = found.open_csv or table_format.open_csv
    if replace(found, open_csv=open_csv) != replace(table_format, open_csv=open_csv):
        raise UnreadableError(item.key, f"it is {found}, the table's other objects are {table_format}")
    return replace(table_format, open_csv=open_csv)


def _with_csv(item: StoredObject, columns: Schema, schema: Schema) -> Schema:
    """Add a CSV object's columns. Its readers go by place, so names must be the same at each place."""
    merged = merge_schemas(schema, columns)
    if list(columns) != list(merged)[: len(columns)]:
        raise UnreadableError(
            item.key, f"its columns {', '.join(columns)} are not in the order of {', '.join(schema)}"
        )
    return merged


def _parquet(item: StoredObject) -> Schema:
    """Return a Parquet object's columns, from its footer."""
    import duckdb

    with duckdb.connect() as connection:
        try:
            found = connection.execute(
                "SELECT * FROM read_parquet(?, hive_partitioning = false) LIMIT 0", [str(item.path)]
            ).description
            return {name.lower(): _parquet_type(kind) for name, kind, *_ in found}
        except (duckdb.Error, QueryError) as error:
            raise UnreadableError(
                item.key, str(error).partition("\n")[0].replace(str(item.path), item.key)
            ) from error


def _parquet_type(kind: Any) -> Type:
    children = dict(kind.children) if kind.id in ("list", "struct") else {}
    if kind.id == "list":
        return [_parquet_type(children["child"])]
    if kind.id == "struct":
        return {name.lower(): _parquet_type(child) for name, child in children.items()}
    return to_hive(kind)
