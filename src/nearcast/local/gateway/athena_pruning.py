"""Which partitions a query can need: those that its conditions on partition keys leave."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from nearcast.local.gateway import athena_dialect, athena_macros, athena_operators, athena_projection
from nearcast.local.gateway.athena_errors import QueryError, from_duckdb
from nearcast.local.gateway.athena_tables import NULL_PARTITION, CatalogTable, Partition, quote, text
from nearcast.local.gateway.athena_types import to_duckdb

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope


def conjuncts_on_keys(scope: Scope, alias: str, keys: dict[str, str]) -> list[exp.Expr]:
    """Return the WHERE conjuncts that speak of one table's partition keys alone.

    None when the SELECT has an outer join: there a condition may keep rows that a table does not have.
    """
    from sqlglot import exp

    select = scope.expression
    where = select.args.get("where")
    joins = select.args.get("joins") or []
    if where is None or any(join.side for join in joins):
        return []
    alone = len(scope.selected_sources) == 1
    conjuncts = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
    found = []
    for conjunct in conjuncts:
        columns = list(conjunct.find_all(exp.Column))
        ours = all(
            column.name.lower() in keys and (column.table == alias or (alone and not column.table))
            for column in columns
        )
        if columns and ours and not conjunct.find(exp.Query, exp.Subquery):
            found.append(conjunct.copy())
    return found


def kept_partitions(connection: Any, table: CatalogTable, conjuncts: list[exp.Expr]) -> list[Partition]:
    """Return the partitions for which every conjunct holds; all of them when that cannot be told.

    Raises QueryError when the table's partition projection is wrong or asks for what the query does not say.
    """
    from sqlglot import exp

    conjuncts = [conjunct.copy() for conjunct in conjuncts]
    for conjunct in conjuncts:
        for column in conjunct.find_all(exp.Column):
            column.set("table", None)
    if athena_projection.enabled(table):
        columns = athena_projection.projected(table, connection, conjuncts)
        candidates = [_texts({key: values}) for key, values in columns.items()]
        kept = _kept(connection, table, candidates, conjuncts)
        if len(kept) > athena_projection.MAX_PARTITIONS:
            raise athena_projection.too_many(table)
        return [Partition(values, athena_projection.location(table, values)) for values in kept]
    partitions = {partition.values: partition for partition in table.partitions()}
    if not conjuncts or not partitions:
        return list(partitions.values())
    columns = {key: [values[place] for values in partitions] for place, key in enumerate(table.keys)}
    return [partitions[values] for values in _kept(connection, table, [_texts(columns)], conjuncts)]


def _kept(
    connection: Any, table: CatalogTable, candidates: list[Any], conjuncts: list[exp.Expr]
) -> list[tuple[str, ...]]:
    """Return the values, as text, that the conjuncts leave of the product of these columns."""
    import duckdb
    from sqlglot import exp

    names = [f"candidates{number}" for number in range(len(candidates))]
    for name, candidate in zip(names, candidates, strict=True):
        connection.register(name, candidate)
    shown = ", ".join(quote(f"text {key}") for key in table.keys)
    casts = ", ".join(
        f"{quote(f'text {key}')}, CAST(nullif({quote(f'text {key}')}, {text(NULL_PARTITION)}) AS {to_duckdb(kind)})"
        f" AS {quote(key)}"
        for key, kind in table.keys.items()
    )
    most = athena_projection.MAX_PARTITIONS + 1
    whole = f"SELECT {shown} FROM {', '.join(names)}"
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW partition_keys AS SELECT {casts} FROM {', '.join(names)}"
        )
        condition = exp.select(*(exp.column(f"text {key}", quoted=True) for key in table.keys))
        condition = condition.from_("partition_keys").where(*conjuncts, copy=False)
        rewritten = athena_operators.rewrite(condition, partial(_types, connection), "")
        found = _run(connection, f"{athena_dialect.to_duckdb(rewritten)} LIMIT {most}")
        kept: list[tuple[str, ...]] = found.fetchall()
    except (duckdb.Error, QueryError):
        # The query itself will say what is wrong with the condition.
        kept = connection.execute(f"{whole} LIMIT {most}").fetchall()
    finally:
        connection.execute("DROP VIEW IF EXISTS partition_keys")
        for name in names:
            connection.unregister(name)
    return kept


def _texts(columns: dict[str, list[str]]) -> Any:
    import pyarrow as pa

    return pa.table({f"text {key}": pa.array(values, pa.string()) for key, values in columns.items()})


def _types(connection: Any, select: exp.Select) -> list[str]:
    """Return the types of a SELECT's columns. Raises QueryError when it cannot be bound."""
    import duckdb

    try:
        bound = _run(connection, f"SELECT * FROM ({athena_dialect.to_duckdb(select)}) LIMIT 0")
    except duckdb.Error as error:
        raise from_duckdb(error, "") from error
    return [str(kind) for _, kind, *_ in bound.description]


def _run(connection: Any, sql: str) -> Any:
    athena_macros.define(connection, sql)
    return connection.execute(sql)
