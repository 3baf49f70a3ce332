"""Which partitions a query can need: those that its conditions on partition keys leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearcast.local.gateway import athena_dialect
from nearcast.local.gateway.athena_errors import QueryError
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
        where = " AND ".join(f"({athena_dialect.to_duckdb(conjunct)})" for conjunct in conjuncts)
        kept = connection.execute(
            f"SELECT place FROM (SELECT place, {casts} FROM partition_values) WHERE {where}"
        ).fetchall()
    except (duckdb.Error, QueryError):
        # The query itself will say what is wrong with the condition.
        return partitions
    finally:
        connection.unregister("partition_values")
    return [partitions[place] for (place,) in kept]


def _value(value: str) -> str | None:
    return None if value == NULL_PARTITION else value
