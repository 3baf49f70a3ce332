"""UNLOAD: a query's rows as Parquet or JSON objects below an address, without a table.

Source: docs.aws.amazon.com/athena/latest/ug/unload.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from nearcast.local.gateway import athena_write
from nearcast.local.gateway.athena_ctas import check_keys, output_of, properties_of
from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_results import Result
from nearcast.local.gateway.athena_statements import Context, malformed, parse
from nearcast.local.gateway.athena_tables import directory, partition_folder

if TYPE_CHECKING:
    from sqlglot import exp

STATEMENT = re.compile(
    r"UNLOAD\s*\((?P<query>.*)\)\s*TO\s+'(?P<place>[^']*)'\s*WITH\s*(?P<properties>\(.*\))", re.I | re.S
)


def recognise_unload(
    sql: str, with_parameters: Callable[[exp.Expr], exp.Expr]
) -> Callable[[Context], Result]:
    """Return what the statement does. Raises AwsError (InvalidRequestException) when it is malformed."""
    found = STATEMENT.fullmatch(sql)
    if not found:
        raise malformed(
            "mismatched input. Expecting: UNLOAD (SELECT ...) TO 's3://...' WITH (format = '...')"
        )
    tree = with_parameters(parse(found["query"]))
    # The clause is that of CREATE TABLE AS, and so is what reads it.
    clause = parse(f"CREATE TABLE unloaded WITH {found['properties']} AS SELECT 1 AS one")
    return lambda context: _unload(context, tree, found["query"], found["place"], clause)


def _unload(context: Context, tree: exp.Expr, sql: str, place: str, clause: exp.Expr) -> Result:
    properties = properties_of(clause, {"format", "compression", "partitioned_by"})
    if "format" not in properties:
        raise QueryError("INVALID_TABLE_PROPERTY: UNLOAD needs the property format")
    output = output_of(properties)
    location = directory(place)
    athena_write.refuse_taken(location, context.query_id)
    session = context.session
    query = session.prepare(tree, sql, session.database)
    described = session.describe(query, sql)
    check_keys(output.keys, [column for column, _ in described])
    for _, kind in described:
        athena_write.storable(kind)
    folder, written = athena_write.write(context, athena_write.castable(query, described), output, sql)
    objects = athena_write.upload(
        context, folder, output, lambda values: location + partition_folder(output.keys, values)
    )
    return Result(statistics=athena_write.put_manifest(context, objects), written=written)
