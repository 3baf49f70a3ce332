"""Running one query: its tables bound to a DuckDB connection of its own, its SQL translated, its rows read."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from nearcast.local.gateway import (
    athena_dialect,
    athena_information,
    athena_literals,
    athena_macros,
    athena_operators,
    athena_udfs,
)
from nearcast.local.gateway.athena_errors import QueryCancelledError, QueryError, from_duckdb, position
from nearcast.local.gateway.athena_information import DescribingTable
from nearcast.local.gateway.athena_pruning import conjuncts_on_keys, kept_partitions
from nearcast.local.gateway.athena_results import Result, Row
from nearcast.local.gateway.athena_tables import (
    NULL_PARTITION,
    PATH_COLUMN,
    VIEW_TEXT,
    CatalogTable,
    Source,
    find,
    quote,
    text,
)
from nearcast.local.gateway.athena_types import column_info, describe, months, to_duckdb, to_text

if TYPE_CHECKING:
    from sqlglot import exp

SETTINGS = (
    "SET python_enable_replacements = false",
    "SET TimeZone = 'UTC'",
    "SET ieee_floating_point_ops = true",
    "SET temp_directory = ''",
)
ROWS_A_FETCH = 10_000
VIEW_DEPTH = 20


class Session:
    """One query's engine: a DuckDB connection that can read stored objects and nothing else.

    Parameters
    ----------
    database
        Where tables without a database are looked up.
    readable
        Folders that statements may read (and CTAS may write).
    cutoff
        The workgroup's limit of bytes scanned; 0 for none.
    """

    def __init__(self, database: str, readable: list[str], cutoff: int = 0) -> None:
        import duckdb

        self.database = database
        self.cutoff = cutoff
        self.scanned = 0
        self.bound = 0
        self.typed: dict[str, str] = {}
        self.stopped = False
        self.connection = duckdb.connect(config={"threads": 2})
        for setting in SETTINGS:
            self.connection.execute(setting)
        athena_udfs.register(self.connection)
        folders = ", ".join(text(folder) for folder in readable)
        self.connection.execute(f"SET allowed_directories = [{folders}]")
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def stop(self) -> None:
        """Interrupt what runs; the query ends with QueryCancelledError."""
        self.stopped = True
        self.connection.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def select(self, tree: exp.Expr, sql: str) -> Result:
        """Run a query. Raises QueryError, or QueryCancelledError."""
        cursor = self.execute(self.prepare(tree, sql, self.database), sql)
        kinds = [kind for _, kind, *_ in cursor.description]
        names = _numbered([name for name, *_ in cursor.description])
        columns = [column_info(name, kind) for name, kind in zip(names, kinds, strict=True)]
        writers: list[Callable[[Any], str | None]] = [partial(to_text, kind=kind) for kind in kinds]
        if any(kind.id == "interval" for kind in kinds):
            for place in athena_dialect.columns_of_months(tree):
                columns[place] = describe(names[place], "interval year to month")
                writers[place] = months
        rows: list[Row] = []
        while batch := self._fetch(cursor, sql):
            rows += ([write(v) for v, write in zip(row, writers, strict=True)] for row in batch)
        return Result(columns, rows)

    def validate(self, tree: exp.Expr, sql: str) -> Result:
        """Return whether a query can run, without running it. Raises QueryError when it cannot."""
        self.describe(self.prepare(tree, sql, self.database), sql)
        self.scanned = 0
        return Result([describe("Valid", "boolean")], [["true"]])

    def describe(self, translated: str, sql: str) -> list[tuple[str, Any]]:
        """Return the names and DuckDB types of a translated query's columns, without running it."""
        described = self.execute(f"SELECT * FROM ({translated}) LIMIT 0", sql).description
        return [(name, kind) for name, kind, *_ in described]

    def execute(self, translated: str, sql: str) -> Any:
        """Run DuckDB's SQL; ``sql`` is what was asked for. Raises QueryError, or QueryCancelledError."""
        import duckdb

        if self.stopped:
            raise QueryCancelledError
        if self.cutoff and self.scanned > self.cutoff:
            raise QueryCancelledError("Bytes scanned limit was exceeded")
        try:
            athena_macros.define(self.connection, translated)
            return self.connection.execute(translated)
        except duckdb.InterruptException as error:
            raise QueryCancelledError from error
        except duckdb.Error as error:
            raise from_duckdb(error, sql) from error

    def _fetch(self, cursor: Any, sql: str) -> list[tuple[Any, ...]]:
        import duckdb

        if self.stopped:
            raise QueryCancelledError
        try:
            rows: list[tuple[Any, ...]] = cursor.fetchmany(ROWS_A_FETCH)
        except duckdb.InterruptException as error:
            raise QueryCancelledError from error
        except duckdb.Error as error:
            raise from_duckdb(error, sql) from error
        return rows

    def prepare(self, tree: exp.Expr, sql: str, database: str, depth: int = 0) -> str:
        """Bind a query's tables and return its SQL for DuckDB."""
        from sqlglot import exp

        athena_dialect.check(tree, sql)
        tree = tree.copy()
        athena_dialect.name_columns(tree)
        tree = athena_literals.literals(tree, sql)
        if isinstance(tree, exp.Query):
            self._bind_tables(tree, sql, database, depth)
        tree = athena_operators.rewrite(tree, self._types, sql)
        return athena_dialect.to_duckdb(tree)

    def _types(self, select: exp.Select) -> list[str]:
        """Return the types of a SELECT's columns: bound on tables that have no rows, and not run."""
        from sqlglot import exp

        for table in select.find_all(exp.Table):
            if table.name in self.typed:
                table.set("this", exp.to_identifier(self.typed[table.name], quoted=True))
        bound = self.execute(f"SELECT * FROM ({athena_dialect.to_duckdb(select)}) LIMIT 0", "")
        return [str(kind) for _, kind, *_ in bound.description]

    def _bind_tables(self, tree: exp.Query, sql: str, database: str, depth: int) -> None:
        from sqlglot import exp
        from sqlglot.errors import OptimizeError
        from sqlglot.optimizer.scope import traverse_scope

        try:
            scopes = traverse_scope(tree)
        except OptimizeError as error:
            raise QueryError(f"SYNTAX_ERROR: {error}") from error
        names = _names(tree)
        for scope in scopes:
            read = None if _has_star(scope.expression) else names
            tables = [
                (node, self._find(node, sql, database))
                for node, source in scope.selected_sources.values()
                if isinstance(node, exp.Table) and isinstance(source, exp.Table)
            ]
            for node, table in tables:
                conjuncts = conjuncts_on_keys(scope, node.alias_or_name, table.keys)
                _point_to(node, self._bind(table, conjuncts, sql, depth, names, read))
            for column in scope.columns:
                if column.db and column.db.lower() in {table.database for _, table in tables}:
                    column.set("db", None)
            if PATH_COLUMN in names:
                _hide_path(
                    scope.expression, {node.alias_or_name for node, table in tables if _has_path(table)}
                )

    def _find(self, node: exp.Table, sql: str, database: str) -> CatalogTable | DescribingTable:
        from sqlglot import exp

        at = position(sql, (node.this.meta if node.this else {}).get("start"))
        if not isinstance(node.this, exp.Identifier):
            raise QueryError(f"NOT_SUPPORTED: {at}table functions are not supported by the local Athena")
        if node.catalog and node.catalog.lower() != "awsdatacatalog":
            raise QueryError(f"CATALOG_NOT_FOUND: {at}Catalog '{node.catalog.lower()}' does not exist")
        within, name = (node.db or database).lower(), node.name.lower()
        return athena_information.describing(within, name, at) or find(within, name, at)

    def _bind(
        self,
        table: CatalogTable | DescribingTable,
        conjuncts: list[exp.Expr],
        sql: str,
        depth: int,
        names: set[str],
        read: set[str] | None,
    ) -> str:
        """Make a view of a catalog's table for this query, which has these names in it, and return its name.

        ``read`` are the names of the columns that are read of it, None for all.
        """
        number, self.bound = self.bound, self.bound + 1
        if isinstance(table, DescribingTable):
            body = self._description(table, number)
        elif table.is_view:
            body = self._view(table, depth)
        else:
            kept = kept_partitions(self.connection, table, conjuncts)
            sources = table.sources(kept)
            self.scanned += table.scanned(sources, read)
            with_path = PATH_COLUMN in names
            body = self._scan(table, sources, number, with_path)
            self.execute(f"CREATE TEMP VIEW typed{number} AS {_empty(table, with_path)}", sql)
            self.typed[f"bound{number}"] = f"typed{number}"
        self.execute(f"CREATE TEMP VIEW bound{number} AS {body}", sql)
        return f"bound{number}"

    def _description(self, table: DescribingTable, number: int) -> str:
        import pyarrow as pa

        places = range(len(table.columns))
        texts = {
            f"c{place}": pa.array([_text(row[place]) for row in table.rows], pa.string()) for place in places
        }
        self.connection.register(f"described{number}", pa.table(texts))
        shown = (
            f"CAST(c{place} AS {to_duckdb(kind)}) AS {quote(name)}"
            for place, (name, kind) in enumerate(table.columns.items())
        )
        return f"SELECT {', '.join(shown)} FROM described{number}"

    def _view(self, table: CatalogTable, depth: int) -> str:
        import sqlglot

        found = VIEW_TEXT.search(table.view_text)
        if not found or depth > VIEW_DEPTH:
            raise QueryError(
                f"INVALID_VIEW: View '{table.database}.{table.name}' cannot be read or is recursive"
            )
        stored = json.loads(base64.b64decode(found[1]))
        tree = sqlglot.parse_one(stored["originalSql"], read="athena")
        return self.prepare(tree, stored["originalSql"], stored.get("schema") or self.database, depth + 1)

    def _scan(self, table: CatalogTable, sources: list[Source], number: int, with_path: bool) -> str:
        import pyarrow as pa

        keys = {name: to_duckdb(kind) for name, kind in table.keys.items()}
        if not sources:
            return _empty(table, with_path)
        reader = table.reader(number, sources, self.connection)
        values: dict[str, list[str | None]] = {
            "file": [str(source.path) for source in sources],
            PATH_COLUMN: [source.uri for source in sources],
        }
        for place, key in enumerate(keys):
            column = (source.values[place] for source in sources)
            values[f"key {key}"] = [None if value == NULL_PARTITION else value for value in column]
        strings = {name: pa.array(column, pa.string()) for name, column in values.items()}
        self.connection.register(f"sources{number}", pa.table(strings))
        shown = [f"r.{quote(name)}" for name in table.columns if name not in keys]
        shown += [f"CAST(s.{quote(f'key {key}')} AS {kind}) AS {quote(key)}" for key, kind in keys.items()]
        shown += [f"s.{quote(PATH_COLUMN)}"] if with_path else []
        return f"SELECT {', '.join(shown)} FROM ({reader}) r JOIN sources{number} s ON r.filename = s.file"


def _names(tree: exp.Expr) -> set[str]:
    """Return the names of columns in a query, lower case; ``USING`` has some too."""
    from sqlglot import exp

    columns = {part.name.lower() for column in tree.find_all(exp.Column) for part in column.parts}
    joined = {name.name.lower() for join in tree.find_all(exp.Join) for name in join.args.get("using") or []}
    return columns | joined


def _has_star(select: exp.Expr) -> bool:
    from sqlglot import exp

    shown = select.expressions if isinstance(select, exp.Select) else []
    return any(isinstance(item.this if isinstance(item, exp.Column) else item, exp.Star) for item in shown)


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)


def _empty(table: CatalogTable, with_path: bool) -> str:
    """Return a SELECT of no rows with a table's columns."""
    columns = {name: to_duckdb(kind) for name, kind in {**table.columns, **table.keys}.items()}
    columns |= {PATH_COLUMN: "VARCHAR"} if with_path else {}
    nulls = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in columns.items())
    return f"SELECT {nulls} WHERE false"


def _numbered(names: list[str]) -> list[str]:
    """Number the columns without a name by their place in the result, which a ``*`` before them moves."""
    unnamed = re.compile(rf"{athena_literals.UNNAMED}\d+")
    return [
        f"{athena_literals.UNNAMED}{place}" if unnamed.fullmatch(name) else name
        for place, name in enumerate(names)
    ]


def _point_to(node: exp.Table, name: str) -> None:
    """Let a table of the query be the view ``name``, known by the alias or the name it had."""
    from sqlglot import exp

    if not node.alias:
        alias = exp.TableAlias(this=exp.to_identifier(node.name, quoted=True))
        node.set("alias", alias)
    for part in ("db", "catalog"):
        node.set(part, None)
    node.set("this", exp.to_identifier(name, quoted=True))


def _has_path(table: CatalogTable | DescribingTable) -> bool:
    return isinstance(table, CatalogTable) and not table.is_view


def _hide_path(select: exp.Expr, tables: set[str]) -> None:
    """Keep these tables' ``"$path"`` out of ``*``: it is shown only when it is asked for."""
    from sqlglot import exp

    for expression in select.args.get("expressions") or []:
        star = expression.this if isinstance(expression, exp.Column) else expression
        hidden = tables if not isinstance(expression, exp.Column) else tables & {expression.table}
        if isinstance(star, exp.Star) and hidden:
            star.set("except_", [exp.to_identifier(PATH_COLUMN, quoted=True)])
