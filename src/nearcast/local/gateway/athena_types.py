"""Types between the three: Hive's names in the catalog, DuckDB's, and Athena's in results.

Source: docs.aws.amazon.com/athena/latest/ug/data-types.html
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from nearcast.local.gateway.athena_errors import QueryError

INTEGERS = {
    "tinyint": (3, "tinyint"),
    "smallint": (5, "smallint"),
    "integer": (10, "int"),
    "bigint": (19, "bigint"),
}
VARCHAR_LENGTH = 2147483647
ATHENA: dict[str, tuple[str, int, int]] = {
    **{name: (name, digits, 0) for name, (digits, _) in INTEGERS.items()},
    "utinyint": ("smallint", 5, 0),
    "usmallint": ("integer", 10, 0),
    "uinteger": ("bigint", 19, 0),
    "ubigint": ("bigint", 19, 0),
    "hugeint": ("bigint", 19, 0),
    "double": ("double", 17, 0),
    "float": ("float", 17, 0),
    "boolean": ("boolean", 0, 0),
    "varchar": ("varchar", VARCHAR_LENGTH, 0),
    "uuid": ("uuid", 0, 0),
    "blob": ("varbinary", 1073741824, 0),
    "date": ("date", 0, 0),
    "time": ("time", 3, 0),
    "timestamp": ("timestamp", 3, 0),
    "timestamp_s": ("timestamp", 3, 0),
    "timestamp_ms": ("timestamp", 3, 0),
    "timestamp_ns": ("timestamp", 3, 0),
    "timestamp with time zone": ("timestamp with time zone", 3, 0),
    "list": ("array", 0, 0),
    "array": ("array", 0, 0),
    "map": ("map", 0, 0),
    "struct": ("row", 0, 0),
    "tuple": ("row", 0, 0),
    "interval": ("interval day to second", 0, 0),
    "null": ("unknown", 0, 0),
}
"""Of DuckDB's type: Athena's name, precision and scale in a result's metadata."""
HIVE = {
    "float": "float",
    "double": "double",
    "boolean": "boolean",
    "varchar": "string",
    "varbinary": "binary",
    "date": "date",
    "timestamp": "timestamp",
    "smallint": "smallint",
    "tinyint": "tinyint",
    "integer": "int",
    "bigint": "bigint",
}
ENGINE_ONLY = (
    "utinyint",
    "usmallint",
    "uinteger",
    "ubigint",
    "hugeint",
    "timestamp_s",
    "timestamp_ms",
    "timestamp_ns",
)
"""DuckDB's types that Athena lacks: cast before they are written to a table."""
BIGINT_RANGE = range(-(2**63), 2**63)


def to_duckdb(hive_type: str) -> str:
    """Return DuckDB's name of a catalog's type. Raises QueryError when it is not a type."""
    from sqlglot import exp
    from sqlglot.errors import ParseError

    try:
        return exp.DataType.build(hive_type, dialect="hive").sql("duckdb")
    except ParseError as error:
        raise QueryError(f"HIVE_INVALID_METADATA: Unknown type: {hive_type}") from error


def to_hive(kind: Any) -> str:
    """Return the catalog's name of a DuckDB type. Raises QueryError when a Hive table cannot hold it."""
    children = dict(kind.children) if kind.id in ("list", "struct", "map", "decimal") else {}
    if kind.id == "decimal":
        return f"decimal({children['precision']},{children['scale']})"
    if kind.id == "list":
        return f"array<{to_hive(children['child'])}>"
    if kind.id == "map":
        return f"map<{to_hive(children['key'])},{to_hive(children['value'])}>"
    if kind.id == "struct":
        return f"struct<{','.join(f'{name}:{to_hive(child)}' for name, child in children.items())}>"
    name = "json" if is_json(kind) else ATHENA.get(kind.id, ("", 0, 0))[0]
    if name not in HIVE:
        raise QueryError(f"NOT_SUPPORTED: Unsupported Hive type: {name or kind}")
    return HIVE[name]


def to_trino(hive_type: str) -> str:
    """Return Trino's name of a catalog's type, as its messages and information_schema show it."""
    from sqlglot import exp

    if hive_type in ("unknown", "timestamp"):
        return {"timestamp": "timestamp(3)"}.get(hive_type, hive_type)
    shown = exp.DataType.build(hive_type, dialect="hive").sql("trino").lower()
    return re.sub(r"(decimal\(\d+), (\d+\))", r"\1,\2", shown)


def is_json(kind: Any) -> bool:
    """Return whether a DuckDB type is JSON, whose id is that of texts."""
    return str(kind) == "JSON"


def column_info(name: str, kind: Any) -> dict[str, Any]:
    """Return Athena's description of a result column. Raises QueryError for a type that is not shown here."""
    if kind.id == "decimal":
        parts = dict(kind.children)
        return describe(name, "decimal", parts["precision"], parts["scale"])
    if is_json(kind):
        return describe(name, "json")
    if kind.id not in ATHENA:
        raise QueryError(f"NOT_SUPPORTED: Results of type {kind} are not supported by the local Athena")
    return describe(name, *ATHENA[kind.id])


def describe(name: str, athena_type: str, precision: int = 0, scale: int = 0) -> dict[str, Any]:
    """Return a ColumnInfo (docs.aws.amazon.com/athena/latest/APIReference/API_ColumnInfo.html)."""
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": athena_type,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": athena_type in ("varchar", "string", "char"),
    }


def to_text(value: Any, kind: Any) -> str | None:
    """Return a value as Athena writes it in results; a null is None.

    Raises QueryError for an integer outside bigint (DuckDB's sums are wider).
    """
    if value is None:
        return None
    if kind.id == "float":
        import numpy as np

        return java_double(float(str(np.float32(value))))
    if kind.id in ("list", "array"):
        inner = dict(kind.children)["child"]
        return "[" + ", ".join(_nested(item, inner) for item in value) + "]"
    if kind.id == "map":
        inner = dict(kind.children)
        pairs = (f"{_nested(k, inner['key'])}={_nested(v, inner['value'])}" for k, v in value.items())
        return "{" + ", ".join(pairs) + "}"
    if kind.id == "struct":
        fields = (f"{_field(name)}={_nested(value[name], child)}" for name, child in kind.children)
        return "{" + ", ".join(fields) + "}"
    if kind.id == "tuple":
        items = (_nested(item, child) for item, (_, child) in zip(value, kind.children, strict=True))
        return "{" + ", ".join(f"field{place}={item}" for place, item in enumerate(items)) + "}"
    return _scalar(value)


def _field(name: str) -> str:
    """Return a row's field name; DuckDB numbers those without one ``_0``, Athena ``field0``."""
    return f"field{name[1:]}" if name[0] == "_" and name[1:].isdecimal() else name


def _nested(value: Any, kind: Any) -> str:
    text = to_text(value, kind)
    return "null" if text is None else text


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, datetime):
        text = f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
        return f"{text} {value.tzname()}" if value.tzinfo else text
    if isinstance(value, timedelta):
        return _interval(value)
    if isinstance(value, time):
        return f"{value:%H:%M:%S}.{value.microsecond // 1000:03d}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return " ".join(f"{byte:02x}" for byte in value)
    if isinstance(value, int) and value not in BIGINT_RANGE:
        raise QueryError(f"NUMERIC_VALUE_OUT_OF_RANGE: bigint overflow: {value}", 1000)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _interval(value: timedelta) -> str:
    """Return an interval of days as ``2 03:04:05.678``, with one sign before all of it."""
    whole = abs(value)
    hours, seconds = divmod(whole.seconds, 3600)
    clock = f"{hours:02d}:{seconds // 60:02d}:{seconds % 60:02d}.{whole.microseconds // 1000:03d}"
    return f"{'-' if value < timedelta(0) else ''}{whole.days} {clock}"


def months(value: timedelta | None) -> str | None:
    """Return an interval of months, of 30 days each as DuckDB gives it, as ``1-2``: years and months."""
    if value is None:
        return None
    count = round(value / timedelta(days=30))
    return f"{'-' if count < 0 else ''}{abs(count) // 12}-{abs(count) % 12}"


def java_double(value: float) -> str:
    """Return the shortest text that reads back as the same double, laid out as Java does.

    Plain from 0.001 up to 10,000,000, with an exponent outside (java.lang.Double.toString).
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    shown = "".join(map(str, digits))
    power = int(exponent) + len(shown) - 1
    return f"{'-' if sign else ''}{shown[0]}.{shown[1:] or '0'}E{power}"
