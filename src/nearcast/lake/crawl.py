"""Running the crawler over the raw prefix, and what it changed in the catalog."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nearcast.aws import client
from nearcast.errors import LakeError
from nearcast.settings import Settings

POLL_S = 0.25


@dataclass(frozen=True)
class CrawlReport:
    """What the crawler keeps in the catalog, and what this crawl changed there.

    Parameters
    ----------
    tables, partitions
        The tables that it keeps, and how many partitions they have together.
    created, updated
        The tables that this crawl created, and those whose definition it changed.
    new_partitions
        How many partitions this crawl added.
    """

    tables: list[str]
    partitions: int
    created: list[str]
    updated: list[str]
    new_partitions: int


def crawl(settings: Settings) -> CrawlReport:
    """Start the crawler (or join the crawl that runs), wait for its end. Raises LakeError when it fails."""
    glue = client("glue", settings)
    name = settings.need("crawler")
    before = _tables(glue, settings.database)
    known = _partitions(glue, settings.database, before, name)
    with suppress(glue.exceptions.CrawlerRunningException):
        glue.start_crawler(Name=name)
    while (crawler := glue.get_crawler(Name=name)["Crawler"])["State"] != "READY":
        time.sleep(POLL_S)
    last = crawler.get("LastCrawl", {})
    if last.get("Status") != "SUCCEEDED":
        raise LakeError(
            f"The crawler {name} failed: {last.get('ErrorMessage', 'no reason given')}",
            kept="The catalog is as it was before.",
            todo="Mend or remove the object it names, then run `nearcast lake crawl` again.",
        )
    after = _tables(glue, settings.database)
    partitions = _partitions(glue, settings.database, after, name)
    tables = _kept_by(after, name)
    return CrawlReport(
        tables=tables,
        partitions=len(partitions),
        created=[table for table in tables if table not in before],
        updated=[
            table
            for table in tables
            if table in before and before[table].get("VersionId") != after[table].get("VersionId")
        ],
        new_partitions=len(partitions - known),
    )


def _tables(glue: Any, database: str) -> dict[str, dict[str, Any]]:
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
    return {table["Name"]: table for page in pages for table in page["TableList"]}


def _kept_by(tables: Mapping[str, dict[str, Any]], crawler: str) -> list[str]:
    return [
        name
        for name, table in tables.items()
        if table.get("Parameters", {}).get("UPDATED_BY_CRAWLER") == crawler
    ]


def _partitions(
    glue: Any, database: str, tables: Mapping[str, dict[str, Any]], crawler: str
) -> set[tuple[str, ...]]:
    """Return the partitions of a crawler's tables: table and values."""
    pages = glue.get_paginator("get_partitions")
    return {
        (table, *partition["Values"])
        for table in _kept_by(tables, crawler)
        for page in pages.paginate(DatabaseName=database, TableName=table, ExcludeColumnSchema=True)
        for partition in page["Partitions"]
    }
