"""Literals and their types, as they are written: what sqlglot's tree no longer says is read from the statement.

Source: trino.io/docs/current/language/types.html
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

from nearcast.local.gateway.athena_errors import QueryError

if TYPE_CHECKING:
    from sqlglot import exp

UNNAMED = "_col"
TYPED = r"\b{kind}\s*'{text}'"
"""How a literal with a type is written: ``DATE '2020-01-02'``. sqlglot makes the same of it as of a cast."""
MOMENT = r"\d+-\d{1,2}-\d{1,2}(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:\s*[+-]\d{2}:?\d{2}| \w[\w/+-]*)?"


def literals(tree: exp.Expr, sql: str) -> exp.Expr:
    """Give typed literals their types and check them; a list of rows alone becomes a query of it.

    Raises
    ------
    QueryError
        A literal is not one of its type (INVALID_LITERAL).
    """
    from sqlglot import exp
    from sqlglot.expressions.builders import apply_index_offset

    if isinstance(tree, exp.Values):
        first = tree.expressions[0]
        width = len(first.expressions) if isinstance(first, exp.Tuple) else 1
        names = exp.TableAlias(
            this=exp.to_identifier("t"), columns=[exp.to_identifier(f"{UNNAMED}{n}") for n in range(width)]
        )
        tree.set("alias", names)
        tree = exp.select("*").from_(tree, copy=False)
    node: Any
    for node in list(tree.find_all(exp.Bracket)):
        if node.args.get("offset") != 1:  # sqlglot counts from 0
            node.set("expressions", apply_index_offset(node.this, node.expressions, 1, dialect="duckdb"))
            node.set("offset", 1)
    for node in list(tree.find_all(exp.Values)):
        for row in list(node.expressions):
            inner = row.expressions[0] if isinstance(row, exp.Tuple) and len(row.expressions) == 1 else row
            if isinstance(inner, exp.Struct):
                fields = exp.Tuple(expressions=inner.expressions)
                fields.meta["row"] = True
                row.replace(fields)
    for node in list(tree.find_all(exp.Typeof)):
        if isinstance(node.this, exp.Cast):
            _keep_type(node)
    for node in list(tree.find_all(exp.JSONValue, exp.JSONExists, exp.Anonymous)):
        if node.name.lower().startswith("json_") or not isinstance(node, exp.Anonymous):
            for path in list(node.find_all(exp.Literal)):
                if path.is_string and path.this.startswith(("lax ", "strict ")):
                    _json_mode(path)
    for node in list(tree.find_all(exp.Cast)):
        if isinstance(node.this, exp.Literal) and node.this.is_string:
            _literal(node, node.this.this, sql)
    for node in list(tree.find_all(exp.Anonymous)):
        if node.name.lower() == "at_timezone" and len(node.expressions) == 2:
            node.replace(exp.AtTimeZone(this=node.expressions[0], zone=node.expressions[1]))
    return tree


def _keep_type(node: Any) -> None:
    """Note the type that is asked for: a text's length and a time's precision are lost on DuckDB's way."""
    name = re.sub(r"decimal\((\d+), (\d+)\)", r"decimal(\1,\2)", node.this.to.sql("trino").lower())
    if re.search(r"decimal(?!\()", name):
        return
    node.meta["type"] = re.sub(r"\b(timestamp|time)\b(?!\()", r"\1(3)", name)


def _json_mode(path: Any) -> None:
    mode, _, rest = path.this.partition(" ")
    if mode == "strict" or not re.fullmatch(r"\$(?:\.\w+|\[\d+\])*", rest.strip()):
        raise QueryError(f"NOT_SUPPORTED: The JSON path '{path.this}' is not supported by the local Athena")
    path.set("this", rest.strip())


def _literal(node: Any, text: str, sql: str) -> None:
    kind = "TIMESTAMP" if node.to.this.name.startswith("TIMESTAMP") else node.to.this.name
    written = re.search(TYPED.format(kind=kind, text=re.escape(text.replace("'", "''"))), sql, re.IGNORECASE)
    if not written:
        return
    if kind == "DECIMAL":
        whole, _, fraction = text.strip().lstrip("+-").partition(".")
        size = max(len(whole.lstrip("0")) + len(fraction), 1)
        node.set("to", exp_type(f"DECIMAL({size}, {len(fraction)})"))
    if kind == "TIMESTAMP" and not re.fullmatch(MOMENT, text.strip()):
        raise QueryError(f"INVALID_LITERAL: '{text}' is not a valid TIMESTAMP literal")
    zone = re.search(r"(?:(?<=:\d\d)|(?<=\.\d{3})|\s)\s*([+-]\d\d:?\d\d|[A-Za-z][\w/+-]*)$", text.strip())
    if kind == "TIMESTAMP" and zone and zone[1].upper() not in ("UTC", "Z", "+00:00"):
        raise QueryError("NOT_SUPPORTED: The local Athena's timestamps with time zone are all in UTC")
    if kind == "DATE":
        try:
            date.fromisoformat(text.strip())
        except ValueError as error:
            raise QueryError(f"INVALID_LITERAL: '{text}' is not a valid DATE literal") from error


def exp_type(name: str) -> Any:
    """Return a type of Trino's."""
    from sqlglot import exp

    return exp.DataType.build(name, dialect="trino")
