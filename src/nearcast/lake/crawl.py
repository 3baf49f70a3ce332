"""Running the crawler over the raw prefix, and what it found."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

from nearcast.aws import client
from nearcast.errors import LakeError
from nearcast.schema import DATABASE
from nearcast.settings import Settings

POLL_S = 0.25


@dataclass(frozen=True)
class CrawlReport:
    """The tables that the crawler keeps, and how many partitions they have."""

    tables: list[str]
    partitions: int


def crawl(settings: Settings) -> CrawlReport:
    """Start the crawler (or join the crawl that runs), wait for its end. Raises LakeError when it fails."""
    glue = client("glue", settings)
    name = settings.need("crawler")
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
    tables = [
        table["Name"]
        for page in glue.get_paginator("get_tables").paginate(DatabaseName=DATABASE)
        for table in page["TableList"]
        if table.get("Parameters", {}).get("UPDATED_BY_CRAWLER") == name
    ]
    pages = glue.get_paginator("get_partitions")
    count = sum(
        len(page["Partitions"])
        for table in tables
        for page in pages.paginate(DatabaseName=DATABASE, TableName=table, ExcludeColumnSchema=True)
    )
    return CrawlReport(tables, count)
