"""The publisher: rows of PostgreSQL that DynamoDB does not have yet, pushed oldest first.

Its cursor is stored: a row is pending until PostgreSQL has recorded that DynamoDB took its newest version.
Each row is written down as published before it leaves, and confirmed after it arrived. So an interruption at
any moment loses nothing; at worst a row is pushed twice, which changes nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast import aws
from nearcast.errors import NearcastError
from nearcast.schema import BAR
from nearcast.settings import Settings
from nearcast.source.database import connect, refusals

if TYPE_CHECKING:
    from psycopg import Connection

    Link = Connection[tuple[Any, ...]]

BATCH = 25
"""Items in one BatchWriteItem: DynamoDB's limit."""
THREADS = 8
CHUNK = BATCH * THREADS * 3
"""Rows that are written down, pushed and confirmed together."""
ATTEMPTS = 12
"""How often items that DynamoDB did not process are sent before giving up (about half a minute)."""
LOCK_KEY = 0x6E656172
"""PostgreSQL's advisory lock of the one publisher."""

KEPT = "Every row that DynamoDB took is recorded; the others are still pending."
NEXT_STEP = "Publish again: it goes on where it stopped."

Row = tuple[Any, ...]
"""Values in the order of `nearcast.schema.BAR`."""


@dataclass(frozen=True)
class PublishReport:
    """How many rows DynamoDB took, and how long that was in seconds."""

    published: int
    seconds: float


def publish(
    settings: Settings,
    *,
    symbols: Sequence[str] | None = None,
    rate: float | None = None,
    since: Date | None = None,
    until: Date | None = None,
    limit: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> PublishReport:
    """Push the rows that are pending now to DynamoDB, in the order of date and symbol.

    When each row was pushed first is `first_published_at` in nearcast.publications.

    Parameters
    ----------
    settings
        `postgres_dsn` is the writer's; `prices_table` names DynamoDB's table.
    symbols, since, until, limit
        Only these symbols, these days (both included), at most so many rows.
    rate
        Rows a second, each at its own tick of the wall clock; late ticks are caught up. None: no limit.
    on_progress
        Called with the number of rows that DynamoDB took since the last call.

    Raises
    ------
    NearcastError
        Another publisher is at work, or DynamoDB refused; what it took is recorded.
    SourceError
        PostgreSQL failed.
    """
    if rate is not None and not rate > 0:
        raise NearcastError(
            f"A rate of {rate:g} rows a second publishes nothing.", todo="Name a rate above 0."
        )
    bounds = _bounds(symbols, since, until)
    put = _Writer(aws.client("dynamodb", settings), settings.need("prices_table"))
    published = 0
    with (
        refusals(KEPT, NEXT_STEP),
        connect(settings.need("postgres_dsn")) as link,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        _lock(link)
        pending, started = _count(link, bounds), time.monotonic()
        rows_left = pending if limit is None else min(pending, limit)
        while rows_left > 0:
            rows = _take(link, bounds, min(rows_left, _due(rate, started, published)))
            if not rows:
                break
            _push(link, pool, put, rows)
            published, rows_left = published + len(rows), rows_left - len(rows)
            bounds |= {"after_symbol": rows[-1][0], "after_date": rows[-1][1]}
            if on_progress:
                on_progress(len(rows))
    return PublishReport(published, time.monotonic() - started)


def count_pending(
    settings: Settings,
    *,
    symbols: Sequence[str] | None = None,
    since: Date | None = None,
    until: Date | None = None,
) -> int:
    """Return how many rows `publish` would push now.

    Raises
    ------
    SourceError
        PostgreSQL failed.
    """
    with refusals("Nothing was changed.", ""), connect(settings.need("postgres_dsn")) as link:
        return _count(link, _bounds(symbols, since, until))


def to_item(row: Row) -> dict[str, dict[str, str]]:
    """Return a row as DynamoDB's item; its numbers come back from their strings bit by bit."""
    return {
        column.name: {"S": str(value)} if column.postgres in ("text", "date") else {"N": repr(value)}
        for column, value in zip(BAR, row, strict=True)
    }


class _Writer:
    """Puts batches of up to 25 rows into one table."""

    def __init__(self, client: Any, table: str) -> None:
        self.client = client
        self.table = table

    def __call__(self, rows: Sequence[Row]) -> None:
        """Put the rows; what DynamoDB leaves unprocessed is sent again, ever later.

        Exponential backoff with full jitter: AWS Architecture Blog, Exponential Backoff And Jitter.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        requests = [{"PutRequest": {"Item": to_item(row)}} for row in rows]
        for attempt in range(ATTEMPTS):
            try:
                answer = self.client.batch_write_item(RequestItems={self.table: requests})
            except (BotoCoreError, ClientError) as error:
                raise NearcastError(f"DynamoDB refused: {error}", kept=KEPT, todo=NEXT_STEP) from error
            requests = answer.get("UnprocessedItems", {}).get(self.table, [])
            if not requests:
                return
            time.sleep(random.uniform(0, min(5.0, 0.05 * 2**attempt)))
        raise NearcastError(
            f"DynamoDB left {len(requests)} rows of a batch unprocessed {ATTEMPTS} times.",
            kept=KEPT,
            todo=f"Raise the table's write capacity, or publish at a lower rate. {NEXT_STEP}",
        )


def _push(
    link: Link, pool: ThreadPoolExecutor, put: Callable[[Sequence[Row]], None], rows: list[Row]
) -> None:
    """Push the rows in parallel batches and confirm those that arrived, even when others failed."""
    batches = list(_batches(rows))
    futures = [pool.submit(put, batch) for batch in batches]
    failures = [future.exception() for future in futures]
    _confirm(link, [row for batch, bad in zip(batches, failures, strict=True) if not bad for row in batch])
    for failure in failures:
        if failure:
            raise failure


def _batches(rows: list[Row]) -> Iterator[list[Row]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _due(rate: float | None, started: float, published: int) -> int:
    """Wait for the next row's tick; return how many rows are due (all that fit, when there is no rate)."""
    if rate is None:
        return CHUNK
    time.sleep(max(0.0, started + published / rate - time.monotonic()))
    ticks = int((time.monotonic() - started) * rate) + 1
    return min(BATCH, max(1, ticks - published))


def _bounds(symbols: Sequence[str] | None, since: Date | None, until: Date | None) -> dict[str, Any]:
    return {
        "after_date": since or "-infinity",
        "after_symbol": "",
        "until": until or "infinity",
        "symbols": list(symbols) if symbols else None,
    }


def _lock(link: Link) -> None:
    """Take the publisher's lock until the connection ends."""
    taken = link.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()
    link.commit()
    if taken != (True,):
        raise NearcastError(
            "Another publisher is at work on this database.",
            kept="Nothing was published by this one.",
            todo="Wait until it is done, or stop it.",
        )


def _sql(name: str) -> bytes:
    return Path(__file__).with_name(name).read_bytes()


def _count(link: Link, bounds: dict[str, Any]) -> int:
    found = link.execute(_sql("count_pending.sql"), bounds).fetchone()
    link.commit()
    return int(found[0]) if found else 0


def _take(link: Link, bounds: dict[str, Any], limit: int) -> list[Row]:
    rows = link.execute(_sql("take_pending.sql"), {**bounds, "limit": limit}).fetchall()
    link.commit()
    return rows


def _confirm(link: Link, rows: Iterable[Row]) -> None:
    taken = list(rows)
    keys = {
        "symbols": [row[0] for row in taken],
        "dates": [row[1] for row in taken],
        "versions": [row[-1] for row in taken],
    }
    link.execute(_sql("confirm.sql"), keys)
    link.commit()
