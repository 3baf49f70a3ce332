"""From Athena's SQL (Trino's) to DuckDB's, so that a statement means here what it means on AWS.

sqlglot translates; what it leaves different whatever the types are is in `transforms`, what depends on types in
athena_operators and athena_calls, and what neither can do is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.local.gateway import athena_joda, athena_lambdas
from nearcast.local.gateway.athena_build import call, number, text
from nearcast.local.gateway.athena_errors import SYNTAX_ERROR, QueryError, position
from nearcast.local.gateway.athena_literals import UNNAMED

if TYPE_CHECKING:
    from sqlglot import exp

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
        if isinstance(node, exp.Join) and node.method == "NATURAL":
            raise QueryError("NOT_SUPPORTED: Natural join not supported")
        if isinstance(node, exp.Fetch) and "TIES" in node.sql("athena").upper():
            raise QueryError("NOT_SUPPORTED: WITH TIES is not supported by the local Athena")
        if isinstance(node, exp.Anonymous) and node.name.upper() in ("ALL", "SOME"):
            raise QueryError(f"NOT_SUPPORTED: {node.name.upper()} is not supported by the local Athena")
        if isinstance(node, exp.Literal) and node.is_int and int(node.this) >= 2**63:
            raise QueryError(f"SYNTAX_ERROR: Invalid numeric literal: {node.this}")
        if isinstance(node, exp.Star) and (node.args.get("except_") or node.args.get("replace")):
            raise QueryError("SYNTAX_ERROR: mismatched input after '*'")
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
            if isinstance(expression, (exp.Alias, exp.Column, exp.Star, exp.Aliases)) or _names(expression)
            else exp.alias_(expression, f"{UNNAMED}{place}", quoted=True)
            for place, expression in enumerate(select.expressions)
        ]
        select.set("expressions", named)


def _names(expression: exp.Expr) -> bool:
    """Return whether an expression is a field of a column, named after it."""
    from sqlglot import exp

    while isinstance(expression, exp.Dot):
        expression = expression.this
    return isinstance(expression, (exp.Column, exp.Identifier))


def columns_of_months(tree: exp.Expr) -> list[int]:
    """Return the places (from 0) of a query's columns that are intervals of years and months.

    DuckDB has one type for both kinds. Raises QueryError when it cannot be seen which kind a column is.
    """
    from sqlglot import exp

    def is_month(interval: exp.Expr) -> bool:
        unit = interval.args.get("unit")
        return str(unit).upper().startswith(("YEAR", "MONTH", "QUARTER"))

    found = []
    somewhere = any(map(is_month, tree.find_all(exp.Interval)))
    for place, column in enumerate(tree.selects if isinstance(tree, exp.Query) else []):
        if not somewhere:
            break
        inside = list(column.find_all(exp.Interval))
        if column.find(exp.Column, exp.Star, exp.Subquery) and not isinstance(column.unalias(), exp.Cast):
            raise QueryError(
                "NOT_SUPPORTED: Results with intervals of months are not supported by the local Athena"
            )
        if inside and all(map(is_month, inside)):
            found.append(place)
    return found


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
        translated: str = _from_the_leaves(tree, rewrite).sql("duckdb", unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise QueryError(f"NOT_SUPPORTED: by the local Athena: {error}", SYNTAX_ERROR) from error
    return translated


def _from_the_leaves(tree: exp.Expr, rewrite: Transform) -> exp.Expr:
    """Return a copy with each node replaced after those within it."""
    from sqlglot import exp

    holder = exp.Paren(this=tree.copy())
    for node in reversed(list(holder.this.dfs())):
        replacement = rewrite(node)
        if replacement is not node:
            node.replace(replacement)
    whole: exp.Expr = holder.this
    return whole


def transforms() -> dict[str, Transform]:
    """Return what replaces a node, by the name of its class, whatever the types within it."""
    return {
        "RegexpExtract": lambda node: call(
            "trino_regexp_extract", node.this, node.expression, node.args.get("group") or number(0)
        ),
        "RegexpReplace": _group_references,
        "SplitPart": lambda node: call(
            "trino_split_part", node.this, node.args["delimiter"], node.args["part_index"]
        ),
        "Split": lambda node: (
            call("trino_split", node.this, node.expression, node.args["limit"])
            if node.args.get("limit")
            else node
        ),
        "ArraySlice": lambda node: call("trino_slice", node.this, node.args["start"], node.args["end"]),
        "Extract": _field,
        "JSONExtractScalar": _json("trino_json_scalar"),
        "JSONExtract": _json("trino_json_extract"),
        "FromISO8601Date": lambda node: call("trino_iso_date", node.this),
        "FromISO8601Timestamp": lambda node: call("trino_iso_timestamp", node.this),
        "JSONObject": lambda node: _whole(node, "VARCHAR"),
        "Reduce": athena_lambdas.reduce,
        "GroupConcat": _separator,
        "ApproxQuantile": _approximate_percentile,
        "ArgMax": _at_extreme("arg_max"),
        "ArgMin": _at_extreme("arg_min"),
        "SHA2Digest": lambda node: call("sha512", node.this) if node.args["length"].name == "512" else node,
        "Normalize": lambda node: call("trino_normalize", node.this, text(node.text("form") or "NFC")),
        "JSONValue": lambda node: call("trino_json_scalar", node.this, node.args["path"]),
        "TimeToStr": _iso_week,
        "ParseDatetime": lambda node: _joda("trino_parse_datetime", node.this, node.args["format"]),
        "UnixToTime": _in_utc,
        "Interval": _interval_literal,
        "Grouping": lambda node: _whole(node, "INTEGER"),
        **{name: _renamed(function) for name, function in RENAMED.items()},
        "Anonymous": _anonymous,
    }


RENAMED = {
    **{f"Bitwise{part}": f"trino_bitwise_{part.lower()}" for part in ("And", "Or", "Xor", "Not")},
    **{f"Bitwise{part}Agg": f"trino_bitwise_{part.lower()}_agg" for part in ("And", "Or", "Xor")},
    "ArrayContains": "trino_contains",
    "ArrayDistinct": "trino_distinct",
    "ArrayExcept": "trino_except",
    "ArrayOverlaps": "trino_overlap",
    "ArrayMax": "trino_array_max",
    "ArrayMin": "trino_array_min",
    "ArrayPosition": "trino_position",
    "ToBase": "trino_to_base",
    "BitCount": "trino_bit_count",
    "BitwiseCount": "trino_bit_count",
    "ParseJSON": "trino_json_parse",
    "JSONArrayLength": "trino_json_array_length",
    "StrToMap": "trino_split_to_map",
    "SHA": "trino_sha1",
    "Unhex": "trino_from_hex",
    "Skewness": "trino_skewness",
}
"""Macros that take a node's operands in their order, by its class."""
ANONYMOUS = {
    "to_base": "trino_to_base",
    "regexp_position": "trino_regexp_position",
    "json_exists": "trino_json_exists",
    "bit_count": "trino_bit_count",
    "json_array_length": "trino_json_array_length",
    "arrays_overlap": "trino_overlap",
    "zip": "trino_zip",
    "map_entries": "trino_map_entries",
    "from_hex": "trino_from_hex",
    "url_encode": "trino_url_encode",
    "url_decode": "trino_url_decode",
    "to_milliseconds": "trino_milliseconds",
    "array_except": "trino_except",
    "array_position": "trino_position",
    "array_max": "trino_array_max",
    "array_min": "trino_array_min",
    "sha1": "trino_sha1",
    "contains": "trino_contains",
    "bitwise_left_shift": "trino_left_shift",
    "bitwise_right_shift": "trino_right_shift",
}
"""Macros by the names of functions that DuckDB has too, with another meaning."""


def _group_references(node: Any) -> Any:
    """Write Java's groups as RE2's: ``(?<name>`` as ``(?P<name>``, and ``$1`` in a replacement as ``\\1``."""
    from sqlglot import exp

    pattern, replacement = node.expression, node.args.get("replacement")
    names: dict[str, int] = {}
    if isinstance(replacement, exp.Lambda):
        raise QueryError("NOT_SUPPORTED: regexp_replace with a function is not supported by the local Athena")
    if pattern.is_string and "(?<" in pattern.this:
        written = re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", pattern.this)
        node.set("expression", text(written))
        names = dict(re.compile(written).groupindex)
    if isinstance(replacement, exp.Literal):
        numbered = re.sub(
            r"\$\{(\w+)\}", lambda found: f"\\{names.get(found[1], found[0])}", replacement.this
        )
        node.set("replacement", text(re.sub(r"\$(\d)", r"\\\1", numbered)))
    elif replacement is not None:
        node.set("replacement", call("replace", replacement, text("$"), text("\\")))
    return node


def _renamed(name: str) -> Transform:
    def rewrite(node: Any) -> Any:
        operands = [value for key in node.arg_types for value in _listed(node.args.get(key))]
        return call(name, *operands)

    return rewrite


def _listed(value: Any) -> list[Any]:
    from sqlglot import exp

    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, exp.Expr)]


FIELDS = {
    "DOW": "ISODOW",
    "DAY_OF_WEEK": "ISODOW",
    "DAYOFWEEK": "ISODOW",
    "YEAR_OF_WEEK": "ISOYEAR",
    "YOW": "ISOYEAR",
}
"""Days of the week count from Monday, 1, to Sunday, 7; a week's year is that of ISO 8601."""


def _field(node: Any) -> Any:
    from sqlglot import exp

    name = node.name.upper()
    if name in FIELDS:
        node.set("this", exp.var(FIELDS[name]))
    return node


def _json(macro: str) -> Transform:
    """Read JSON along a path of Trino's: names and places, nothing that could match more than one value."""

    def rewrite(node: Any) -> Any:
        from sqlglot import exp

        path = node.expression
        if isinstance(path, exp.JSONPath):
            known = (exp.JSONPathRoot, exp.JSONPathKey, exp.JSONPathSubscript)
            steps = path.expressions
            wild = any(isinstance(step.this, exp.Expr) for step in steps)
            if wild or not all(isinstance(step, known) for step in steps):
                raise QueryError(
                    f"INVALID_FUNCTION_ARGUMENT: Invalid JSON path: '{path.sql('athena')[1:-1]}'", 1000
                )
            path = text("$" + "".join(_step(step) for step in steps))
        elif path.is_string:  # sqlglot found no path in it
            if path.this.startswith(("lax", "strict")):
                raise QueryError("NOT_SUPPORTED: json_query is not supported by the local Athena")
            raise QueryError(f"INVALID_FUNCTION_ARGUMENT: Invalid JSON path: '{path.this}'", 1000)
        return call(macro, node.this, path)

    return rewrite


def _step(step: Any) -> str:
    from sqlglot import exp

    if isinstance(step, exp.JSONPathKey):
        return f'."{step.this}"'
    return f"[{step.this}]" if isinstance(step, exp.JSONPathSubscript) else ""


def _separator(node: Any) -> Any:
    if node.args.get("separator") is None:
        node.set("separator", text(""))
    return node


def _approximate_percentile(node: Any) -> Any:
    """Take a value of the column's own type, as Trino does; DuckDB's exact quantile is within any bound."""
    if node.args.get("weight") is not None:  # no counterpart
        raise QueryError("NOT_SUPPORTED: approx_percentile with weights is not supported by the local Athena")
    return call("quantile_disc", node.this, node.args["quantile"])


def _at_extreme(name: str) -> Transform:
    """Take the value beside the greatest or least one, a null too."""

    def rewrite(node: Any) -> Any:
        count = node.args.get("count")
        return call(name, *_both(node), count) if count else call(f"{name}_null", *_both(node))

    return rewrite


def _both(node: Any) -> list[Any]:
    return [node.this, node.expression]


def _iso_week(node: Any) -> Any:
    format_ = node.args["format"]
    if format_.is_string:
        node.set("format", text(format_.this.replace("%v", "%V")))
    return node


def _joda(name: str, value: Any, pattern: Any) -> Any:
    if not pattern.is_string:
        raise QueryError("NOT_SUPPORTED: The local Athena takes a date pattern as a literal only")
    return call(name, value, text(athena_joda.strftime(pattern.this)))


def _in_utc(node: Any) -> Any:
    if node.args.get("zone") is not None and node.args["zone"].name.upper() != "UTC":
        raise QueryError("NOT_SUPPORTED: The local Athena's timestamps with time zone are all in UTC")
    return node


SPANS = {
    ("DAY", "SECOND"): r"(-?)(\d+) (\d+):(\d+):(\d+(?:\.\d+)?)",
    ("DAY", "MINUTE"): r"(-?)(\d+) (\d+):(\d+)",
    ("DAY", "HOUR"): r"(-?)(\d+) (\d+)",
    ("HOUR", "SECOND"): r"(-?)(\d+):(\d+):(\d+(?:\.\d+)?)",
    ("HOUR", "MINUTE"): r"(-?)(\d+):(\d+)",
    ("MINUTE", "SECOND"): r"(-?)(\d+):(\d+(?:\.\d+)?)",
    ("YEAR", "MONTH"): r"(-?)(\d+)-(\d+)",
}
UNITS = ("DAY", "HOUR", "MINUTE", "SECOND")


def _interval_literal(node: Any) -> Any:
    """Write an interval of two units (``INTERVAL '1 02' DAY TO HOUR``) as DuckDB reads it."""
    from sqlglot import exp

    span = node.args.get("unit")
    if not isinstance(span, exp.IntervalSpan):
        return node
    first, last = span.this.name.upper(), span.expression.name.upper()
    found = re.fullmatch(SPANS.get((first, last), "$^"), node.this.name)
    if not found:
        raise QueryError(f"INVALID_LITERAL: '{node.this.name}' is not a valid INTERVAL literal")
    sign, *amounts = found.groups()
    units = ("YEAR", "MONTH") if first == "YEAR" else UNITS[UNITS.index(first) :]
    units_written = " ".join(f"{sign}{amount} {unit}" for amount, unit in zip(amounts, units, strict=False))
    return exp.Cast(this=text(units_written), to=exp.DataType.build("INTERVAL", dialect="duckdb"))


def _whole(node: Any, kind: str) -> Any:
    from sqlglot import exp

    return exp.Cast(this=node.copy(), to=exp.DataType.build(kind))


def _anonymous(node: Any) -> Any:
    name = node.name.lower()
    if name in athena_lambdas.MATCHES:
        return athena_lambdas.match(node, *athena_lambdas.MATCHES[name])
    if name in ("map_filter", "transform_values", "transform_keys", "map_zip_with", "zip_with"):
        return athena_lambdas.over_pairs(name, *node.expressions)
    if name == "format_datetime" and len(node.expressions) == 2:
        return _joda("strftime", *node.expressions)
    if name == "json_array":
        return _whole(node, "VARCHAR")
    return call(ANONYMOUS[name], *node.expressions) if name in ANONYMOUS else node
