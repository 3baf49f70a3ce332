"""Functions whose meaning or result depends on the types of their arguments, written for DuckDB.

Sources: trino.io/docs/current/functions.html, docs.aws.amazon.com/athena/latest/ug/functions.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from zoneinfo import available_timezones

from nearcast.local.gateway.athena_build import Types, call, mismatch, no_function, number, text, typed
from nearcast.local.gateway.athena_casts import cast
from nearcast.local.gateway.athena_errors import QueryError
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
    trino_name,
)

Rewrite = Callable[[Any, list[Any], Types], Any]
"""From a node, its operands and their types to what replaces it; None leaves it."""
MOST_DIGITS = 38
PATTERN_PIECE = re.compile(r"%(?:%|n|([-#+ 0,(]*\d*(?:\.\d+)?)([a-zA-Z]))")
"""A piece of Java's format strings that printf understands too."""
DATE_UNITS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
TIME_UNITS = ("MILLISECOND", "SECOND", "MINUTE", "HOUR")


def rewrites() -> dict[str, tuple[Callable[[Any], list[Any]], Rewrite]]:
    """Return, by the name of a function's class, which arguments' types it depends on and what replaces it."""
    return {
        "Avg": (_argument, _average),
        "Sum": (_argument, _sum),
        "Round": (this_side, _round),
        "Trunc": (this_side, _truncate),
        "Sign": (this_side, _sign),
        "Typeof": (this_side, _typeof),
        "Cast": (this_side, _cast),
        "TryCast": (this_side, _cast),
        "Bracket": (lambda node: [node.this, *node.expressions], _subscript),
        "DateAdd": (both_sides, _date_add),
        "DateDiff": (both_sides, _date_diff),
        "TimestampTrunc": (this_side, _date_trunc),
        "DateTrunc": (this_side, _date_trunc),
        "GenerateSeries": (lambda node: [node.args["start"], node.args["end"]], _sequence),
        "ArraySize": (this_side, _cardinality),
        "Reverse": (
            this_side,
            _by_family("reverse", {"array": "list_reverse", "BLOB": "trino_reverse_bytes"}),
        ),
        "Repeat": (this_side, _repeat),
        "Length": (this_side, _by_family("length", {"BLOB": "octet_length"}, {TEXT, "BLOB"})),
        "Substring": (this_side, _substring),
        "Hour": (
            this_side,
            _by_family("hour", {"INTERVAL": "trino_interval_hour"}, {TIME, "TIME", "INTERVAL"}),
        ),
        "ApproxQuantile": (this_side, _percentile),
        **{name: (this_side, _by_family(name.lower(), {}, {TEXT})) for name in ("Upper", "Lower", "Trim")},
        **{
            name: (this_side, _by_family(name.lower(), {}, {NUMBER}))
            for name in ("Abs", "Sqrt", "Cbrt", "Ln", "Exp")
        },
        **{
            name: (this_side, _by_family(name.lower(), {}, {TIME, "INTERVAL"}))
            for name in ("Year", "Month", "Day", "Quarter", "Week")
        },
        "MD5Digest": (this_side, _by_family("md5", {}, {"BLOB"})),
        "Format": (lambda node: node.expressions, _format),
        "AtTimeZone": (this_side, _at_time_zone),
        "Unnest": (lambda node: node.expressions, _unnest),
    }


def both_sides(node: Any) -> list[Any]:
    """Return the operands of a node that has two."""
    return [node.this, node.expression]


def this_side(node: Any) -> list[Any]:
    """Return the operand of a node that has one."""
    return [node.this]


def _argument(node: Any) -> list[Any]:
    """Return what an aggregate runs over, without its DISTINCT."""
    from sqlglot import exp

    return list(node.this.expressions[:1]) if isinstance(node.this, exp.Distinct) else [node.this]


def _average(node: Any, given: list[Any], kinds: Types) -> Any:
    kind = kinds[0]
    if family(kind) in (TEXT, "BOOLEAN", TIME):
        raise no_function("avg", kinds, given)
    if kind == "FLOAT":
        return _around(node, lambda mean: typed(mean, "FLOAT"))
    if is_decimal(kind):
        from sqlglot import exp

        _, scale = decimal(kind) or (0, 0)
        total, count = exp.Sum(this=node.this.copy()), exp.Count(this=node.this.copy(), big_int=True)
        both = [_around_part(node, part) for part in (total, count)]
        mean = call("trino_divide_decimals", *both, number(scale), number(0), number(scale))
        outer = _outermost(node)
        replacement = typed(
            exp.Case(ifs=[exp.If(this=exp.GT(this=both[1].copy(), expression=number(0)), true=mean)]),
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
        return _around(node, lambda total: typed(total, "FLOAT"))
    if kinds[0] in INTEGERS:
        return _around(node, lambda total: typed(total, "BIGINT"))
    if kinds[0] == "INTERVAL":
        given[0].replace(call("trino_milliseconds", given[0]))
        return _around(node, lambda total: call("trino_from_milliseconds", total))
    return None


def _round(node: Any, given: list[Any], kinds: Types) -> Any:
    if is_decimal(kinds[0]) and node.args.get("decimals") is not None:
        precision, scale = decimal(kinds[0]) or (0, 0)
        return typed(node, f"DECIMAL({min(precision + 1, MOST_DIGITS)},{scale})")
    if family(kinds[0]) in (TEXT, TIME):
        raise no_function("round", kinds, given)
    return None


def _truncate(node: Any, given: list[Any], kinds: Types) -> Any:
    if is_decimal(kinds[0]) and node.args.get("decimals") is None:
        precision, scale = decimal(kinds[0]) or (0, 0)
        return typed(node, f"DECIMAL({max(precision - scale, 1)},0)")
    if kinds[0] in INEXACT and node.args.get("decimals") is not None:
        raise no_function("truncate", [*kinds, "INTEGER"], [*given, node.args["decimals"]])
    return None


def _sign(node: Any, given: list[Any], kinds: Types) -> Any:
    if is_decimal(kinds[0]):
        return typed(node, "DECIMAL(1,0)")
    return typed(node, kinds[0]) if kinds[0] in (*INTEGERS, *INEXACT) else None


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
        return exp.Case(ifs=[exp.If(this=empty, true=text(name))], default=text(name))
    return text(name)


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
    return cast(node, given[0], kinds[0])


def _subscript(node: Any, given: list[Any], kinds: Types) -> Any:
    kind, index = kinds[0], node.expressions[0]
    safe = bool(node.args.get("safe"))
    if family(kind) == "array":
        if family(kinds[1]) not in (None, NUMBER, "null"):
            raise mismatch(
                f"Cannot use {trino_name(str(kinds[1]), given[1])} for subscript of {trino_name(str(kind))}"
            )
        return call("trino_element_at" if safe else "trino_subscript", node.this, index)
    if family(kind) == "map":
        return call("trino_map_element" if safe else "trino_map_subscript", node.this, index)
    if family(kind) == "row":
        return call("struct_extract_at", node.this, index)
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
        return call("trino_plus_date", node.this, _interval(node))
    return call("trino_plus", node.this, _interval(node))


def _date_diff(node: Any, given: list[Any], kinds: Types) -> Any:
    if any(family(kind) not in (TIME, "TIME", None, "null") for kind in kinds):
        raise no_function("date_diff", ["VARCHAR", kinds[1], kinds[0]], [None, given[1], given[0]])
    unit = _unit(node, kinds[0])
    return call("date_sub", text(unit.lower()), node.expression, node.this)


def _date_trunc(node: Any, given: list[Any], kinds: Types) -> Any:
    if family(kinds[0]) not in (TIME, "TIME", None, "null"):
        raise no_function("date_trunc", ["VARCHAR", kinds[0]], [None, given[0]])
    unit = text(_unit(node, kinds[0]).lower())
    if kinds[0] == "TIME":
        return call("trino_trunc_time", unit, node.this)
    return call("trino_date_trunc", unit, node.this)


def _sequence(node: Any, given: list[Any], kinds: Types) -> Any:
    start, end, step = node.args["start"], node.args["end"], node.args.get("step")
    if kinds[0] in INTEGERS and (step is None or kinds[1] in INTEGERS):
        return call("trino_sequence", *(value for value in (start, end, step) if value is not None))
    if family(kinds[0]) != TIME:
        return None
    from sqlglot import exp

    by = step or exp.Interval(this=text("1"), unit=exp.var("DAY"))
    moments = call("trino_sequence_of_times", start, end, by)
    return typed(moments, f"{kinds[0]}[]")


def _cardinality(node: Any, given: list[Any], kinds: Types) -> Any:
    return call("trino_cardinality_of_map" if family(kinds[0]) == "map" else "trino_cardinality", node.this)


def _repeat(node: Any, given: list[Any], kinds: Types) -> Any:
    return call("trino_repeat", node.this, node.args["times"])


def _substring(node: Any, given: list[Any], kinds: Types) -> Any:
    places = [value for value in (node.args.get("start"), node.args.get("length")) if value is not None]
    if family(kinds[0]) not in (TEXT, "BLOB", "null", None) or not places:
        raise no_function("substr", kinds, given)
    return call("trino_substr_bytes" if kinds[0] == "BLOB" else "trino_substr", node.this, *places)


def _percentile(node: Any, given: list[Any], kinds: Types) -> Any:
    if kinds[0] in INTEGERS:
        node.set("this", typed(given[0], "BIGINT"))


def _by_family(name: str, calls: dict[str, str], allowed: set[str] | None = None) -> Rewrite:
    """Return a rewrite that calls another function for a family and refuses those that are not allowed."""

    def choose(node: Any, given: list[Any], kinds: Types) -> Any:
        found = family(kinds[0])
        if allowed is not None and found not in (*allowed, None, "null"):
            raise no_function(name, kinds, given)
        return call(calls[found], given[0]) if found in calls else None

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
    digits = [found[1].partition(".")[2] or "6" for found in pieces if found[2]]
    values = [
        _formatted(value, kind, letter, places)
        for value, kind, letter, places in zip(given, kinds, letters, digits, strict=True)
    ]
    written = call("printf", pattern, *values)
    unwritable = [
        exp.Is(this=value.copy(), expression=exp.null())
        for letter, value in zip(letters, given, strict=True)
        if letter != "s"
    ]
    if not unwritable:
        return written
    reason = "NOT_SUPPORTED: The local Athena formats nulls with %s alone"
    failed = typed(call("trino_fail", text(reason)), "VARCHAR")
    return exp.Case(ifs=[exp.If(this=exp.or_(*unwritable), true=failed)], default=written)


def _formatted(value: Any, kind: str | None, letter: str, digits: str) -> Any:
    """Return an argument of format as printf takes it: Java rounds half up, and writes doubles in its own way."""
    from sqlglot import exp

    if letter == "f":
        return call("round", value, number(int(digits)))
    if letter != "s":
        return value
    if kind is None or kind.startswith("TIMESTAMP"):
        raise QueryError("NOT_SUPPORTED: The local Athena does not format timestamps: use date_format")
    written = call("trino_java_text", value) if kind in INEXACT else typed(value, "VARCHAR")
    return exp.Coalesce(this=written, expressions=[text("null")])


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
    moment = node.this if kinds[0] == "TIMESTAMP WITH TIME ZONE" else typed(node.this, "TIMESTAMPTZ")
    return moment.copy() if utc else call("timezone", zone, moment)


def _unnest(node: Any, given: list[Any], kinds: Types) -> Any:
    """Unnest maps, rows and several arrays side by side as a query that does; one plain array stays."""
    from sqlglot import exp

    columns: list[Any] = []
    for value, kind in zip(given, kinds, strict=True):
        if family(kind) == "map":
            columns += [call("map_keys", value), call("map_values", value)]
        elif family(kind) == "array" and family(str(kind)[:-2]) == "row":
            columns += [call("trino_fields", value, number(n + 1)) for n in range(len(parts(str(kind)[:-2])))]
        else:
            columns.append(value)
    if len(columns) == 1 or None in kinds:
        return None
    names = list(node.args["alias"].columns) if node.args.get("alias") else []
    offset = node.args.get("offset")
    if offset is not None:
        most = call("greatest", *(call("len", column) for column in columns))
        columns.append(call("range", number(1), exp.Add(this=most, expression=number(1))))
        names += [offset] if isinstance(offset, exp.Identifier) else []
    select = exp.Select(expressions=[call("unnest", column) for column in columns])
    alias = exp.TableAlias(this=node.args["alias"].this if node.args.get("alias") else None, columns=names)
    return exp.Subquery(this=select, alias=alias)
