"""Pieces of SQL trees and errors, shared by what translates Athena's SQL."""

from __future__ import annotations

from typing import Any

from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_families import trino_name

Types = list[str | None]
"""Types of operands, None for one that is not known."""


def mismatch(reason: str) -> QueryError:
    """Return the error for operands that do not go together."""
    return QueryError(f"TYPE_MISMATCH: {reason}")


def no_function(name: str, kinds: Types, nodes: list[Any]) -> QueryError:
    """Return the error for a function that does not take these arguments."""
    given = ", ".join(trino_name(k, n) if k else "unknown" for k, n in zip(kinds, nodes, strict=True))
    return QueryError(f"FUNCTION_NOT_FOUND: Unexpected parameters ({given}) for function {name}")


def call(name: str, *arguments: Any) -> Any:
    from sqlglot import exp

    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def text(value: str) -> Any:
    from sqlglot import exp

    return exp.Literal.string(value)


def number(value: int) -> Any:
    from sqlglot import exp

    return exp.Literal.number(value)


def typed(value: Any, kind: str) -> Any:
    from sqlglot import exp

    cast = exp.Cast(this=value.copy(), to=exp.DataType.build(kind, dialect="duckdb"))
    cast.meta["written"] = True  # DuckDB's own cast, not one of the statement
    return cast
