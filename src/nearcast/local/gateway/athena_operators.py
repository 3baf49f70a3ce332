"""Operators and functions whose meaning depends on the types of their operands, written for DuckDB.

Decimals keep Trino's precision and scale, dates keep being dates, and what Trino refuses is refused.
Sources: trino.io/docs/current/functions.html, …/functions/decimal.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

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

Types = list[str | None]
Rewrite = Callable[[Any, list[Any], Types], Any]
"""From a node, its operands and their types to what replaces it; None leaves it."""
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
PATTERN_PIECE = re.compile(r"%(?:%|n|([-#+ 0,(]*\d*(?:\.\d+)?)([a-zA-Z]))")
"""A piece of Java's format strings that printf understands too."""
DATE_UNITS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
TIME_UNITS = ("MILLISECOND", "SECOND", "MINUTE", "HOUR")
MOST_DIGITS = 38


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
    both = dict.fromkeys(("EQ", "NEQ", "GT", "GTE", "LT", "LTE"), (_both, _comparison))
    both |= dict.fromkeys(("NullSafeEQ", "NullSafeNEQ"), (_both, _comparison))
    logical = dict.fromkeys(("And", "Or"), (_both, _logical))
    return {
        **both,
        **logical,
        "Not": (_this, _logical),
        "Where": (_this, _where),
        "Having": (_this, _where),
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
        "Add": (_both, _add),
        "Sub": (_both, _subtract),
        "Mul": (_both, _multiply),
        "Div": (_both, _divide),
        "Mod": (_both, _modulo),
        "Neg": (_this, _negate),
        "DPipe": (_both, _concatenate),
        "Concat": (lambda node: node.expressions, _texts_only),
        "Avg": (_argument, _average),
        "Sum": (_argument, _sum),
        "Round": (_this, _round),
        "Trunc": (_this, _truncate),
        "Sign": (_this, _sign),
        "Typeof": (_this, _typeof),
        "Cast": (_this, _cast),
        "TryCast": (_this, _cast),
        "Bracket": (lambda node: [node.this, *node.expressions], _subscript),
        "DateAdd": (_both, _date_add),
        "DateDiff": (_both, _date_diff),
        "TimestampTrunc": (_this, _date_trunc),
        "DateTrunc": (_this, _date_trunc),
        "GenerateSeries": (lambda node: [node.args["start"], node.args["end"]], _sequence),
        "ArraySize": (_this, _cardinality),
        "Reverse": (_this, _by_family("reverse", {"array": "list_reverse", "BLOB": "trino_reverse_bytes"})),
        "Repeat": (_this, _repeat),
        "Length": (_this, _by_family("length", {"BLOB": "octet_length"}, {TEXT, "BLOB"})),
        "Substring": (_this, _substring),
        "Hour": (_this, _by_family("hour", {"INTERVAL": "trino_interval_hour"}, {TIME, "TIME", "INTERVAL"})),
        "ApproxQuantile": (_this, _percentile),
        **{name: (_this, _by_family(name.lower(), {}, {TEXT})) for name in ("Upper", "Lower", "Trim")},
        **{
            name: (_this, _by_family(name.lower(), {}, {NUMBER}))
            for name in ("Abs", "Sqrt", "Cbrt", "Ln", "Exp")
        },
        **{
            name: (_this, _by_family(name.lower(), {}, {TIME, "INTERVAL"}))
            for name in ("Year", "Month", "Day", "Quarter", "Week")
        },
        "MD5Digest": (_this, _by_family("md5", {}, {"BLOB"})),
        "Format": (lambda node: node.expressions, _format),
        "AtTimeZone": (_this, _at_time_zone),
        "Unnest": (lambda node: node.expressions, _unnest),
    }


def _both(node: Any) -> list[Any]:
    return [node.this, node.expression]


def _this(node: Any) -> list[Any]:
    return [node.this]


def _argument(node: Any) -> list[Any]:
    """Return what an aggregate runs over, without its DISTINCT."""
    from sqlglot import exp

    return list(node.this.expressions[:1]) if isinstance(node.this, exp.Distinct) else [node.this]


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


def mismatch(reason: str) -> QueryError:
    """Return the error for operands that do not go together."""
    return QueryError(f"TYPE_MISMATCH: {reason}")


def no_function(name: str, kinds: Types, nodes: list[Any]) -> QueryError:
    """Return the error for a function that does not take these arguments."""
    given = ", ".join(trino_name(k, n) if k else "unknown" for k, n in zip(kinds, nodes, strict=True))
    return QueryError(f"FUNCTION_NOT_FOUND: Unexpected parameters ({given}) for function {name}")


def _call(name: str, *arguments: Any) -> Any:
    from sqlglot import exp

    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _text(value: str) -> Any:
    from sqlglot import exp

    return exp.Literal.string(value)


def _number(value: int) -> Any:
    from sqlglot import exp

    return exp.Literal.number(value)


def _as(value: Any, kind: str) -> Any:
    from sqlglot import exp

    cast = exp.Cast(this=value.copy(), to=exp.DataType.build(kind, dialect="duckdb"))
    cast.meta["written"] = True  # DuckDB's own cast, not one of the statement
    return cast


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
    node.set("this", _as(node.this, f"DECIMAL({precision},{s1 if product else scale})"))
    return _as(node, f"DECIMAL({precision},{scale})")


def _subtract(node: Any, given: list[Any], kinds: Types) -> Any:
    _arithmetic(node, given, kinds)
    left, right = given
    if kinds[1] == "INTERVAL" and kinds[0] != "INTERVAL":
        return _shifted("trino_minus", left, right, kinds[0])
    if kinds == ["DATE", "DATE"]:
        return _call("to_days", _as(node, "INTEGER"))
    if None in kinds:
        return _call("trino_difference", left, right)
    return _exact(node, kinds)


def _shifted(macro: str, moment: Any, interval: Any, kind: str | None) -> Any:
    """Move a date, which stays one, or a time."""
    if kind in ("DATE", None):
        return _call(f"{macro}_date" if kind else macro, moment, interval)
    return None


def _multiply(node: Any, given: list[Any], kinds: Types) -> Any:
    _arithmetic(node, given, kinds)
    return _exact(node, kinds)


def _divide(node: Any, given: list[Any], kinds: Types) -> Any:
    from sqlglot import exp

    _arithmetic(node, given, kinds)
    left, right = given
    if kinds[0] == "INTERVAL":
        return _call("trino_divide_doubles", left, right)
    if any(kind in INEXACT for kind in kinds) and None not in kinds:
        return _call("trino_divide_doubles", left, right)
    if all(kind in INTEGERS for kind in kinds):
        return _call("trino_divide_whole", left, right)
    sizes = _sizes(kinds)
    if sizes:
        (p1, s1), (_, s2) = sizes
        precision = min(MOST_DIGITS, p1 + s2 + max(s2 - s1, 0))
        scale = max(s1, s2)
        quotient = _call("trino_divide_decimals", left, right, _number(s1), _number(s2), _number(scale))
        return exp.Paren(this=_as(quotient, f"DECIMAL({precision},{scale})"))
    return _call("trino_divide", left, right)


def _modulo(node: Any, given: list[Any], kinds: Types) -> Any:
    _arithmetic(node, given, kinds)
    sizes = _sizes(kinds)
    if sizes:
        (p1, s1), (p2, s2) = sizes
        scale = max(s1, s2)
        precision = min(p1 - s1, p2 - s2) + scale
        whole = _as(_call("trino_modulo", *given), f"DECIMAL({MOST_DIGITS},{scale})")
        return _as(whole, f"DECIMAL({max(precision, 1)},{scale})")
    return _call("trino_modulo", *given)


def _negate(node: Any, given: list[Any], kinds: Types) -> Any:
    if family(kinds[0]) in (TEXT, "BOOLEAN", TIME):
        raise mismatch(f"Cannot negate {trino_name(str(kinds[0]), given[0])}")


def _concatenate(node: Any, given: list[Any], kinds: Types) -> Any:
    families = [family(kind) for kind in kinds]
    if families[0] == "array" and families[1] not in ("array", "null", None):
        return _call("list_append", *given)
    if families[1] == "array" and families[0] not in ("array", "null", None):
        return _call("list_prepend", *given)
    return _texts_only(node, given, kinds)


def _texts_only(node: Any, given: list[Any], kinds: Types) -> Any:
    families = {family(kind) for kind in kinds} - {None, "null"}
    if families - {TEXT, "BLOB", "array"} or len(families) > 1:
        raise no_function("concat", kinds, given)


def _average(node: Any, given: list[Any], kinds: Types) -> Any:
    kind = kinds[0]
    if family(kind) in (TEXT, "BOOLEAN", TIME):
        raise no_function("avg", kinds, given)
    if kind == "FLOAT":
        return _around(node, lambda mean: _as(mean, "FLOAT"))
    if is_decimal(kind):
        from sqlglot import exp

        _, scale = decimal(kind) or (0, 0)
        total, count = exp.Sum(this=node.this.copy()), exp.Count(this=node.this.copy(), big_int=True)
        both = [_around_part(node, part) for part in (total, count)]
        mean = _call("trino_divide_decimals", *both, _number(scale), _number(0), _number(scale))
        outer = _outermost(node)
        replacement = _as(
            exp.Case(ifs=[exp.If(this=exp.GT(this=both[1].copy(), expression=_number(0)), true=mean)]),
            str(kind),
        )
        if outer is node:
            return replacement
        outer.replace(replacement)
    return None


def _outermost(node: Any) -> Any:
    """Return an aggregate with its FILTER and its window."""
    from sqlglot import exp

    while isinstance(node.parent, (exp.Filter, exp.Window)) and node.parent.this is node:
        node = node.parent
    return node


def _around_part(node: Any, part: Any) -> Any:
    """Return another aggregate in the place of one, with the same FILTER and window."""
    from sqlglot import exp

    while isinstance(node.parent, (exp.Filter, exp.Window)) and node.parent.this is node:
        node = node.parent
        whole = node.copy()
        whole.set("this", part)
        part = whole
    return part


def _around(node: Any, change: Callable[[Any], Any]) -> Any:
    """Change an aggregate's result: outside its FILTER and window."""
    outer = _outermost(node)
    if outer is node:
        return change(node)
    outer.replace(change(outer))
    return None


def _sum(node: Any, given: list[Any], kinds: Types) -> Any:
    if family(kinds[0]) in (TEXT, "BOOLEAN", TIME):
        raise no_function("sum", kinds, given)
    if kinds[0] == "FLOAT":
        return _around(node, lambda total: _as(total, "FLOAT"))
    if kinds[0] in INTEGERS:
        return _around(node, lambda total: _as(total, "BIGINT"))
    if kinds[0] == "INTERVAL":
        given[0].replace(_call("trino_milliseconds", given[0]))
        return _around(node, lambda total: _call("trino_from_milliseconds", total))
    return None


def _round(node: Any, given: list[Any], kinds: Types) -> Any:
    if is_decimal(kinds[0]) and node.args.get("decimals") is not None:
        precision, scale = decimal(kinds[0]) or (0, 0)
        return _as(node, f"DECIMAL({min(precision + 1, MOST_DIGITS)},{scale})")
    if family(kinds[0]) in (TEXT, TIME):
        raise no_function("round", kinds, given)
    return None


def _truncate(node: Any, given: list[Any], kinds: Types) -> Any:
    if is_decimal(kinds[0]) and node.args.get("decimals") is None:
        precision, scale = decimal(kinds[0]) or (0, 0)
        return _as(node, f"DECIMAL({max(precision - scale, 1)},0)")
    if kinds[0] in INEXACT and node.args.get("decimals") is not None:
        raise no_function("truncate", [*kinds, "INTEGER"], [*given, node.args["decimals"]])
    return None


def _sign(node: Any, given: list[Any], kinds: Types) -> Any:
    if is_decimal(kinds[0]):
        return _as(node, "DECIMAL(1,0)")
    return _as(node, kinds[0]) if kinds[0] in (*INTEGERS, *INEXACT) else None


def _typeof(node: Any, given: list[Any], kinds: Types) -> Any:
    from sqlglot import exp

    (operand,), (kind,) = given, kinds
    name: str | None = node.meta.get("type")
    unsure = kind == "INTERVAL" and not isinstance(operand, (exp.Interval, exp.Anonymous))
    if name is None and kind is not None and not unsure and (kind != "VARCHAR" or _length_is_known(operand)):
        name = trino_name(kind, operand)
    if name is None:
        raise QueryError(
            f"NOT_SUPPORTED: the type of {operand.sql('athena')} is not known to the local Athena"
        )
    if operand.find(exp.AggFunc):
        empty = exp.Is(this=exp.Paren(this=operand.copy()), expression=exp.null())
        return exp.Case(ifs=[exp.If(this=empty, true=_text(name))], default=_text(name))
    return _text(name)


def _length_is_known(operand: Any) -> bool:
    """Return whether Trino's type of a text is known: a literal has its length, these others have none."""
    from sqlglot import exp

    if isinstance(operand, exp.Column):
        select = operand.find_ancestor(exp.Select)
        joins = select.args.get("joins") or [] if select else []
        from_ = select.args.get("from_") if select else None
        sources = [from_.this] if from_ else []
        return bool(sources) and all(isinstance(s, exp.Table) for s in [*sources, *(j.this for j in joins)])
    return isinstance(operand, (exp.Literal, exp.Concat, exp.DPipe))


def _cast(node: Any, given: list[Any], kinds: Types) -> Any:
    if node.meta.get("written"):
        return None
    from nearcast.local.gateway.athena_casts import cast

    return cast(node, given[0], kinds[0])


def _subscript(node: Any, given: list[Any], kinds: Types) -> Any:
    kind, index = kinds[0], node.expressions[0]
    safe = bool(node.args.get("safe"))
    if family(kind) == "array":
        if family(kinds[1]) not in (None, NUMBER, "null"):
            raise mismatch(
                f"Cannot use {trino_name(str(kinds[1]), given[1])} for subscript of {trino_name(str(kind))}"
            )
        return _call("trino_element_at" if safe else "trino_subscript", node.this, index)
    if family(kind) == "map":
        return _call("trino_map_element" if safe else "trino_map_subscript", node.this, index)
    if family(kind) == "row":
        return _call("struct_extract_at", node.this, index)
    return None


def _interval(node: Any) -> Any:
    from sqlglot import exp

    amount = exp.Paren(this=node.expression.copy())
    return exp.Interval(this=amount, unit=exp.var(node.args["unit"].name))


def _unit(node: Any, kind: str | None) -> str:
    """Return a function's unit. Raises QueryError when the type has none like it."""
    unit: str = node.args["unit"].name.upper()
    known = DATE_UNITS if kind == "DATE" else TIME_UNITS if kind == "TIME" else (*DATE_UNITS, *TIME_UNITS)
    if unit not in known:
        shown = trino_name(kind).partition("(")[0].upper() if kind else "TIMESTAMP"
        raise QueryError(f"INVALID_FUNCTION_ARGUMENT: '{unit.lower()}' is not a valid {shown} field")
    return unit


def _date_add(node: Any, given: list[Any], kinds: Types) -> Any:
    if family(kinds[0]) not in (TIME, "TIME", None, "null"):
        raise no_function("date_add", ["VARCHAR", kinds[1], kinds[0]], [None, given[1], given[0]])
    _unit(node, kinds[0])
    if kinds[0] == "DATE":
        return _call("trino_plus_date", node.this, _interval(node))
    return _call("trino_plus", node.this, _interval(node))


def _date_diff(node: Any, given: list[Any], kinds: Types) -> Any:
    if any(family(kind) not in (TIME, "TIME", None, "null") for kind in kinds):
        raise no_function("date_diff", ["VARCHAR", kinds[1], kinds[0]], [None, given[1], given[0]])
    unit = _unit(node, kinds[0])
    return _call("date_sub", _text(unit.lower()), node.expression, node.this)


def _date_trunc(node: Any, given: list[Any], kinds: Types) -> Any:
    if family(kinds[0]) not in (TIME, "TIME", None, "null"):
        raise no_function("date_trunc", ["VARCHAR", kinds[0]], [None, given[0]])
    unit = _text(_unit(node, kinds[0]).lower())
    if kinds[0] == "TIME":
        return _call("trino_trunc_time", unit, node.this)
    return _call("trino_date_trunc", unit, node.this)


def _sequence(node: Any, given: list[Any], kinds: Types) -> Any:
    start, end, step = node.args["start"], node.args["end"], node.args.get("step")
    if kinds[0] in INTEGERS and (step is None or kinds[1] in INTEGERS):
        return _call("trino_sequence", *(value for value in (start, end, step) if value is not None))
    if family(kinds[0]) != TIME:
        return None
    from sqlglot import exp

    by = step or exp.Interval(this=_text("1"), unit=exp.var("DAY"))
    moments = _call("trino_sequence_of_times", start, end, by)
    return _as(moments, f"{kinds[0]}[]")


def _cardinality(node: Any, given: list[Any], kinds: Types) -> Any:
    return _call("trino_cardinality_of_map" if family(kinds[0]) == "map" else "trino_cardinality", node.this)


def _repeat(node: Any, given: list[Any], kinds: Types) -> Any:
    return _call("trino_repeat", node.this, node.args["times"])


def _substring(node: Any, given: list[Any], kinds: Types) -> Any:
    places = [value for value in (node.args.get("start"), node.args.get("length")) if value is not None]
    if family(kinds[0]) not in (TEXT, "BLOB", "null", None) or not places:
        raise no_function("substr", kinds, given)
    return _call("trino_substr_bytes" if kinds[0] == "BLOB" else "trino_substr", node.this, *places)


def _percentile(node: Any, given: list[Any], kinds: Types) -> Any:
    if kinds[0] in INTEGERS:
        node.set("this", _as(given[0], "BIGINT"))


def _by_family(name: str, calls: dict[str, str], allowed: set[str] | None = None) -> Rewrite:
    """Return a rewrite that calls another function for a family and refuses those that are not allowed."""

    def choose(node: Any, given: list[Any], kinds: Types) -> Any:
        found = family(kinds[0])
        if allowed is not None and found not in (*allowed, None, "null"):
            raise no_function(name, kinds, given)
        return _call(calls[found], given[0]) if found in calls else None

    return choose


def _format(node: Any, given: list[Any], kinds: Types) -> Any:
    """Write a text by a pattern of Java's that means the same to printf."""
    from sqlglot import exp

    for operand, kind in zip(given, kinds, strict=True):
        if family(kind) in ("array", "map", "row", "BLOB"):
            raise QueryError(
                f"NOT_SUPPORTED: Type not supported for formatting: {trino_name(str(kind), operand)}"
            )
    pattern = node.this
    pieces = list(PATTERN_PIECE.finditer(pattern.this)) if pattern.is_string else []
    letters = [found[2] for found in pieces if found[2]]
    rest = PATTERN_PIECE.sub("", pattern.this) if pattern.is_string else "%"
    if "%" in rest or len(letters) != len(given) or set(letters) - set("sdfexX"):
        raise QueryError(
            f"NOT_SUPPORTED: The pattern {pattern.sql('athena')} is not supported by the local Athena"
        )
    values = [
        exp.Coalesce(this=_as(value, "VARCHAR"), expressions=[_text("null")]) if letter == "s" else value
        for letter, value in zip(letters, given, strict=True)
    ]
    return _call("printf", pattern, *values)


LOCAL = (
    "Cast",
    "TimeToStr",
    "Hour",
    "Minute",
    "Second",
    "Day",
    "Month",
    "Year",
    "Quarter",
    "Week",
    "Extract",
)
"""Where only the wall clock of a zone matters, which DuckDB has as a timestamp without one."""


def _at_time_zone(node: Any, given: list[Any], kinds: Types) -> Any:
    """Give the wall clock of a zone to what asks only for that; a timestamp that keeps its zone does not exist here."""
    zone = node.args["zone"]
    parent = node.parent
    while parent is not None and type(parent).__name__ == "Paren":
        parent = parent.parent
    utc = zone.is_string and zone.this.upper() == "UTC"
    if (
        zone.is_string
        and not re.fullmatch(r"[+-]\d\d:\d\d", zone.this)
        and zone.this not in available_timezones()
    ):
        raise QueryError(f"INVALID_FUNCTION_ARGUMENT: '{zone.this}' is not a valid time zone", 1000)
    if not utc and type(parent).__name__ not in LOCAL:
        raise QueryError(
            "NOT_SUPPORTED: The local Athena's timestamps with time zone are in UTC: cast to timestamp or date"
        )
    moment = node.this if kinds[0] == "TIMESTAMP WITH TIME ZONE" else _as(node.this, "TIMESTAMPTZ")
    return moment.copy() if utc else _call("timezone", zone, moment)


def _unnest(node: Any, given: list[Any], kinds: Types) -> Any:
    """Unnest maps, rows and several arrays side by side as a query that does; one plain array stays."""
    from sqlglot import exp

    columns: list[Any] = []
    for value, kind in zip(given, kinds, strict=True):
        if family(kind) == "map":
            columns += [_call("map_keys", value), _call("map_values", value)]
        elif family(kind) == "array" and family(str(kind)[:-2]) == "row":
            columns += [
                _call("trino_fields", value, _number(n + 1)) for n in range(len(parts(str(kind)[:-2])))
            ]
        else:
            columns.append(value)
    if len(columns) == 1 or None in kinds:
        return None
    names = list(node.args["alias"].columns) if node.args.get("alias") else []
    offset = node.args.get("offset")
    if offset is not None:
        most = _call("greatest", *(_call("len", column) for column in columns))
        columns.append(_call("range", _number(1), exp.Add(this=most, expression=_number(1))))
        names += [offset] if isinstance(offset, exp.Identifier) else []
    select = exp.Select(expressions=[_call("unnest", column) for column in columns])
    alias = exp.TableAlias(this=node.args["alias"].this if node.args.get("alias") else None, columns=names)
    return exp.Subquery(this=select, alias=alias)
