"""What the catalog holds: SHOW and DESCRIBE, laid out as Athena does.

Source: docs.aws.amazon.com/athena/latest/ug/show-tables.html and describe-table.html
"""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import Any

from nearcast.local.gateway import calls
from nearcast.local.gateway.athena_ddl import find_table, locate, partitioned
from nearcast.local.gateway.athena_results import Result
from nearcast.local.gateway.athena_statements import NAME, UTILITY, Context
from nearcast.local.gateway.athena_types import describe

LIKE = r"(?:\s+(?:LIKE\s+)?'(?P<like>[^']*)')?"
WIDTH = 20


def _lines(column: str, lines: list[str]) -> Result:
    return Result([describe(column, "string")], [[line] for line in lines])


def _matching(names: list[str], pattern: str | None) -> list[str]:
    """Filter by Hive's pattern: ``*`` for any text, ``|`` between choices."""
    choices = (pattern or "*").lower().split("|")
    return sorted(name for name in names if any(fnmatch(name, choice) for choice in choices))


def _tables(context: Context, database: str | None) -> list[dict[str, Any]]:
    name, _ = locate(context, f"{database or context.session.database}.x")
    tables: list[dict[str, Any]] = calls.glue("GetTables", DatabaseName=name)["TableList"]
    return tables


def _show_tables(context: Context, match: re.Match[str]) -> Result:
    names = [table["Name"] for table in _tables(context, match["database"])]
    return _lines("tab_name", _matching(names, match["like"]))


def _show_views(context: Context, match: re.Match[str]) -> Result:
    tables = _tables(context, match["database"])
    names = [table["Name"] for table in tables if table.get("TableType") == "VIRTUAL_VIEW"]
    return _lines("views", _matching(names, match["like"]))


def _show_databases(context: Context, match: re.Match[str]) -> Result:
    names = [database["Name"] for database in calls.glue("GetDatabases")["DatabaseList"]]
    return _lines("database_name", _matching(names, match["like"]))


def _show_partitions(context: Context, match: re.Match[str]) -> Result:
    table = partitioned(context, match["name"])
    named = (zip(table.keys, partition.values, strict=True) for partition in table.partitions())
    return _lines("partition", sorted("/".join(f"{k}={v}" for k, v in pairs) for pairs in named))


def _show_columns(context: Context, match: re.Match[str]) -> Result:
    table = find_table(context, match["name"])
    return _lines("field", [f"{name:<{WIDTH}}" for name in (*table.columns, *table.keys)])


def _describe(context: Context, match: re.Match[str]) -> Result:
    """One value a row, its three fields padded and parted by tabs; partition keys a second time below."""
    table = find_table(context, match["name"])
    comments = {c["Name"].lower(): c.get("Comment", "") for c in table.descriptor.get("Columns") or []}

    def line(name: str, kind: str) -> str:
        return "\t".join(f"{part:<{WIDTH}}" for part in (name, kind, comments.get(name, "")))

    lines = [line(name, kind) for name, kind in (table.columns | table.keys).items()]
    if table.keys:
        blank = "\t".join([" " * WIDTH] * 3)
        header = "\t".join(f"{part:<{WIDTH}}" for part in ("# col_name", "data_type", "comment"))
        title = "\t".join(f"{part:<{WIDTH}}" for part in ("# Partition Information", "", ""))
        lines += [blank, title, header, blank, *(line(name, kind) for name, kind in table.keys.items())]
    columns = [describe(name, "string") for name in ("col_name", "data_type", "comment")]
    return Result(columns, [[line] for line in lines])


FROM_DATABASE = r"(?:\s+(?:IN|FROM)\s+(?P<database>[`\"\w-]+))?"
STATEMENTS = (
    (rf"SHOW\s+TABLES{FROM_DATABASE}{LIKE}", UTILITY, "SHOW_TABLES", _show_tables),
    (rf"SHOW\s+VIEWS{FROM_DATABASE}{LIKE}", UTILITY, "SHOW_VIEWS", _show_views),
    (rf"SHOW\s+(?:DATABASES|SCHEMAS){LIKE}", UTILITY, "SHOW_DATABASES", _show_databases),
    (rf"SHOW\s+PARTITIONS\s+{NAME}", UTILITY, "SHOW_PARTITIONS", _show_partitions),
    (rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{NAME}", UTILITY, "SHOW_COLUMNS", _show_columns),
    (rf"DESC(?:RIBE)?\s+{NAME}", UTILITY, "DESCRIBE_TABLE", _describe),
)
"""Pattern, StatementType, SubstatementType and what is done."""
