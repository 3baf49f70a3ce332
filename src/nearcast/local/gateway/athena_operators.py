"""Operators, by the types of their operands: written for DuckDB, or refused as Trino does.

Decimals keep Trino's precision and scale, dates keep being dates. Functions are in athena_calls.
Sources: trino.io/docs/current/functions/decimal.html, …/language/types.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from nearcast.local.gateway import athena_calls
from nearcast.local.gateway.athena_build import Types, call, mismatch, no_function, number, typed
from nearcast.local.gateway.athena_calls import MOST_DIGITS, Rewrite, both_sides, this_side
from nearcast.local.gateway.athena_errors import QueryError, position
from nearcast.local.gateway.athena_families import (
    INEXACT,
    INTEGERS,
    NUMBER,
    TEXT,
    TIME,
    decimal,
    family,
    is_decimal,
    parts,
    together,
    trino_name,
)
from nearcast.local.gateway.athena_operands import Bind, Operands

if TYPE_CHECKING:
    from sqlglot import exp

SYMBOLS = {
    "EQ": "=",
    "NEQ": "<>",
    "GT": ">",
    "GTE": ">=",
    "LT": "<",
    "LTE": "<=",
    "Add": "+",
    "Sub": "-",
    "Mul": "*",
    "Div": "/",
    "Mod": "%",
    "NullSafeEQ": "IS NOT DISTINCT FROM",
    "NullSafeNEQ": "IS DISTINCT FROM",
}


def rewrite(tree: exp.Expr, bind: Bind, sql: str) -> exp.Expr:
    """Replace what depends on types, inner queries first. Raises QueryError for what Trino refuses.

    Parameters
    ----------
    tree
        A query, changed in place.
    bind
        Binds a SELECT on tables that have the types of the query's.
    sql
        The statement's text, for the places of mistakes.
    """
    from sqlglot import exp

    holder = exp.Paren(this=tree)
    table = rewrites()
    scopes: list[exp.Expr | None] = [*reversed(list(holder.find_all(exp.Select)))]
    for scope in [*scopes, None]:
        for source in _unnested(scope):
            for level in _levels(source, table):
                _rewrite_level(level, Operands(scope, bind, source), table, sql)
        operands = Operands(scope, bind)
        for level in _levels(scope or holder, table):
            _rewrite_level(level, operands, table, sql)
    for node in holder.find_all(exp.SetOperation):
        _check_sides(node, bind)
    whole: exp.Expr = holder.this
    return whole


def _unnested(scope: exp.Expr | None) -> list[exp.Expr]:
    """Return the UNNESTs among a SELECT's sources, in their order."""
    from sqlglot import exp

    if scope is None:
        return []
    from_ = scope.args.get("from_")
    sources = [source.this for source in [*([from_] if from_ else []), *(scope.args.get("joins") or [])]]
    return [source for source in sources if isinstance(source, exp.Unnest)]


def _check_sides(node: exp.SetOperation, bind: Bind) -> None:
    """Refuse a union of columns that have no common type."""
    from sqlglot import exp

    sides = [side.copy() for side in (node.this, node.expression)]
    try:
        kinds = [
            bind(exp.select("*").from_(exp.Subquery(this=side.unnest(), alias="side"))) for side in sides
        ]
    except QueryError:
        return  # on its own it cannot be bound (it names what is around it): DuckDB judges the whole
    for place, both in enumerate(zip(*kinds, strict=False), 1):
        if not together(*both):
            names = ", ".join(map(trino_name, both))
            raise mismatch(f"column {place} in {node.key.upper()} query has incompatible types: {names}")


def _rewrite_level(
    level: list[exp.Expr], operands: Operands, table: dict[str, tuple[Any, Rewrite]], sql: str
) -> None:
    found = [(node, table[type(node).__name__][0](node)) for node in level]
    kinds = operands.types([operand for _, given in found for operand in given])
    for node, given in found:
        own, kinds = kinds[: len(given)], kinds[len(given) :]
        try:
            replacement = table[type(node).__name__][1](node, given, own)
        except QueryError as error:
            raise _placed(error, node, sql) from None
        if replacement is not None and replacement is not node:
            node.replace(replacement)


def _placed(error: QueryError, node: exp.Expr, sql: str) -> QueryError:
    """Say where a mistake is: at the first name in it whose place is known."""
    from sqlglot import exp

    names = [n.this if isinstance(n, exp.Column) else n for n in node.find_all(exp.Column, exp.Func)]
    starts = [name.meta["start"] for name in names if "start" in name.meta]
    name, colon, reason = str(error).partition(": ")
    at = position(sql, min(starts)) if starts else ""
    return QueryError(f"{name}{colon}{at}{reason}", error.error_type, error.category)


def _levels(scope: exp.Expr, table: dict[str, Any]) -> Iterator[list[exp.Expr]]:
    """Yield the nodes to rewrite in a SELECT but not in those within it, those without others inside first."""
    from sqlglot import exp

    depths: dict[int, list[exp.Expr]] = {}

    def visit(node: exp.Expr) -> int:
        depth = 0
        for child in node.iter_expressions():
            if not isinstance(child, exp.Select):
                depth = max(depth, visit(child))
        if type(node).__name__ in table:
            depths.setdefault(depth, []).append(node)
            return depth + 1
        return depth

    visit(scope)
    for depth in sorted(depths):
        yield depths[depth]


def rewrites() -> dict[str, tuple[Callable[[Any], list[Any]], Rewrite]]:
    """Return, by the name of a node's class, which operands' types it depends on and what replaces it."""
    both = dict.fromkeys(("EQ", "NEQ", "GT", "GTE", "LT", "LTE"), (both_sides, _comparison))
    both |= dict.fromkeys(("NullSafeEQ", "NullSafeNEQ"), (both_sides, _comparison))
    logical = dict.fromkeys(("And", "Or"), (both_sides, _logical))
    return {
        **both,
        **logical,
        "Not": (this_side, _logical),
        "Where": (this_side, _where),
        "Having": (this_side, _where),
        "Between": (lambda node: [node.this, node.args["low"], node.args["high"]], _between),
        "In": (lambda node: [node.this, *node.expressions], _in),
        "Case": (_results, _common("All CASE results must be the same type or coercible to a common type")),
        "If": (_branches, _common("Result types for IF must be the same")),
        "Coalesce": (
            lambda node: [node.this, *node.expressions],
            _common("All COALESCE operands must be the same type or coercible to a common type"),
        ),
        "Array": (
            lambda node: node.expressions,
            _common("All ARRAY elements must be the same type or coercible to a common type"),
        ),
        "Values": (_values, _rows),
        "Add": (both_sides, _add),
        "Sub": (both_sides, _subtract),
        "Mul": (both_sides, _multiply),
        "Div": (both_sides, _divide),
        "Mod": (both_sides, _modulo),
        "Neg": (this_side, _negate),
        "DPipe": (both_sides, _concatenate),
        "Concat": (lambda node: node.expressions, _texts_only),
        **athena_calls.rewrites(),
    }


def _results(node: Any) -> list[Any]:
    return [*(branch.args["true"] for branch in node.args["ifs"]), *filter(None, [node.args.get("default")])]


def _branches(node: Any) -> list[Any]:
    from sqlglot import exp

    if isinstance(node.parent, exp.Case):
        return []
    return [node.args["true"], *filter(None, [node.args.get("false")])]


def _values(node: Any) -> list[Any]:
    from sqlglot import exp

    rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions]
    return [value for row in rows for value in row]


def _refuse(node: Any, given: list[Any], kinds: Types) -> QueryError:
    names = [trino_name(k, n) if k else "unknown" for k, n in zip(kinds, given, strict=True)]
    return mismatch(f"Cannot apply operator: {names[0]} {SYMBOLS[type(node).__name__]} {names[1]}")


def _comparison(node: Any, given: list[Any], kinds: Types) -> Any:
    from sqlglot import exp

    if isinstance(node.expression, exp.Query) or isinstance(node.this, exp.Query):
        return None
    if not together(*kinds):
        raise _refuse(node, given, kinds)
    if kinds == ["JSON", "JSON"]:
        raise QueryError("NOT_SUPPORTED: The local Athena does not compare JSON: compare json_format of it")
    return None


def _logical(node: Any, given: list[Any], kinds: Types) -> Any:
    for operand, kind in zip(given, kinds, strict=True):
        if family(kind) not in (None, "null", "BOOLEAN"):
            raise mismatch(
                f"Logical expression term must evaluate to a boolean (actual: {trino_name(str(kind), operand)})"
            )


def _where(node: Any, given: list[Any], kinds: Types) -> Any:
    clause = type(node).__name__.upper()
    if family(kinds[0]) not in (None, "null", "BOOLEAN"):
        raise mismatch(
            f"{clause} clause must evaluate to a boolean: actual type {trino_name(str(kinds[0]), given[0])}"
        )


def _between(node: Any, given: list[Any], kinds: Types) -> Any:
    if not together(*kinds):
        value, low, high = (trino_name(k, n) if k else "unknown" for k, n in zip(kinds, given, strict=True))
        raise mismatch(f"Cannot check if {value} is BETWEEN {low} and {high}")


def _in(node: Any, given: list[Any], kinds: Types) -> Any:
    if node.args.get("query") is None and not together(*kinds):
        name = trino_name(kinds[0], given[0]) if kinds[0] else "unknown"
        raise mismatch(f"IN value and list items must be the same type or coercible to a common type: {name}")


def _common(reason: str) -> Rewrite:
    def check(node: Any, given: list[Any], kinds: Types) -> Any:
        if not together(*kinds):
            names = [trino_name(k, n) for k, n in zip(kinds, given, strict=True) if k]
            raise mismatch(f"{reason}: {' vs '.join(dict.fromkeys(names))}")

    return check


def _rows(node: Any, given: list[Any], kinds: Types) -> Any:
    width = len(given) // len(node.expressions)
    alias = node.args.get("alias")
    columns = len(alias.columns) if alias else 0
    if width == 1 and family(kinds[0]) == "row" and not node.expressions[0].meta.get("row"):
        width_of_row = len(parts(str(kinds[0])))
        if columns and columns != width_of_row:
            raise _mismatched(columns, width_of_row)
        raise QueryError(
            "NOT_SUPPORTED: The local Athena does not take rows apart in VALUES: write their fields"
        )
    if columns and columns != width:
        raise _mismatched(columns, width)
    for column in range(width):
        if not together(*kinds[column::width]):
            names = [f"row({trino_name(k)})" for k in kinds[column::width] if k]
            raise mismatch(f"Values rows have mismatched types: {' vs '.join(dict.fromkeys(names))}")


def _mismatched(names: int, columns: int) -> QueryError:
    return QueryError(
        f"MISMATCHED_COLUMN_ALIASES: Column alias list has {names} entries but the relation has {columns} columns"
    )


def _arithmetic(node: Any, given: list[Any], kinds: Types) -> None:
    """Refuse texts and booleans in arithmetic, and numbers beside dates."""
    families = {family(kind) for kind in kinds} - {None, "null"}
    if families & {TEXT, "BOOLEAN", "BLOB", "array", "map", "row", "JSON"} or families == {NUMBER, TIME}:
        raise _refuse(node, given, kinds)


def _add(node: Any, given: list[Any], kinds: Types) -> Any:
    _arithmetic(node, given, kinds)
    left, right = given
    if kinds[1] == "INTERVAL" and kinds[0] != "INTERVAL":
        return _shifted("trino_plus", left, right, kinds[0])
    if kinds[0] == "INTERVAL" and kinds[1] != "INTERVAL":
        return _shifted("trino_plus", right, left, kinds[1])
    return _exact(node, kinds)


def _sizes(kinds: Types) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return precision and scale of two exact numbers of which one is a decimal, None for others."""
    left, right = (decimal(kind) for kind in kinds)
    return (left, right) if left and right and any(map(is_decimal, kinds)) else None


def _exact(node: Any, kinds: Types) -> Any:
    """Give a sum, difference or product of decimals Trino's precision and scale.

    DuckDB gives 18 digits to what has no more so far, where Trino goes on to 38.
    """
    sizes = _sizes(kinds)
    if not sizes:
        return None
    (p1, s1), (p2, s2) = sizes
    product = type(node).__name__ == "Mul"
    scale = s1 + s2 if product else max(s1, s2)
    whole = p1 + p2 - scale if product else max(p1 - s1, p2 - s2) + 1
    if scale > MOST_DIGITS:
        raise QueryError(
            f"INVALID_FUNCTION_ARGUMENT: DECIMAL scale must be in range [0, precision ({MOST_DIGITS})]"
        )
    precision = min(MOST_DIGITS, whole + scale)
    node.set("this", typed(node.this, f"DECIMAL({precision},{s1 if product else scale})"))
    return typed(node, f"DECIMAL({precision},{scale})")


def _subtract(node: Any, given: list[Any], kinds: Types) -> Any:
    _arithmetic(node, given, kinds)
    left, right = given
    if kinds[1] == "INTERVAL" and kinds[0] != "INTERVAL":
        return _shifted("trino_minus", left, right, kinds[0])
    if kinds == ["DATE", "DATE"]:
        return call("to_days", typed(node, "INTEGER"))
    if None in kinds:
        return call("trino_difference", left, right)
    return _exact(node, kinds)


def _shifted(macro: str, moment: Any, interval: Any, kind: str | None) -> Any:
    """Move a date, which stays one, or a time."""
    if kind in ("DATE", None):
        return call(f"{macro}_date" if kind else macro, moment, interval)
    return None


def _multiply(node: Any, given: list[Any], kinds: Types) -> Any:
    _arithmetic(node, given, kinds)
    return _exact(node, kinds)


def _divide(node: Any, given: list[Any], kinds: Types) -> Any:
    from sqlglot import exp

    _arithmetic(node, given, kinds)
    left, right = given
    if kinds[0] == "INTERVAL":
        return call("trino_divide_doubles", left, right)
    if any(kind in INEXACT for kind in kinds) and None not in kinds:
        return call("trino_divide_doubles", left, right)
    if all(kind in INTEGERS for kind in kinds):
        return call("trino_divide_whole", left, right)
    sizes = _sizes(kinds)
    if sizes:
        (p1, s1), (_, s2) = sizes
        precision = min(MOST_DIGITS, p1 + s2 + max(s2 - s1, 0))
        scale = max(s1, s2)
        quotient = call("trino_divide_decimals", left, right, number(s1), number(s2), number(scale))
        return exp.Paren(this=typed(quotient, f"DECIMAL({precision},{scale})"))
    return call("trino_divide", left, right)


def _modulo(node: Any, given: list[Any], kinds: Types) -> Any:
    _arithmetic(node, given, kinds)
    sizes = _sizes(kinds)
    if sizes:
        (p1, s1), (p2, s2) = sizes
        scale = max(s1, s2)
        precision = min(p1 - s1, p2 - s2) + scale
        whole = typed(call("trino_modulo", *given), f"DECIMAL({MOST_DIGITS},{scale})")
        return typed(whole, f"DECIMAL({max(precision, 1)},{scale})")
    return call("trino_modulo", *given)


def _negate(node: Any, given: list[Any], kinds: Types) -> Any:
    if family(kinds[0]) in (TEXT, "BOOLEAN", TIME):
        raise mismatch(f"Cannot negate {trino_name(str(kinds[0]), given[0])}")


def _concatenate(node: Any, given: list[Any], kinds: Types) -> Any:
    families = [family(kind) for kind in kinds]
    if families[0] == "array" and families[1] not in ("array", "null", None):
        return call("list_append", *given)
    if families[1] == "array" and families[0] not in ("array", "null", None):
        return call("list_prepend", *given)
    return _texts_only(node, given, kinds)


def _texts_only(node: Any, given: list[Any], kinds: Types) -> Any:
    families = {family(kind) for kind in kinds} - {None, "null"}
    if families - {TEXT, "BLOB", "array"} or len(families) > 1:
        raise no_function("concat", kinds, given)
