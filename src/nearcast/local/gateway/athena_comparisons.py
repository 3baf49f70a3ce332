"""Comparisons that Athena refuses and DuckDB would make by casting: ``year = 2014`` on a text column.

Only a table's column against a literal is judged; what is not known is left to DuckDB.
Source: trino.io/docs/current/language/types.html (Trino casts no text implicitly).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nearcast.local.gateway.athena_errors import QueryError, position

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

TRINO = {"string": "varchar", "int": "integer", "float": "real", "binary": "varbinary"}
NUMBERS = ("tinyint", "smallint", "integer", "bigint", "real", "double", "decimal")
TIMES = ("date", "timestamp")
FAMILIES = {
    "varchar": "text",
    "char": "text",
    **dict.fromkeys(NUMBERS, "number"),
    **dict.fromkeys(TIMES, "time"),
}
OPERATORS = {"EQ": "=", "NEQ": "<>", "GT": ">", "GTE": ">=", "LT": "<", "LTE": "<="}


def check(scope: Scope, tables: dict[str, Any], sql: str) -> None:
    """Refuse comparisons of different kinds in one SELECT. Raises QueryError (TYPE_MISMATCH).

    Parameters
    ----------
    scope
        The SELECT.
    tables
        Its tables, by the name they have in it.
    sql
        The statement's text, for the place of the mistake.
    """
    from sqlglot import exp

    sources = len(scope.selected_sources)
    for node in scope.find_all(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In):
        left = _type(node.this, tables, sources)
        for other in _others(node):
            right = _type(other, tables, sources)
            if left and right and _family(left) != _family(right):
                at = position(sql, next((c.this.meta.get("start") for c in node.find_all(exp.Column)), None))
                raise QueryError(f"TYPE_MISMATCH: {at}{_reason(node, left, right)}")


def _others(node: Any) -> list[exp.Expr]:
    from sqlglot import exp

    if isinstance(node, exp.Between):
        return [node.args["low"], node.args["high"]]
    return list(node.expressions) if isinstance(node, exp.In) else [node.expression]


def _reason(node: Any, left: str, right: str) -> str:
    from sqlglot import exp

    if isinstance(node, exp.In):
        return f"IN value and list items must be the same type: {left}"
    if isinstance(node, exp.Between):
        return f"Cannot check if {left} is BETWEEN {right} and {right}"
    return f"Cannot apply operator: {left} {OPERATORS[type(node).__name__]} {right}"


def _type(node: exp.Expr, tables: dict[str, Any], sources: int) -> str | None:
    """Return Trino's type of a column or a literal, None when it is not known."""
    from sqlglot import exp

    if isinstance(node, exp.Column):
        found = [
            {**table.columns, **table.keys}[node.name.lower()]
            for name, table in tables.items()
            if node.table in ("", name) and node.name.lower() in {**table.columns, **table.keys}
        ]
        known = len(found) == 1 and (node.table or sources == 1)
        return TRINO.get(found[0], found[0]) if known else None
    if isinstance(node, exp.Literal):
        if node.is_string:
            return f"varchar({len(node.this)})"
        return "integer" if node.is_int else "decimal"
    if isinstance(node, (exp.Neg, exp.Paren)):
        return _type(node.this, tables, sources)
    return None


def _family(kind: str) -> str:
    name = re.split(r"[(<]", kind)[0]
    return FAMILIES.get(name, name)
