"""The publisher: what DynamoDB does not have yet of PostgreSQL's rows and deletions, oldest date first.

Its cursor is stored: a change is pending until PostgreSQL has recorded that DynamoDB took it. Each is written
down as published before it leaves, and confirmed after it arrived. So an interruption at any moment loses
nothing; at worst a change is pushed twice, which changes nothing.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812

from nearcast import aws
from nearcast.settings import Settings
from nearcast.source.database import refusals
from nearcast.stream.cursor import Bounds, Change, Cursor
from nearcast.stream.dynamodb import BATCH, KEPT, NEXT_STEP, Writer

THREADS = 4
CHUNK = 2 * BATCH * THREADS
"""Changes that are written down together, and confirmed together while the next ones are pushed."""
STEP = 10 * CHUNK
"""Changes after which a publisher asks whether to stop."""

Stop = Callable[[], bool]
Progress = Callable[[float], None]
Flight = list[tuple[list[Change], "Future[None]"]]
"""Batches on their way."""


@dataclass(frozen=True)
class PublishReport:
    """How many changes DynamoDB took, and how long that was in seconds."""

    published: int
    seconds: float


def never() -> bool:
    """Go on."""
    return False


def publish(
    settings: Settings,
    *,
    symbols: Sequence[str] | None = None,
    rate: float | None = None,
    since: Date | None = None,
    until: Date | None = None,
    limit: int | None = None,
    stop: Stop = never,
    on_progress: Progress | None = None,
) -> PublishReport:
    """Push changes to DynamoDB, in the order of date and symbol, until none is pending.

    Another publisher may work beside it: each step's rows are its own. When each row was pushed first is
    `first_published_at` in nearcast.publications.

    Parameters
    ----------
    settings
        `postgres_dsn` is the writer's; `prices_table` names DynamoDB's table.
    symbols, since, until, limit
        Only these symbols, these days (both included), at most so many rows.
    rate
        Rows a second, each at its own tick, as `nearcast.stream.pace.publish_paced` has them. None: no limit.
    stop
        Asked between steps; the run ends when it says so.
    on_progress
        Called with the number of changes that DynamoDB took since the last call.

    Raises
    ------
    NearcastError
        DynamoDB refused, or another publisher does not end its step; what DynamoDB took is recorded.
    SourceError
        PostgreSQL failed.
    """
    bounds = Bounds(symbols, since, until)
    if rate is not None:
        from nearcast.stream.pace import pace

        paced = pace(settings, bounds, rate=rate, limit=limit, wait=False, stop=stop, on_progress=on_progress)
        return PublishReport(paced.published, paced.seconds)
    published, started = 0, time.monotonic()
    with publisher(settings, bounds) as push:
        while (left := STEP if limit is None else min(STEP, limit - published)) and not stop():
            changes = push.step(left)
            if not changes:
                break
            published += len(changes)
            if on_progress:
                on_progress(len(changes))
    return PublishReport(published, time.monotonic() - started)


def count_pending(
    settings: Settings,
    *,
    symbols: Sequence[str] | None = None,
    since: Date | None = None,
    until: Date | None = None,
) -> int:
    """Return how many changes `publish` would push now.

    Raises
    ------
    SourceError
        PostgreSQL failed.
    """
    with refusals("Nothing was changed.", ""):
        cursor = Cursor(settings.need("postgres_dsn"), Bounds(symbols, since, until))
        try:
            return cursor.count()
        finally:
            cursor.close()


class Publisher:
    """An open cursor, a client of DynamoDB, and threads: what is needed to take a step."""

    def __init__(self, cursor: Cursor, writer: Writer, pool: ThreadPoolExecutor) -> None:
        self.cursor = cursor
        self.writer = writer
        self.pool = pool

    def step(self, limit: int, interval: float | None = None, first_due: float | None = None) -> list[Change]:
        """Take up to ``limit`` changes, push them, and confirm those that arrived, even when others failed.

        A chunk is taken, and the one before it confirmed, while others are pushed; no more are taken when
        another publisher waits. ``interval`` and ``first_due`` are `Cursor.take`'s, for a single chunk. Returns
        what was published; nothing: none is pending.
        """
        done: list[Change] = []
        flights: deque[Flight] = deque()
        with self.cursor.step():
            try:
                changes = self.cursor.take(min(CHUNK, limit), None, interval, first_due)
                while changes:
                    flights.append(self._launch(changes))
                    limit -= len(changes)
                    goes_on = limit and not self.cursor.is_awaited()
                    changes = self.cursor.take(min(CHUNK, limit), changes[-1]) if goes_on else []
                    if len(flights) > 1:
                        done += self._land(flights.popleft())
            finally:
                while flights:
                    done += self._land(flights.popleft())
        return done

    def _launch(self, changes: list[Change]) -> Flight:
        batches = [changes[start : start + BATCH] for start in range(0, len(changes), BATCH)]
        return [(batch, self.pool.submit(self.writer, batch)) for batch in batches]

    def _land(self, flight: Flight) -> list[Change]:
        """Wait for the batches, confirm those that arrived, and raise what went wrong with another."""
        failures = [failure for _, future in flight if (failure := future.exception())]
        arrived = [change for batch, future in flight if not future.exception() for change in batch]
        if arrived:
            self.cursor.confirm(arrived)
        if failures:
            raise failures[0]
        return arrived


@contextmanager
def publisher(settings: Settings, bounds: Bounds) -> Iterator[Publisher]:
    """Yield a publisher within ``bounds``; what PostgreSQL refuses meanwhile is a SourceError."""
    writer = Writer(aws.client("dynamodb", settings, validate=False), settings.need("prices_table"))
    with refusals(KEPT, NEXT_STEP), ThreadPoolExecutor(THREADS) as pool:
        cursor = Cursor(settings.need("postgres_dsn"), bounds)
        try:
            yield Publisher(cursor, writer, pool)
        finally:
            cursor.close()
