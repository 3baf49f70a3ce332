"""CAST between types as Trino does it, where DuckDB rounds, writes or accepts otherwise.

Source: trino.io/docs/current/functions/conversion.html
"""

from __future__ import annotations

from typing import Any

from nearcast.local.gateway.athena_families import INEXACT, NUMBER, TEXT, TIME, family, trino_name

IMPOSSIBLE = {
    (TIME, NUMBER),
    (NUMBER, TIME),
    (TIME, "BOOLEAN"),
    ("BOOLEAN", TIME),
    ("array", NUMBER),
    ("array", TEXT),
    ("map", TEXT),
    ("map", NUMBER),
    (TEXT, "array"),
    (TEXT, "map"),
    ("BLOB", NUMBER),
    (NUMBER, "BLOB"),
}
"""Families of values that Trino casts in no way, and to which."""


def cast(node: Any, value: Any, kind: str | None) -> Any:
    """Return what replaces a CAST or TRY_CAST of a value of this type; None to leave it.

    Raises
    ------
    QueryError
        Trino has no such cast (TYPE_MISMATCH).
    """
    from sqlglot import exp

    from nearcast.local.gateway.athena_operators import mismatch

    to, known = node.to, exp.DataType
    target = family(_target(to))
    if (family(kind), target) in IMPOSSIBLE:
        raise mismatch(f"Cannot cast {trino_name(str(kind), value)} to {to.sql('trino').lower()}")
    if to.is_type("json"):
        return (
            exp.Anonymous(this="trino_to_json", expressions=[value.copy()])
            if kind != "JSON"
            else value.copy()
        )
    if to.is_type(*known.TEXT_TYPES):
        return _text(node, value, kind)
    if to.is_type(*known.INTEGER_TYPES):
        if kind in INEXACT or kind is None:
            node.set("this", exp.Anonymous(this="trino_rounded", expressions=[value.copy()]))
        elif kind == "VARCHAR":
            node.set("this", exp.Anonymous(this="trino_whole_text", expressions=[value.copy()]))
    return None


def _text(node: Any, value: Any, kind: str | None) -> Any:
    from sqlglot import exp

    length = node.to.expressions[0].this.copy() if node.to.expressions else None
    node.to.set("expressions", [])
    result = node
    if kind in INEXACT:
        result = exp.Anonymous(this="trino_double_text", expressions=[value.copy()])
    elif kind == "JSON":
        result = exp.Anonymous(this="trino_json_text", expressions=[value.copy()])
    elif kind is None:
        result = exp.Anonymous(this="trino_text", expressions=[value.copy()])
    elif kind in ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIME"):
        return None
    if length is not None:
        return exp.Anonymous(this="left", expressions=[result.copy(), length])
    return None if result is node else result


def _target(to: Any) -> str:
    name: str = to.sql("duckdb").upper()
    return {"TEXT": "VARCHAR", "INT": "INTEGER", "REAL": "FLOAT", "TIMESTAMPTZ": "TIMESTAMP"}.get(
        name.partition("(")[0] if not name.endswith("]") else name, name
    )
