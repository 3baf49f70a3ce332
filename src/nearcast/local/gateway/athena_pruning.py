"""Which partitions a query can need: those that its conditions on partition keys leave."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from nearcast.local.gateway import athena_dialect, athena_macros, athena_operators
from nearcast.local.gateway.athena_errors import QueryError, from_duckdb
from nearcast.local.gateway.athena_tables import NULL_PARTITION, CatalogTable, Partition, quote
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
    """Return the partitions for which every conjunct holds; all of them when that cannot be told."""
    import duckdb
    import pyarrow as pa
    from sqlglot import exp

    partitions = table.partitions()
    if not conjuncts or not partitions:
        return partitions
    conjuncts = [conjunct.copy() for conjunct in conjuncts]
    for conjunct in conjuncts:
        for column in conjunct.find_all(exp.Column):
            column.set("table", None)
    columns = {
        key: pa.array([_value(partition.values[place]) for partition in partitions], pa.string())
        for place, key in enumerate(table.keys)
    }
    casts = ", ".join(
        f"CAST({quote(key)} AS {to_duckdb(kind)}) AS {quote(key)}" for key, kind in table.keys.items()
    )
    connection.register("partition_values", pa.table({**columns, "place": pa.array(range(len(partitions)))}))
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW partition_keys AS SELECT place, {casts} FROM partition_values"
        )
        condition = exp.select("place").from_("partition_keys").where(*conjuncts, copy=False)
        rewritten = athena_operators.rewrite(condition, partial(_types, connection), "")
        kept = _run(connection, athena_dialect.to_duckdb(rewritten)).fetchall()
    except (duckdb.Error, QueryError):
        # The query itself will say what is wrong with the condition.
        return partitions
    finally:
        connection.execute("DROP VIEW IF EXISTS partition_keys")
        connection.unregister("partition_values")
    return [partitions[place] for (place,) in kept]


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


def _value(value: str) -> str | None:
    return None if value == NULL_PARTITION else value
