"""Names and families of types: which values Trino compares and adds, and how it names them in errors.

Types are DuckDB's, as text: ``INTEGER``, ``DECIMAL(10,2)``, ``VARCHAR[]``.
Source: trino.io/docs/current/language/types.html (no text is cast implicitly).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

INTEGERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
)
INEXACT = ("DOUBLE", "FLOAT")
TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE")
NUMBER, TEXT, TIME, NULL = "number", "text", "time", "null"
FAMILIES = {
    **dict.fromkeys((*INTEGERS, *INEXACT), NUMBER),
    **dict.fromkeys(TIMES, TIME),
    "VARCHAR": TEXT,
    '"NULL"': NULL,
    "NULL": NULL,
}
TRINO = {
    "HUGEINT": "bigint",
    "FLOAT": "real",
    "BLOB": "varbinary",
    '"NULL"': "unknown",
    "NULL": "unknown",
    "TIMESTAMP": "timestamp(3)",
    "TIMESTAMP_S": "timestamp(0)",
    "TIMESTAMP_MS": "timestamp(3)",
    "TIMESTAMP_NS": "timestamp(9)",
    "TIMESTAMP WITH TIME ZONE": "timestamp(3) with time zone",
    "TIME": "time(3)",
    "TIME WITH TIME ZONE": "time(3) with time zone",
    "INTERVAL": "interval day to second",
}
"""Trino's names, where they are not DuckDB's in small letters."""
WHOLE = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19, "HUGEINT": 19}
"""The precision of a whole number beside a decimal."""


def family(kind: str | None) -> str | None:
    """Return what a type is compared with: its family; None when it is not known."""
    if kind is None:
        return None
    if kind.endswith("]"):
        return "array"
    head = kind.partition("(")[0]
    if head in ("MAP", "STRUCT", "TUPLE", "DECIMAL"):
        return {"MAP": "map", "DECIMAL": NUMBER}.get(head, "row")
    return FAMILIES.get(kind, kind)


def together(*kinds: str | None) -> bool:
    """Return whether values of these types have a common type, as far as they are known."""
    return len({family(kind) for kind in kinds} - {None, NULL}) < 2


def decimal(kind: str | None) -> tuple[int, int] | None:
    """Return the precision and scale of an exact number, None for another type."""
    if kind in WHOLE:
        return WHOLE[kind], 0
    found = re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", kind or "")
    return (int(found[1]), int(found[2])) if found else None


def is_decimal(kind: str | None) -> bool:
    """Return whether a type is DECIMAL."""
    return (kind or "").startswith("DECIMAL")


def parts(kind: str) -> list[str]:
    """Return what stands between a type's outer parentheses, cut at its commas."""
    inner, found, depth, start = kind[kind.index("(") + 1 : -1], [], 0, 0
    for place, character in enumerate(inner):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            found.append(inner[start:place].strip())
            start = place + 1
    return [*found, inner[start:].strip()]


def trino_name(kind: str, node: exp.Expr | None = None) -> str:
    """Return Trino's name of a type; a literal's text has its length."""
    from sqlglot import exp

    if kind == "VARCHAR" and isinstance(node, exp.Literal):
        return f"varchar({len(node.this)})"
    if kind.endswith("[]"):
        inner = node.expressions[0] if isinstance(node, exp.Array) and node.expressions else None
        return f"array({trino_name(kind[:-2], inner)})"
    head = kind.partition("(")[0]
    if head == "MAP":
        names = _map_names(node)
        both = (trino_name(part, name) for part, name in zip(parts(kind), names, strict=True))
        return f"map({', '.join(both)})"
    if head == "STRUCT":
        fields = (part.rpartition(" ") if "(" not in part else part.partition(" ") for part in parts(kind))
        return f"row({', '.join(f'{name} {trino_name(inner)}' for name, _, inner in fields)})"
    if head == "TUPLE":
        return f"row({', '.join(trino_name(part) for part in parts(kind))})"
    return TRINO.get(kind, kind.lower().replace(" ", ""))


def _map_names(node: exp.Expr | None) -> tuple[exp.Expr | None, exp.Expr | None]:
    from sqlglot import exp

    if not isinstance(node, exp.Map):
        return None, None
    keys, values = node.args.get("keys"), node.args.get("values")
    first = [
        side.expressions[0] if side is not None and side.expressions else None for side in (keys, values)
    ]
    return first[0], first[1]
