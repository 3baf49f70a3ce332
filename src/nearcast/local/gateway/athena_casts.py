"""CAST between types as Trino does it, where DuckDB rounds, writes or accepts otherwise.

Source: trino.io/docs/current/functions/conversion.html
"""

from __future__ import annotations

from typing import Any

from nearcast.local.gateway.athena_build import call, mismatch
from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_families import INEXACT, NUMBER, TEXT, TIME, family, parts, trino_name

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

    to, known = node.to, exp.DataType
    target = family(_target(to))
    if (family(kind), target) in IMPOSSIBLE:
        raise mismatch(f"Cannot cast {trino_name(str(kind), value)} to {to.sql('trino').lower()}")
    if _rounds_within(kind, to):
        if str(kind) not in ("DOUBLE[]", "FLOAT[]"):
            raise QueryError(
                "NOT_SUPPORTED: The local Athena casts doubles within rows and maps to no other type"
            )
        element = exp.to_identifier("element")
        inner = exp.Cast(this=element, to=to.expressions[0].copy())
        whole = cast(inner, element, str(kind)[:-2]) or inner
        return call("list_transform", value, exp.Lambda(this=whole, expressions=[element.copy()]))
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


def _rounds_within(kind: str | None, to: Any) -> bool:
    """Return whether doubles within an array, map or row are cast to what DuckDB writes or rounds otherwise."""
    from sqlglot import exp

    nested = family(kind)
    if nested not in ("array", "map", "row") or not to.expressions:
        return False
    kinds = [str(kind)[:-2]] if nested == "array" else parts(str(kind))
    if str(kind).startswith("STRUCT"):
        kinds = [part.partition(" ")[2] for part in kinds]
    inner = [part.args["kind"] if isinstance(part, exp.ColumnDef) else part for part in to.expressions]
    return any(_leaf(one, other) for one, other in zip(kinds, inner, strict=False))


def _leaf(kind: str, to: Any) -> bool:
    from sqlglot import exp

    if kind in INEXACT:
        return bool(to.is_type(*exp.DataType.TEXT_TYPES, *exp.DataType.INTEGER_TYPES))
    return _rounds_within(kind, to)


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
