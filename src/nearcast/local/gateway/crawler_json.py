"""What JSON objects hold: the type of every line, or of every record at a JSON path.

Whole objects are read, not their first megabyte as AWS reads it: a line that cannot be read is named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from nearcast.local.gateway.calls import StoredObject
from nearcast.local.gateway.crawler_errors import UnreadableError
from nearcast.local.gateway.crawler_types import NULL, STRING, Schema, Type, merge, merge_schemas

PATH = re.compile(r"\$(\.\w+|\[\*\]|\[\d+\])*")
"""The JSON paths that are known here, of those in docs.aws.amazon.com/glue/latest/dg/custom-classifier.html."""
NAMES = {"UBIGINT": "bigint", "BIGINT": "bigint", "DOUBLE": "double", "BOOLEAN": "boolean", "VARCHAR": STRING}
"""DuckDB's names of JSON's types. Dates are text here, as in a crawled table on AWS."""
LINES = "SELECT filename, json FROM read_ndjson_objects(?, filename = true, ignore_errors = {lenient})"
RECORDS = (
    "SELECT filename, unnest(CASE json_type(found) WHEN 'ARRAY' THEN CAST(found AS JSON[]) ELSE [found] END) AS json"
    " FROM (SELECT filename, json_extract(json, '{path}') AS found"
    " FROM read_json_objects(?, filename = true, format = 'unstructured'))"
)
STRUCTURES = (
    "SELECT filename, CAST(json_structure(json) AS VARCHAR) AS structure"
    " FROM (SELECT *, row_number() OVER () AS place FROM ({rows})) WHERE json IS NOT NULL"
    " GROUP BY filename, structure ORDER BY min(place)"
)


def read(objects: list[StoredObject], path: str, lenient: bool) -> Schema:
    """Return the columns of JSON objects, in the order in which they appear.

    Parameters
    ----------
    path
        Where the records are: ``$`` for a record a line, or a path such as ``$[*]`` or ``$.items[*]`` into documents.
    lenient
        Pass over lines that are no JSON, as the SerDe does with ``ignore.malformed.json``.

    Raises
    ------
    UnreadableError
        An object holds what is no JSON, or a record that is not an object.
    """
    import duckdb

    with duckdb.connect(config={"threads": 2}) as connection:
        try:
            return _read(connection, objects, path, lenient)
        except duckdb.Error as error:
            for item in objects:
                try:
                    _read(connection, [item], path, lenient)
                except duckdb.Error as alone:
                    reason = _damaged_line(item) if path == "$" else None
                    raise UnreadableError(item.key, reason or _reason(alone, item)) from alone
            raise UnreadableError(objects[0].key, str(error)) from error


def _read(connection: Any, objects: list[StoredObject], path: str, lenient: bool) -> Schema:
    keys = {str(item.path): item.key for item in objects}
    rows = (
        LINES.format(lenient=str(lenient).lower()) if path == "$" else RECORDS.format(path=_extracted(path))
    )
    found: list[tuple[str, str]] = connection.execute(STRUCTURES.format(rows=rows), [list(keys)]).fetchall()
    schema: Schema = {}
    for filename, structure in found:
        record = _type(json.loads(structure))
        if isinstance(record, dict):
            schema = merge_schemas(schema, record)
        elif not (lenient and record == NULL):
            raise UnreadableError(
                keys[filename], f"it holds a record at {path} that is not an object, of type {record}"
            )
    return schema


def _extracted(path: str) -> str:
    """Return the path without its last ``[*]``: an array that is found is unnested anyway."""
    return path.removesuffix("[*]")


def _type(structure: Any, in_list: bool = False) -> Type:
    """Return the type of what DuckDB's json_structure says of one value."""
    if isinstance(structure, list):
        return [_type(structure[0], in_list=True)]
    if isinstance(structure, dict):
        return _fields(structure.items(), in_list)
    if structure == "JSON":
        # In a list: elements that do not agree. Elsewhere: an object without fields.
        return STRING if in_list else {}
    return NULL if structure == "NULL" else NAMES.get(structure, STRING)


def _fields(items: Iterable[tuple[str, Any]], in_list: bool) -> Schema:
    # Hive's names are lower case: fields that differ by case alone are one column.
    schema: Schema = {}
    for name, structure in items:
        schema[name.lower()] = merge(schema.get(name.lower(), NULL), _type(structure, in_list))
    return schema


def _damaged_line(item: StoredObject) -> str | None:
    """Return the first line that is no JSON, and why; DuckDB counts lines otherwise."""
    with item.path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                if line.strip():
                    json.loads(line)
            except UnicodeDecodeError as error:
                return f"line {number}: byte {error.start + 1} is not UTF-8"
            except ValueError as error:
                return f"line {number} is no JSON: {error}"
    return None


def _reason(error: Exception, item: StoredObject) -> str:
    """Return DuckDB's reason, with the object's name instead of its file's."""
    text = str(error).partition("\n")[0].removeprefix("Invalid Input Error: ")
    return text.replace(f' in file "{item.path}"', "").replace(str(item.path), item.key)
