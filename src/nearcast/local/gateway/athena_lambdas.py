"""Functions that take lambdas and that DuckDB lacks, written with those that it has.

Source: trino.io/docs/current/functions/lambda.html
"""

from __future__ import annotations

from typing import Any

from nearcast.local.gateway.athena_build import call, number, text


def reduce(node: Any) -> Any:
    """Fold an array; the first lambda's result has the type of the initial value, the second one's is the result."""
    from sqlglot import exp

    folded = call("list_reduce", node.this, node.args["merge"], node.args["initial"])
    finish = node.args.get("finish")
    if finish is None or finish.this == finish.expressions[0]:
        return folded
    return call("list_extract", call("list_transform", exp.Array(expressions=[folded]), finish), number(1))


MATCHES = {
    "any_match": ("bool_or", "false"),
    "all_match": ("bool_and", "true"),
    "none_match": ("bool_or", "false"),
}
"""The aggregate of a lambda's results over an array, and what it is over none."""


def match(node: Any, aggregate: str, empty: str) -> Any:
    from sqlglot import exp

    array, test = node.expressions
    found = call("list_aggregate", call("list_transform", array, test), text(aggregate))
    nothing = exp.EQ(this=call("len", array), expression=number(0))
    whole = exp.Case(ifs=[exp.If(this=nothing, true=exp.Boolean(this=empty == "true"))], default=found)
    return exp.Paren(this=exp.Not(this=whole) if node.name.lower() == "none_match" else whole)


def over_pairs(name: str, *arguments: Any) -> Any:
    """Write a function of a map's keys and values, or of two arrays, as a transformation of their places."""
    from sqlglot import exp

    *given, lambda_ = arguments
    place = exp.to_identifier("place")
    first = given[0]
    if name == "zip_with":
        sizes = [call("len", array) for array in given]
        stand_ins = [call("list_extract", array, place) for array in given]
        count = call("greatest", *sizes)
    else:
        key = call("list_extract", call("map_keys", first), place)
        values = [call("list_extract", call("map_values", first), place)]
        values += [call("list_extract", call("map_extract", other, key), number(1)) for other in given[1:]]
        stand_ins = [key, *values]
        count = call("len", call("map_keys", first))
    names = [parameter.name for parameter in lambda_.expressions]
    body = _replaced(lambda_.this, dict(zip(names, stand_ins, strict=True)))
    places = call("range", number(1), exp.Add(this=count, expression=number(1)))
    if name == "map_filter":
        places = call("list_filter", places, exp.Lambda(this=body, expressions=[place.copy()]))
        body = stand_ins[1]
    if name == "zip_with":
        return call("list_transform", places, exp.Lambda(this=body, expressions=[place.copy()]))
    keys = body if name == "transform_keys" else stand_ins[0]
    kept = stand_ins[1] if name == "transform_keys" else body
    pair = exp.Lambda(this=call("row", keys, kept), expressions=[place.copy()])
    return call("map_from_entries", call("list_transform", places, pair))


def _replaced(body: Any, stand_ins: dict[str, Any]) -> Any:
    """Return a lambda's body with its parameters replaced."""
    from sqlglot import exp

    holder = exp.Paren(this=body.copy())
    for found in list(holder.find_all(exp.Identifier)):
        column = found.parent if isinstance(found.parent, exp.Column) and not found.parent.table else found
        if found.name in stand_ins and not isinstance(found.parent, (exp.Dot, exp.Lambda)):
            column.replace(exp.Paren(this=stand_ins[found.name].copy()))
    return holder
