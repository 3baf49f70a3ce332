"""Reading CSV as Athena's two SerDes do, in DuckDB's SQL: a line is a row, a value is text until it is cast.

LazySimpleSerDe knows no quotes, and a value that does not fit its column is null; OpenCSVSerde knows quotes, and such
a value fails the query. Sources: docs.aws.amazon.com/athena/latest/ug/lazy-simple-serde.html and csv-serde.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_types import to_duckdb

if TYPE_CHECKING:
    from nearcast.local.gateway.athena_tables import CatalogTable

INTEGERS = ("tinyint", "smallint", "int", "integer", "bigint")
PATTERNS = {
    **dict.fromkeys(INTEGERS, r"[+-]?\d+"),
    "boolean": "(?i:true|false)",
    "date": r"\d{4}-\d{2}-\d{2}",
    "timestamp": r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d+)?",
}
"""What the text of a value must be: DuckDB's own casts also take ``1.5`` for an integer and ``yes`` for true."""
EPOCH = {"date": "to_days(CAST({0} AS INTEGER))", "timestamp": "to_milliseconds(CAST({0} AS BIGINT))"}
"""OpenCSVSerde's dates are days since 1970, its timestamps milliseconds."""


def is_csv(serde: str) -> bool:
    """Tell whether a SerDe, in lower case, is one of the two for CSV."""
    return serde.endswith((".lazysimpleserde", ".opencsvserde"))


def reader(table: CatalogTable, variable: str, parameters: Mapping[str, str]) -> str:
    """Return the SELECT that reads the CSV files in a DuckDB variable, with the catalog's columns and types.

    ``parameters`` are the table's properties. Raises QueryError for what the local Athena does not do.
    """
    given = table.serde_parameters
    cells = _quoted_cells(given) if table.serde.endswith(".opencsvserde") else _plain_cells(given)
    cast = _strict if table.serde.endswith(".opencsvserde") else _lenient(given)
    shown = []
    for place, (name, kind) in enumerate(table.columns.items(), 1):
        if "<" in kind:
            raise QueryError(f"NOT_SUPPORTED: The local Athena reads no column of type {kind} from CSV")
        shown.append(f"{cast(f'cells[{place}]', kind, name)} AS {_name(name)}")
    header = _header_lines(parameters)
    lines = "string_split_regex(regexp_replace(content, '\\r?\\n$', ''), '\\r?\\n')"
    return (
        f"SELECT {', '.join([*shown, 'filename'])} FROM (SELECT filename, {cells} AS cells FROM ("
        f"SELECT filename, unnest({lines}[{header + 1}:]) AS line FROM read_text(getvariable({_text(variable)}))))"
    )


def _header_lines(parameters: Mapping[str, str]) -> int:
    given = parameters.get("skip.header.line.count", "0")
    if not given.isdecimal():
        raise QueryError(f"HIVE_INVALID_METADATA: Invalid value for skip.header.line.count property: {given}")
    return int(given)


def _plain_cells(given: Mapping[str, str]) -> str:
    """Return the list of a line's values for LazySimpleSerDe."""
    delimiter = _character(given, "field.delim", given.get("serialization.format", "\x01"))
    if delimiter == "1" and "field.delim" not in given:
        # Hive's way to say Ctrl-A.
        delimiter = "\x01"
    escape = _character(given, "escape.delim", "")
    if not escape:
        return f"string_split(line, {_text(delimiter)})"
    d, e = re.escape(delimiter), re.escape(escape)
    values = f"regexp_extract_all({_text(delimiter)} || line, {_text(f'{d}((?:[^{d}{e}]|{e}.)*)')}, 1)"
    unescaped = f"regexp_replace(v, {_text(f'{e}(.)')}, '\\1', 'g')"
    return f"list_transform({values}, lambda v: {unescaped})"


def _quoted_cells(given: Mapping[str, str]) -> str:
    """Return the list of a line's values for OpenCSVSerde, without their quotes."""
    delimiter = _character(given, "separatorChar", ",")
    quote = _character(given, "quoteChar", '"')
    d, q, e = (re.escape(c) for c in (delimiter, quote, _character(given, "escapeChar", "\\")))
    escaped = "" if q == e else f"|{e}."
    field = f"{d}({q}(?:[^{q}{e}]{escaped}|{q}{q})*{q}|[^{d}]*)"
    values = f"regexp_extract_all({_text(delimiter)} || line, {_text(field)}, 1)"
    inner = f"regexp_replace(v[2:-2], {_text(f'[{q}{e}]([{q}{e}])')}, '\\1', 'g')"
    quoted = f"len(v) > 1 AND starts_with(v, {_text(quote)}) AND ends_with(v, {_text(quote)})"
    return f"list_transform({values}, lambda v: CASE WHEN {quoted} THEN {inner} ELSE v END)"


def _character(given: Mapping[str, str], name: str, default: str) -> str:
    value = given.get(name, default)
    if len(value) > 1:
        raise QueryError(f"HIVE_INVALID_METADATA: SerDe property {name} is no single character: {value!r}")
    return value


def _lenient(given: Mapping[str, str]) -> Callable[[str, str, str], str]:
    null = _text(given.get("serialization.null.format", "\\N"))

    def cast(cell: str, kind: str, name: str) -> str:
        value = f"nullif({cell}, {null})"
        if _is_text(kind):
            return value
        return f"TRY_CAST({_checked(value, kind)} AS {to_duckdb(kind)})"

    return cast


def _strict(cell: str, kind: str, name: str) -> str:
    if _is_text(kind):
        return cell
    column = f"' for field {name}: it is no {kind}"
    failed = f"error('HIVE_BAD_DATA: Error parsing field value ''' || {cell} || {_text(column)})"
    if kind in EPOCH:
        since = f"CAST(DATE '1970-01-01' + {EPOCH[kind].format(cell)} AS {to_duckdb(kind)})"
        number = f"CASE WHEN regexp_full_match({cell}, '[+-]?\\d+') THEN {since} ELSE {failed} END"
        return f"CASE WHEN {cell} IS NOT NULL THEN {number} END"
    value = f"TRY_CAST({_checked(cell, kind)} AS {to_duckdb(kind)})"
    return f"CASE WHEN {cell} IS NULL THEN NULL ELSE coalesce({value}, {failed}) END"


def _checked(value: str, kind: str) -> str:
    """Return the value, or null where it is no text of this type."""
    pattern = PATTERNS.get(kind)
    if pattern is None:
        return value
    return f"CASE WHEN regexp_full_match({value}, {_text(pattern)}) THEN {value} END"


def _is_text(kind: str) -> bool:
    return kind == "string" or kind.startswith(("varchar", "char"))


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
