"""Types of expressions, as DuckDB binds them: what an operator means in Trino depends on its operands' types.

A query is bound without being run, on tables that have the types of the real ones and no rows. What cannot be
bound on its own (a column of an outer query) has no known type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp

Bind = Callable[[Any], list[str]]
"""Bind a SELECT; return the types of its columns. Raises QueryError when it cannot be bound."""
ELEMENT, KEY, VALUE, ELEMENT_2, VALUE_2, STATE = "element", "key", "value", "element 2", "value 2", "state"
PARAMETERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("transform", "filter", "any_match", "all_match", "none_match"), (ELEMENT,)),
    "reduce": (STATE, ELEMENT),
    "zip_with": (ELEMENT, ELEMENT_2),
    **dict.fromkeys(("map_filter", "transform_values", "transform_keys"), (KEY, VALUE)),
    "map_zip_with": (KEY, VALUE, VALUE_2),
    "array_sort": (ELEMENT, ELEMENT),
}
"""What the parameters of a function's lambda stand for."""


class Operands:
    """The types of expressions within one SELECT (or outside any).

    Parameters
    ----------
    scope
        The SELECT that they are in; None for a statement without one (VALUES).
    bind
        Binds a SELECT.
    before
        The source of the SELECT whose own operands are asked for: only those before it are seen.
    """

    def __init__(self, scope: exp.Expr | None, bind: Bind, before: exp.Expr | None = None) -> None:
        self.scope = scope
        self.bind = bind
        self.before = before

    def types(self, nodes: list[exp.Expr]) -> list[str | None]:
        """Return the type of each expression, None when it is not known."""
        found: list[str | None] = [None] * len(nodes)
        for aggregated in (False, True):
            places = [place for place, node in enumerate(nodes) if _is_aggregated(node) == aggregated]
            kinds = self._bound([_closed(nodes[place], aggregated) for place in places])
            for place, kind in zip(places, kinds, strict=True):
                found[place] = kind
        return found

    def _bound(self, nodes: list[exp.Expr]) -> list[str | None]:
        from nearcast.local.gateway.athena_errors import QueryError

        if not nodes:
            return []
        try:
            return [*self.bind(self._select(nodes))]
        except QueryError:
            if len(nodes) == 1:
                return self._bound_within(nodes)
        half = len(nodes) // 2
        return self._bound(nodes[:half]) + self._bound(nodes[half:])

    def _bound_within(self, nodes: list[exp.Expr]) -> list[str | None]:
        """Bind beside the sources of the SELECT around this one, whose columns may be named here."""
        from sqlglot import exp

        from nearcast.local.gateway.athena_errors import QueryError

        around = self.scope.find_ancestor(exp.Select) if self.scope is not None else None
        if around is None or around.args.get("from_") is None:
            return [None]
        inner = exp.Subquery(this=self._select(nodes), alias=exp.TableAlias(this=exp.to_identifier("inner_")))
        outer = Operands(around, self.bind)._select([])
        outer.set("expressions", [exp.Column(this=exp.Star(), table=exp.to_identifier("inner_"))])
        outer.append("joins", exp.Join(this=inner, kind="CROSS"))
        try:
            return [*self.bind(outer)]
        except QueryError:
            return [None]

    def _select(self, nodes: list[exp.Expr]) -> exp.Select:
        from sqlglot import exp

        named = [exp.alias_(node, f"type{place}", quoted=True) for place, node in enumerate(nodes)]
        select = exp.Select(expressions=named)
        if self.scope is None:
            return select
        for part in ("from_", "joins", "laterals"):
            value = self._seen(self.scope.args.get(part))
            if isinstance(value, list):
                select.set(part, [item.copy() for item in value])
            elif value is not None:
                select.set(part, value.copy())
        visible = list(_visible(self.scope))
        if visible:
            select.set("with_", exp.With(expressions=[cte.copy() for cte in visible]))
        return select

    def _seen(self, sources: Any) -> Any:
        """Return a SELECT's sources, without the one that is looked at and those after it."""
        if self.before is None or sources is None:
            return sources
        if not isinstance(sources, list):
            return None if sources.this is self.before else sources
        places = [place for place, source in enumerate(sources) if source.this is self.before]
        return sources[: places[0]] if places else sources


def _visible(scope: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the common table expressions that a SELECT may name, outer ones first."""

    inner, chain = scope, []
    node: exp.Expr | None = scope
    while node is not None:
        with_ = node.args.get("with_")
        if with_ is not None:
            names = with_.expressions
            ends = next((place for place, cte in enumerate(names) if _holds(cte, inner)), len(names))
            chain.append(names[:ends])
        node = node.parent
    for ctes in reversed(chain):
        yield from ctes


def _holds(outer: exp.Expr, inner: exp.Expr) -> bool:
    node: exp.Expr | None = inner
    while node is not None and node is not outer:
        node = node.parent
    return node is outer


def _is_aggregated(node: exp.Expr) -> bool:
    from sqlglot import exp

    return any(
        isinstance(found, exp.AggFunc) and not isinstance(found.parent, (exp.Window, exp.IgnoreNulls))
        for found in node.walk(prune=lambda n: isinstance(n, exp.Query))
    )


def _closed(node: exp.Expr, aggregated: bool) -> exp.Expr:
    """Return a copy that can be bound on its own.

    Lambda parameters become an element of what they run over, and columns beside an aggregate become any value
    of theirs: the types are the same.
    """
    from sqlglot import exp

    copy = node.copy()
    parameters = dict(_parameters(node))
    holder = exp.Paren(this=copy)
    for found in list(holder.find_all(exp.Identifier, exp.Column)):
        name = found.name
        bare = isinstance(found, exp.Column) and not found.table
        bare |= isinstance(found, exp.Identifier) and not isinstance(found.parent, (exp.Column, exp.Dot))
        if bare and name in parameters and not _bound_inside(found, name, holder):
            found.replace(exp.Paren(this=parameters[name].copy()))
    if aggregated:
        for column in list(holder.find_all(exp.Column)):
            if not column.find_ancestor(exp.AggFunc, exp.Query):
                column.replace(exp.AnyValue(this=column.copy()))
    return holder


def _bound_inside(node: exp.Expr, name: str, top: exp.Expr) -> bool:
    """Return whether a lambda between a node and the top has a parameter of this name."""
    from sqlglot import exp

    lambda_ = node.find_ancestor(exp.Lambda)
    while lambda_ is not None and _holds(top, lambda_):
        if name in [parameter.name for parameter in lambda_.expressions]:
            return True
        lambda_ = lambda_.find_ancestor(exp.Lambda)
    return False


def _parameters(node: Any) -> Iterator[tuple[str, exp.Expr]]:
    """Yield what stands for each lambda parameter around an expression, outer ones first."""
    from sqlglot import exp

    lambda_ = node.find_ancestor(exp.Lambda)
    if lambda_ is None:
        return
    yield from _parameters(lambda_)
    function = lambda_.parent
    if function is None:
        return
    outer = dict(_parameters(lambda_))
    name = function.name.lower() if isinstance(function, exp.Anonymous) else function.sql_name().lower()
    arguments = (
        function.expressions if isinstance(function, exp.Anonymous) else list(function.iter_expressions())
    )
    for parameter, kind in zip(lambda_.expressions, PARAMETERS.get(name, ()), strict=False):
        stand_in = _stand_in(kind, arguments)
        for inner in list(stand_in.find_all(exp.Column, exp.Identifier)):
            if inner.name in outer and not isinstance(inner.parent, exp.Column):
                inner.replace(outer[inner.name].copy())
        yield parameter.name, stand_in


def _stand_in(kind: str, arguments: list[exp.Expr]) -> exp.Expr:
    from sqlglot import exp

    def call(name: str, *values: exp.Expr) -> exp.Expr:
        return exp.Paren(this=exp.Anonymous(this=name, expressions=[value.copy() for value in values]))

    one = exp.Literal.number(1)
    if kind == STATE:
        return exp.Paren(this=arguments[1].copy())
    place = 1 if kind in (ELEMENT_2, VALUE_2) else 0
    if kind in (ELEMENT, ELEMENT_2):
        return call("list_extract", arguments[place], one)
    return call("list_extract", call("map_keys" if kind == KEY else "map_values", arguments[place]), one)
