"""Partition projection: a table's partitions computed from its properties; those in the catalog are ignored.

Source: docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_tables import CatalogTable, directory, partition_folder

if TYPE_CHECKING:
    from sqlglot import exp

MAX_PARTITIONS = 1_000_000
"""A query that could need more is refused, as on AWS."""
TEMPLATE = "storage.location.template"
NOW = re.compile(r"NOW(?:\s*([+-])\s*(\d+)\s*(YEAR|MONTH|WEEK|DAY|HOUR|MINUTE|SECOND)S?)?", re.I)
PATTERN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|.", re.S)
LETTERS = {
    "yyyy": "%Y",
    "uuuu": "%Y",
    "yy": "%y",
    "MM": "%m",
    "M": "%-m",
    "MMM": "%b",
    "MMMM": "%B",
    "dd": "%d",
    "d": "%-d",
    "DDD": "%j",
    "HH": "%H",
    "H": "%-H",
    "mm": "%M",
    "ss": "%S",
}
"""Java's DateTimeFormatter letters as strftime's."""
UNITS = {
    **{
        unit: f"to_{unit.lower()}"
        for unit in ("YEARS", "MONTHS", "WEEKS", "DAYS", "HOURS", "MINUTES", "SECONDS")
    },
    "MILLIS": "to_milliseconds",
}
"""DuckDB's function of an interval of so many."""


def enabled(table: CatalogTable) -> bool:
    """Return whether the table's partitions are projected."""
    return table.parameters.get("projection.enabled", "").strip().lower() == "true" and bool(table.keys)


def location(table: CatalogTable, values: tuple[str, ...]) -> str:
    """Return a partition's address: by the table's template, else ``key=value/`` below the table.

    Raises QueryError when the template leaves out a key.
    """
    template = table.parameters.get(TEMPLATE)
    if not template:
        return table.location + partition_folder(table.keys, values)
    for key, value in zip(table.keys, values, strict=True):
        if f"${{{key}}}" not in template:
            raise _invalid(table, f"{TEMPLATE} does not contain the partition column {key}")
        template = template.replace(f"${{{key}}}", value)
    return directory(template)


def projected(table: CatalogTable, connection: Any, conjuncts: list[exp.Expr]) -> dict[str, list[str]]:
    """Return each key's values. Raises QueryError: a property is wrong, or an injected key has no value.

    Parameters
    ----------
    connection
        Where values that a condition gives by an expression are computed.
    conjuncts
        The query's conditions on the keys; they give the values of injected keys.
    """
    kinds = {key: (_get(table, key, "type") or "").lower() for key in table.keys}
    missing = [key for key, kind in kinds.items() if not kind]
    if missing:
        raise _invalid(
            table, f"the following partition columns are missing projection configuration: {missing}"
        )
    return {key: _values(table, key, kind, connection, conjuncts) for key, kind in kinds.items()}


def _values(
    table: CatalogTable, key: str, kind: str, connection: Any, conjuncts: list[exp.Expr]
) -> list[str]:
    if kind == "enum":
        return _required(table, key, "values").split(",")
    if kind == "integer":
        return _integers(table, key)
    if kind == "date":
        return _dates(table, key, connection)
    if kind == "injected":
        return _injected(key, connection, conjuncts)
    raise _invalid(table, f"unknown projection type {kind!r} of the partition column {key}")


def too_many(table: CatalogTable) -> QueryError:
    """Return the error of a query that needs too many partitions."""
    return QueryError(
        f"HIVE_EXCEEDED_PARTITION_LIMIT: Query over table '{table.database}.{table.name}' can potentially read"
        f" more than {MAX_PARTITIONS} partitions"
    )


def _integers(table: CatalogTable, key: str) -> list[str]:
    start, end = (_integer(table, key, text) for text in _range(table, key))
    interval = _integer(table, key, _get(table, key, "interval") or "1")
    digits = _integer(table, key, _get(table, key, "digits") or "0")
    if interval < 1 or start > end:
        raise _invalid(table, f"the range or the interval of the partition column {key} is empty")
    numbers = range(start, end + 1, interval)
    if len(numbers) > MAX_PARTITIONS:
        raise too_many(table)
    return [f"{number:0{digits}d}" for number in numbers]


def _integer(table: CatalogTable, key: str, text: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text):
        raise _invalid(table, f"{text!r} is no integer, for the partition column {key}")
    return int(text)


def _dates(table: CatalogTable, key: str, connection: Any) -> list[str]:
    formats = _strftime(table, _required(table, key, "format"))
    start, end = (_moment(table, key, text, formats, connection) for text in _range(table, key))
    if start > end:
        raise _invalid(table, f"the range of the partition column {key} ends before it begins")
    found = connection.execute(
        f"SELECT strftime(moment, $formats) FROM generate_series($start, $end, {_step(table, key, formats)})"
        f" AS t(moment) LIMIT {MAX_PARTITIONS + 1}",
        {"formats": formats, "start": start, "end": end},
    ).fetchall()
    if len(found) > MAX_PARTITIONS:
        raise too_many(table)
    return [value for (value,) in found]


def _moment(table: CatalogTable, key: str, text: str, formats: str, connection: Any) -> datetime:
    """Return an end of a range; of NOW, what the format leaves out is cut off."""
    found = NOW.fullmatch(text)
    if found:
        moment = datetime.now(UTC).replace(tzinfo=None)
        if found[1]:
            shifted = f"SELECT $moment {found[1]} to_{found[3].lower()}s({found[2]})"
            ((moment,),) = connection.execute(shifted, {"moment": moment}).fetchall()
        text = moment.strftime(formats)
    try:
        return datetime.strptime(text, formats.replace("%-", "%"))
    except ValueError as error:
        raise _invalid(
            table, f"the range of the partition column {key} is not in its format: {error}"
        ) from error


def _step(table: CatalogTable, key: str, formats: str) -> str:
    """Return DuckDB's interval between two values."""
    unit = (_get(table, key, "interval.unit") or "").upper()
    amount = _get(table, key, "interval")
    if not unit:
        if re.search("%-?[HMS]", formats) or not re.search("%-?[djmbB]", formats):
            raise _invalid(table, f"projection.{key}.interval.unit is required for this format")
        unit = "DAYS" if re.search("%-?[dj]", formats) else "MONTHS"
    elif not amount:
        raise _invalid(table, f"projection.{key}.interval is required with an interval.unit")
    if unit not in UNITS:
        raise _invalid(table, f"{unit!r} is no interval unit, for the partition column {key}")
    number = _integer(table, key, amount or "1")
    if number < 1:
        raise _invalid(table, f"the interval of the partition column {key} must be positive")
    return f"{UNITS[unit]}({number})"


def _strftime(table: CatalogTable, pattern: str) -> str:
    parts = []
    for found in PATTERN.finditer(pattern):
        if found[2] and found[0] not in LETTERS:
            raise QueryError(
                f"NOT_SUPPORTED: The local Athena knows no date format {found[0]!r} in {pattern!r}"
            )
        quoted = found[0] if found[1] is None else found[1].replace("''", "'") or "'"
        parts.append(LETTERS[found[0]] if found[2] else quoted.replace("%", "%%"))
    return "".join(parts)


def _injected(key: str, connection: Any, conjuncts: list[exp.Expr]) -> list[str]:
    """Return the values that the query gives: every condition on the key is an equality with constants."""
    import duckdb
    from sqlglot import exp

    from nearcast.local.gateway import athena_dialect, athena_macros

    values: set[str] | None = None
    for conjunct in conjuncts:
        if not any(column.name.lower() == key for column in conjunct.find_all(exp.Column)):
            continue
        constants = _constants(conjunct)
        if constants is None:
            values = None
            break
        try:
            shown = ", ".join(f"CAST({athena_dialect.to_duckdb(item)} AS VARCHAR)" for item in constants)
            athena_macros.define(connection, shown)
            (row,) = connection.execute(f"SELECT {shown}").fetchall()
            found = {value for value in row if value is not None}
        except duckdb.Error:
            values = None
            break
        values = found if values is None else values & found
    if values is None:
        raise QueryError(
            f"CONSTRAINT_VIOLATION: For the injected projected partition column {key}, the WHERE clause must"
            " contain only static equality conditions, and at least one such condition must be present."
        )
    return sorted(values)


def _constants(conjunct: exp.Expr) -> list[exp.Expr] | None:
    from sqlglot import exp

    if isinstance(conjunct, exp.EQ):
        sides = [conjunct.this, conjunct.expression]
        column = next((side for side in sides if isinstance(side, exp.Column)), None)
        others = [side for side in sides if side is not column]
    elif isinstance(conjunct, exp.In) and isinstance(conjunct.this, exp.Column):
        others = list(conjunct.expressions)
    else:
        return None
    return others if others and not any(other.find(exp.Column) for other in others) else None


def _range(table: CatalogTable, key: str) -> tuple[str, str]:
    parts = [part.strip() for part in _required(table, key, "range").split(",")]
    if len(parts) != 2:
        raise _invalid(table, f"projection.{key}.range must be two values with a comma between them")
    return parts[0], parts[1]


def _get(table: CatalogTable, key: str, name: str) -> str | None:
    value = table.parameters.get(f"projection.{key}.{name}")
    # A white space is part of an enum's values.
    return value if value is None or name == "values" else value.strip()


def _required(table: CatalogTable, key: str, name: str) -> str:
    value = _get(table, key, name)
    if not value:
        raise _invalid(table, f"projection.{key}.{name} is required")
    return value


def _invalid(table: CatalogTable, reason: str) -> QueryError:
    return QueryError(
        f"INVALID_TABLE_PROPERTY: Table {table.database}.{table.name} is configured for partition projection, but"
        f" {reason}"
    )
