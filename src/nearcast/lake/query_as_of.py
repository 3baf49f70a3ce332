"""Athena queries over the Hudi table as it was at a commit.

Athena cannot travel in time over Hudi tables, so the snapshot is an external table for the time of the query.
Source: docs.aws.amazon.com/athena/latest/ug/querying-hudi-in-athena-considerations.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from nearcast.aws import client
from nearcast.errors import LakeError
from nearcast.lake.kept_snapshots import commit_as_of, snapshot_location
from nearcast.lake.query import QueryResult, query
from nearcast.schema import DATABASE, HUDI_TABLE
from nearcast.settings import Settings

PARQUET = "org.apache.hadoop.hive.ql.io.parquet."


def query_as_of(settings: Settings, sql: str, moment: str) -> tuple[QueryResult, str]:
    """Run a SELECT on Athena with the table ``prices`` as it was at a moment; return the commit's instant too.

    Parameters
    ----------
    settings
        The settings; needs the Hudi bucket and the workgroup.
    sql
        The statement, in Athena's SQL.
    moment
        As `nearcast.lake.kept_snapshots.commit_as_of` takes it.

    Raises
    ------
    LakeError
        When the statement is no SELECT over ``prices``, the commit can no longer be read, or the query fails.
    """
    name = f"{HUDI_TABLE}_as_of_{uuid4().hex[:8]}"
    statement = with_table(sql, name, settings.database)
    instant = commit_as_of(settings, moment)
    with _external_table(settings, name, snapshot_location(settings, instant)):
        return query(settings, statement), instant


def with_table(sql: str, name: str, database: str = DATABASE) -> str:
    """Return a SELECT with another table in the place of ``prices`` (of ``database``).

    Raises
    ------
    LakeError
        When it is no SELECT, or does not read ``prices``.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.scope import traverse_scope

    try:
        trees = [tree for tree in sqlglot.parse(sql, read="athena") if tree is not None]
    except SqlglotError as error:
        raise LakeError(
            f"The statement was not understood: {error}", todo="Correct the statement."
        ) from error
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise LakeError(
            "Only a SELECT can be asked as of a commit.", todo="Leave out --as-of, or ask a SELECT."
        )
    # A scope's sources that are tables are the catalog's: a name that a WITH defines has a scope as its source.
    tables = {
        id(source): source
        for scope in traverse_scope(trees[0])
        for source in scope.sources.values()
        if isinstance(source, exp.Table) and _is_prices(source, database)
    }
    if not tables:
        raise LakeError(
            f"The statement does not read {HUDI_TABLE}, the one table that has commits.",
            todo="Leave out --as-of.",
        )
    for table in tables.values():
        alias = exp.to_identifier(table.alias or HUDI_TABLE)
        table.set("this", exp.to_identifier(name))
        if not table.alias:
            table.set("alias", exp.TableAlias(this=alias))
    return trees[0].sql(dialect="athena")


def _is_prices(table: object, database: str) -> bool:
    from sqlglot import exp

    assert isinstance(table, exp.Table)
    return table.name.lower() == HUDI_TABLE and table.db.lower() in ("", database)


@contextmanager
def _external_table(settings: Settings, name: str, location: str) -> Iterator[None]:
    """Keep a table of the catalog over the Parquet objects at ``location``, with the columns of ``prices``."""
    glue = client("glue", settings)
    try:
        prices = glue.get_table(DatabaseName=settings.database, Name=HUDI_TABLE)["Table"]
    except glue.exceptions.EntityNotFoundException as error:
        raise LakeError(
            f"The catalog has no table {HUDI_TABLE}.", todo="Run `nearcast lake upsert` first."
        ) from error
    glue.create_table(
        DatabaseName=settings.database,
        TableInput={
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
            "StorageDescriptor": {
                "Columns": [*prices["StorageDescriptor"]["Columns"], *prices["PartitionKeys"]],
                "Location": location,
                "InputFormat": f"{PARQUET}MapredParquetInputFormat",
                "OutputFormat": f"{PARQUET}MapredParquetOutputFormat",
                "SerdeInfo": {"SerializationLibrary": f"{PARQUET}serde.ParquetHiveSerDe"},
            },
        },
    )
    try:
        yield
    finally:
        glue.delete_table(DatabaseName=settings.database, Name=name)
