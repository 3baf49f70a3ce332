"""Ways to write rows to DynamoDB, each run in a process of its own.

``python -m nearcast.bench.writers WAY START COUNT`` with NEARCAST_HOME: writes, then prints one JSON document
with the rows, the seconds and this process's CPU seconds of the writing alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from itertools import islice

from nearcast.settings import Settings, load_settings

CEILING_PREFIX = "C."
ONE_CLIENT_PREFIX = "O."
Timed = Callable[[], int]


def publisher(settings: Settings, start: int, count: int) -> Timed:
    """`nearcast publish` of ``count`` rows that are pending."""
    import psycopg  # noqa: F401 - what is imported late is no part of the writing

    from nearcast.aws import client
    from nearcast.stream.publisher import publish

    client("dynamodb", settings, validate=False)
    return lambda: publish(settings, limit=count).published


def ceiling(settings: Settings, start: int, count: int) -> Timed:
    """A loop of BatchWriteItem over ready items with as many threads as the publisher's: the server's own limit."""
    from nearcast.aws import client
    from nearcast.bench.rows import bars
    from nearcast.stream.dynamodb import BATCH, to_item
    from nearcast.stream.publisher import THREADS

    names = [field.name for field in fields(next(bars(1)))][:-1]
    rows = islice(bars(start + count, CEILING_PREFIX), start, None)
    items = [
        to_item((*(getattr(bar, name) for name in names), number)) for number, bar in enumerate(rows, start=1)
    ]
    dynamodb, table = client("dynamodb", settings, validate=False), settings.need("prices_table")

    def put(first: int) -> int:
        requests = [{"PutRequest": {"Item": item}} for item in items[first : first + BATCH]]
        answer = dynamodb.batch_write_item(RequestItems={table: requests})
        return len(requests) - len(answer.get("UnprocessedItems", {}).get(table, []))

    def write() -> int:
        with ThreadPoolExecutor(THREADS) as pool:
            return sum(pool.map(put, range(0, len(items), BATCH)))

    return write


def one_client(settings: Settings, start: int, count: int) -> Timed:
    """A SELECT and a new boto3 client for each row."""
    import boto3
    import psycopg

    from nearcast.aws import check_target
    from nearcast.schema import BAR
    from nearcast.stream.dynamodb import to_item

    check_target(settings)
    names = ", ".join(column.name for column in BAR)
    query = f"SELECT {names} FROM nearcast.prices ORDER BY date, stock_symbol LIMIT 1 OFFSET %s"
    secret = settings.aws_secret_access_key

    def write() -> int:
        with psycopg.connect(settings.need("postgres_dsn")) as link:
            for number in range(start, start + count):
                row = link.execute(query.encode(), (number,)).fetchone()
                assert row is not None
                dynamodb = boto3.client(
                    "dynamodb",
                    endpoint_url=settings.aws_endpoint_url,
                    region_name=settings.aws_region,
                    aws_access_key_id=settings.aws_access_key_id,
                    aws_secret_access_key=secret.get_secret_value() if secret else None,
                )
                item = to_item((f"{ONE_CLIENT_PREFIX}{row[0]}", *row[1:]))
                dynamodb.put_item(TableName=settings.need("prices_table"), Item=item)
        return count

    return write


WAYS = {"publisher": publisher, "ceiling": ceiling, "one_client": one_client}


def main() -> None:
    """Prepare, write, and print what it took."""
    way, start, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    write = WAYS[way](load_settings(), start, count)
    epoch, began, cpu = time.time(), time.perf_counter(), time.process_time()
    rows = write()
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"rows": rows, "epoch": epoch, "seconds": seconds, "cpu_s": cpu_s}))


if __name__ == "__main__":
    main()
