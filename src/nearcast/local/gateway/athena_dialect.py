"""From Athena's SQL (Trino's) to DuckDB's, so that a statement means here what it means on AWS.

sqlglot translates; what it leaves different is in TRANSFORMS, and what neither can do is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.local.gateway.athena_errors import SYNTAX_ERROR, QueryError, position

if TYPE_CHECKING:
    from sqlglot import exp

UNNAMED = "_col"
MACROS = Path(__file__).with_name("athena_functions.sql")
FUNCTIONS = Path(__file__).with_name("athena_functions.txt")
Transform = Callable[[Any], Any]


@cache
def functions() -> frozenset[str]:
    """Return the names of Trino's functions: what DuckDB has beyond them does not exist on Athena."""
    return frozenset(FUNCTIONS.read_text().split())


def check(tree: exp.Expr, sql: str) -> None:
    """Refuse what sqlglot understands but Athena does not. Raises QueryError with Athena's reason."""
    from sqlglot import exp

    not_trino: dict[type[exp.Expr], str] = {exp.ILike: "ILIKE", exp.Qualify: "QUALIFY", exp.Pivot: "PIVOT"}
    for node in tree.walk():
        if type(node) in not_trino:
            raise QueryError(f"SYNTAX_ERROR: mismatched input '{not_trino[type(node)]}'")
        if isinstance(node, exp.Star) and (node.args.get("except_") or node.args.get("replace")):
            raise QueryError("SYNTAX_ERROR: mismatched input after '*'")
        if isinstance(node, (exp.AtTimeZone, exp.Typeof)):
            raise QueryError(f"NOT_SUPPORTED: {node.sql('athena')} is not supported by the local Athena")
        if isinstance(node, exp.Func) and "start" in node.meta:
            name = sql[node.meta["start"] : node.meta["end"] + 1]
            if name.isidentifier() and name.lower() not in functions():
                at = position(sql, node.meta["start"])
                raise QueryError(f"FUNCTION_NOT_FOUND: {at}Function '{name.lower()}' not registered")


def name_columns(tree: exp.Expr) -> None:
    """Give expressions without a name the one that Trino gives: ``_col`` and their place."""
    from sqlglot import exp

    for select in tree.find_all(exp.Select):
        named = [
            expression
            if isinstance(expression, (exp.Alias, exp.Column, exp.Star, exp.Dot, exp.Aliases))
            else exp.alias_(expression, f"{UNNAMED}{place}", quoted=True)
            for place, expression in enumerate(select.expressions)
        ]
        select.set("expressions", named)


def unnamed(tree: exp.Expr) -> int | None:
    """Return the place (from 1) of the first output column without a name, None when all have one."""
    from sqlglot import exp

    for place, expression in enumerate(tree.selects if isinstance(tree, exp.Query) else [], 1):
        if not isinstance(expression, (exp.Alias, exp.Column, exp.Star, exp.Dot)):
            return place
    return None


def to_duckdb(tree: exp.Expr) -> str:
    """Return DuckDB's SQL of a tree. Raises QueryError for what DuckDB has no equal to."""
    from sqlglot import ErrorLevel
    from sqlglot.errors import UnsupportedError

    table = transforms()

    def rewrite(node: Any) -> Any:
        transform = table.get(type(node).__name__)
        return transform(node) if transform else node

    try:
        translated: str = tree.transform(rewrite).sql("duckdb", unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise QueryError(f"NOT_SUPPORTED: by the local Athena: {error}", SYNTAX_ERROR) from error
    return translated


def transforms() -> dict[str, Transform]:
    """Return what replaces a node, by the name of its class."""
    return {
        "Div": lambda node: _call("trino_divide", node.this, node.expression),
        "Add": _interval_arithmetic("trino_plus"),
        "Sub": _interval_arithmetic("trino_minus"),
        "DateAdd": lambda node: _call("trino_plus", node.this, _interval(node)),
        "TimestampTrunc": lambda node: _call("trino_date_trunc", _text(node.args["unit"].name), node.this),
        "DateTrunc": lambda node: _call("trino_date_trunc", _text(node.args["unit"].name), node.this),
        "RegexpExtract": lambda node: _call(
            "trino_regexp_extract", node.this, node.expression, node.args.get("group") or _number(0)
        ),
        "RegexpReplace": _group_references,
        "SplitPart": lambda node: _call(
            "trino_split_part", node.this, node.args["delimiter"], node.args["part_index"]
        ),
        "ArraySlice": lambda node: _call("trino_slice", node.this, node.args["start"], node.args["end"]),
        "Format": lambda node: _call("printf", node.this, *node.expressions),
        "Extract": _iso_day_of_week,
        "Cast": _cast,
        "TryCast": _cast,
    }


def _call(name: str, *arguments: Any) -> Any:
    from sqlglot import exp

    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _text(value: str) -> Any:
    from sqlglot import exp

    return exp.Literal.string(value)


def _number(value: int) -> Any:
    from sqlglot import exp

    return exp.Literal.number(value)


def _interval(node: Any) -> Any:
    from sqlglot import exp

    amount = exp.Paren(this=node.expression.copy())
    return exp.Interval(this=amount, unit=exp.var(node.args["unit"].name))


def _interval_arithmetic(macro: str) -> Transform:
    def rewrite(node: Any) -> Any:
        from sqlglot import exp

        if isinstance(node.expression, exp.Interval) and not isinstance(node.this, exp.Interval):
            return _call(macro, node.this, node.expression)
        if isinstance(node.this, exp.Interval) and isinstance(node, exp.Add):
            return _call(macro, node.expression, node.this)
        return node

    return rewrite


def _group_references(node: Any) -> Any:
    """Write ``$1`` in a replacement as DuckDB's ``\\1``."""
    from sqlglot import exp

    replacement = node.args.get("replacement")
    if isinstance(replacement, exp.Literal):
        node.set("replacement", _text(re.sub(r"\$(\d)", r"\\\1", replacement.this)))
    return node


def _iso_day_of_week(node: Any) -> Any:
    """Count the days of the week from Monday, 1, to Sunday, 7."""
    from sqlglot import exp

    if node.name.upper() in ("DOW", "DAY_OF_WEEK", "DAYOFWEEK"):
        node.set("this", exp.var("ISODOW"))
    return node


def _cast(node: Any) -> Any:
    """Round doubles as Trino does; cut texts cast to varchar(n) at n characters (DuckDB ignores the length)."""
    from sqlglot import exp

    if node.to.is_type(*exp.DataType.INTEGER_TYPES) and not isinstance(node.this, exp.Literal):
        node.set("this", _call("trino_rounded", node.this))
    if node.to.is_type(*exp.DataType.TEXT_TYPES) and node.to.expressions:
        length = node.to.expressions[0].this
        node.to.set("expressions", [])
        return _call("left", node, length)
    return node
