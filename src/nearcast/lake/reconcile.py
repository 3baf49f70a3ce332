"""The source against the lake, row by row and bit by bit; and mending by publishing rows and deletions again."""

from __future__ import annotations

import struct
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nearcast.errors import LakeError
from nearcast.lake.upsert import run_job, waiting_objects
from nearcast.schema import BAR
from nearcast.settings import Settings

ARRIVAL_TIMEOUT_S = 600.0
POLL_S = 0.5

Key = tuple[str, str]
COLUMNS = tuple(column.name for column in BAR)


@dataclass
class Difference:
    """What distinguishes the lake from the source; keys are (stock_symbol, date).

    Parameters
    ----------
    source_rows, lake_rows
        How many rows each holds.
    pending
        Rows of the source and deletions whose newest version is not published yet, or was too short a time ago;
        their keys are not compared.
    missing
        Published rows that the lake lacks.
    extra
        Rows of the lake that the source lacks, and whose deletion is not pending.
    different
        Rows that both hold with other values or another version.
    duplicates
        Keys that the lake holds more than once.
    """

    source_rows: int = 0
    lake_rows: int = 0
    pending: int = 0
    missing: list[Key] = field(default_factory=list)
    extra: list[Key] = field(default_factory=list)
    different: list[Key] = field(default_factory=list)
    duplicates: list[Key] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return how many rows are missing, extra, different and duplicates."""
        names = ("missing", "extra", "different", "duplicates")
        return {name: len(getattr(self, name)) for name in names}

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.different or self.duplicates)


@dataclass(frozen=True)
class Source:
    """What PostgreSQL holds: packed values of the published rows by key, and the keys that are under way."""

    rows: dict[Key, bytes]
    pending_rows: set[Key]
    pending_deletions: set[Key]

    @property
    def pending(self) -> set[Key]:
        """Keys that are not compared."""
        return self.pending_rows | self.pending_deletions


def reconcile(
    settings: Settings, symbols: Sequence[str] | None = None, *, settle_s: float = 0.0
) -> Difference:
    """Compare the published rows of the source with the lake's local copy, brought up to date first.

    Prices are equal when their 64 bits are, volumes and versions when they are equal as integers. What DynamoDB
    took less than ``settle_s`` seconds ago counts as pending: it may be on its way.
    """
    from nearcast.lake.sync import sync

    sync(settings)
    source = source_rows(settings, symbols, settle_s)
    lake = lake_rows(settings, symbols)
    counted = Counter(key for key, _ in lake)
    held = dict(lake)
    return Difference(
        source_rows=len(source.rows) + len(source.pending_rows),
        lake_rows=len(lake),
        pending=len(source.pending),
        missing=sorted(source.rows.keys() - held.keys()),
        extra=sorted(held.keys() - source.rows.keys() - source.pending),
        different=sorted(key for key in source.rows.keys() & held.keys() if source.rows[key] != held[key]),
        duplicates=sorted(key for key, times in counted.items() if times > 1),
    )


def source_rows(settings: Settings, symbols: Sequence[str] | None = None, settle_s: float = 0.0) -> Source:
    """Return what PostgreSQL holds; what was confirmed less than ``settle_s`` seconds ago is pending."""
    from nearcast.source.database import connect

    query = Path(__file__).with_name("source_rows.sql").read_bytes()
    bounds = {"symbols": list(symbols) if symbols else None, "settle_s": settle_s}
    found = Source({}, set(), set())
    with connect(settings.need("postgres_dsn")) as connection:
        for *row, deleted, published in connection.execute(query, bounds):
            key = (row[0], row[1].isoformat())
            if not published:
                (found.pending_deletions if deleted else found.pending_rows).add(key)
            elif not deleted:
                found.rows[key] = _packed(row)[1]
    return found


def lake_rows(settings: Settings, symbols: Sequence[str] | None = None) -> list[tuple[Key, bytes]]:
    """Return the key and the packed values of every row of the local copy's snapshot."""
    from nearcast.lake.snapshot import read_snapshot

    table = read_snapshot(settings, COLUMNS, symbols or ())
    rows = zip(*(table[name].to_pylist() for name in COLUMNS), strict=True)
    return [_packed(row) for row in rows]


def _packed(row: Sequence[Any]) -> tuple[Key, bytes]:
    """Return a row's key and the exact bits of its values (4 doubles, 2 integers)."""
    return (row[0], row[1].isoformat()), struct.pack("<4d2q", *row[2:])


def repair(settings: Settings, difference: Difference, note: Callable[[str], None]) -> int:
    """Publish missing and different rows, and the deletion of extra ones, under new versions; return how many.

    A row that DynamoDB already holds unchanged causes no change record; a new version, given by PostgreSQL,
    makes it one. Raises LakeError when they do not reach the lake within `ARRIVAL_TIMEOUT_S`.
    """
    from nearcast.stream.publisher import publish

    rows = sorted({*difference.missing, *difference.different})
    keys = sorted({*rows, *difference.extra})
    if not keys:
        return 0
    renew_versions(settings, rows)
    delete_again(settings, difference.extra)
    symbols = sorted({symbol for symbol, _ in keys})
    note(f"publishing {len(rows)} rows and {len(difference.extra)} deletions again")
    publish(settings, symbols=symbols)
    deadline = time.monotonic() + ARRIVAL_TIMEOUT_S
    while wrong := _still_wrong(settings, symbols, keys):
        if time.monotonic() > deadline:
            raise LakeError(
                f"{len(wrong)} of {len(keys)} rows did not reach the lake, first {wrong[0]}.",
                kept="They are published; nothing was taken away.",
                todo="See the error prefix and the job's runs, then run `nearcast lake reconcile` again.",
            )
        if waiting_objects(settings):
            run_job(settings)
        time.sleep(POLL_S)
    return len(keys)


def renew_versions(settings: Settings, keys: Sequence[Key]) -> None:
    """Let PostgreSQL give the rows of ``keys`` new versions, values unchanged."""
    _execute(settings, "renew_versions.sql", keys)


def delete_again(settings: Settings, keys: Sequence[Key]) -> None:
    """Record deletions of ``keys`` under new versions; a key that the source holds by now is left alone."""
    _execute(settings, "delete_again.sql", keys)


def _execute(settings: Settings, name: str, keys: Sequence[Key]) -> None:
    from nearcast.source.database import connect

    statement = Path(__file__).with_name(name).read_bytes()
    columns = {"symbols": [symbol for symbol, _ in keys], "dates": [day for _, day in keys]}
    with connect(settings.need("postgres_dsn")) as connection:
        # No insert between the look at the prices and the record of a deletion.
        connection.execute("LOCK TABLE nearcast.prices IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(statement, columns)


def _still_wrong(settings: Settings, symbols: Sequence[str], keys: Sequence[Key]) -> list[Key]:
    now = reconcile(settings, symbols)
    return sorted({*now.missing, *now.different, *now.extra} & set(keys))
