"""The publisher's place in PostgreSQL: what is pending, what has left, what has arrived.

One step at a time is at work on a database: whoever takes rows holds an advisory lock until they are confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nearcast.errors import NearcastError
from nearcast.source.database import connect

if TYPE_CHECKING:
    from psycopg import Connection

LOCK_KEY = 0x6E656172
"""PostgreSQL's advisory lock of the one step."""
LOCK_TIMEOUT_S = 60
CATCH_UP_S = 60.0
"""A pause longer than this is not made up for."""

Row = tuple[Any, ...]
"""Values in the order of `nearcast.schema.BAR`; of a deletion only key and version, the others are None."""


class Change(NamedTuple):
    """A row or a deletion that was written down as published.

    ``due`` is its tick (None: it has none), ``pushed`` when it was written down; seconds since 1970 by
    PostgreSQL's clock. ``more`` holds the columns that the table has beyond a bar's, as JSON has them.
    """

    row: Row
    deleted: bool
    due: float | None
    pushed: float
    more: dict[str, Any] | None = None


@dataclass(frozen=True)
class Bounds:
    """What a publisher takes: these symbols (None: all), these days, both included (None: no bound)."""

    symbols: Sequence[str] | None = None
    since: Date | None = None
    until: Date | None = None

    def parameters(self) -> dict[str, Any]:
        """Return them as the SQL files take them."""
        days = {"since": self.since or "-infinity", "until": self.until or "infinity"}
        return {"symbols": list(self.symbols) if self.symbols else None, **days}


class Cursor:
    """A connection that takes and confirms what is pending within bounds.

    Raises SourceError when PostgreSQL cannot be reached; its methods raise psycopg.Error.
    """

    def __init__(self, dsn: str, bounds: Bounds) -> None:
        self.bounds = bounds.parameters()
        self.link: Connection[Any] = connect(dsn)
        self.link.autocommit = True
        # A plan for any number of rows would read whole tables.
        self.link.execute("SET plan_cache_mode = force_custom_plan; SET random_page_cost = 1.1")
        self.link.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'".encode())

    def close(self) -> None:
        """Close the connection; a lock that it holds is released."""
        self.link.close()

    @contextmanager
    def step(self) -> Iterator[None]:
        """Keep every other publisher from taking rows; wait while one does.

        Raises NearcastError when another one's step takes longer than `LOCK_TIMEOUT_S`.
        """
        from psycopg.errors import LockNotAvailable

        try:
            self.link.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        except LockNotAvailable as error:
            raise NearcastError(
                f"Another publisher has been in the middle of a step for {LOCK_TIMEOUT_S} s.",
                kept="This one's rows are still pending.",
                todo="Stop the other one (`SELECT * FROM pg_locks WHERE locktype = 'advisory'` has its pid), "
                "then publish again.",
            ) from error
        try:
            yield
        finally:
            if not self.link.closed:
                self.link.execute("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))

    def is_awaited(self) -> bool:
        """Tell whether another publisher waits for this one's step to end."""
        return bool(self._one("is_awaited.sql", {"key": LOCK_KEY})[0])

    def take(
        self,
        limit: int,
        after: Change | None = None,
        interval: float | None = None,
        first_due: float | None = None,
    ) -> list[Change]:
        """Write down up to ``limit`` pending changes as published and return them, oldest date first.

        They come ``after`` one that is on its way. With an ``interval`` (seconds) they get ticks, from ``first_due``
        (None: now) on, except those that an interrupted step took before: they keep theirs.
        """
        symbol, day = after.row[:2] if after else ("", "-infinity")
        place = {"limit": limit, "after_symbol": symbol, "after_date": day}
        ticks = {"interval": interval, "first_due": first_due}
        found = self.link.execute(_sql("take_pending.sql"), {**self.bounds, **place, **ticks}).fetchall()
        return [Change(row[:-4], *row[-4:]) for row in found]

    def confirm(self, changes: Iterable[Change]) -> None:
        """Record that DynamoDB has taken the changes."""
        taken = [change.row for change in changes]
        keys = {
            "symbols": [row[0] for row in taken],
            "dates": [row[1] for row in taken],
            "versions": [row[-1] for row in taken],
        }
        self.link.execute(_sql("confirm.sql"), keys)

    def count(self) -> int:
        """Return how many changes are pending."""
        return int(self._one("count_pending.sql", self.bounds)[0])

    def is_pending(self) -> bool:
        """Tell whether anything is pending."""
        return bool(self._one("is_pending.sql", self.bounds)[0])

    def ticks(self) -> tuple[float, float | None, float | None]:
        """Return now, the newest tick of the last `CATCH_UP_S`, and since when something has been pending."""
        now, newest, since = self._one("ticks.sql", {**self.bounds, "catch_up_s": CATCH_UP_S})
        return now, newest, since

    def _one(self, name: str, parameters: dict[str, Any]) -> Row:
        (found,) = self.link.execute(_sql(name), parameters).fetchall()
        return tuple(found)


@cache
def _sql(name: str) -> bytes:
    return Path(__file__).with_name(name).read_bytes()
