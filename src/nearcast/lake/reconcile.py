"""The source against the lake, row by row and bit by bit; and mending by publishing again."""

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
        Rows of the source whose newest version is not published yet; they are not compared.
    missing
        Published rows that the lake lacks.
    extra
        Rows of the lake that the source lacks.
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

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.different or self.duplicates)


def reconcile(settings: Settings, symbols: Sequence[str] | None = None) -> Difference:
    """Compare the published rows of the source with the lake's local copy, brought up to date first.

    Prices are equal when their 64 bits are, volumes and versions when they are equal as integers.
    """
    from nearcast.lake.sync import sync

    sync(settings)
    source, pending = source_rows(settings, symbols)
    lake = lake_rows(settings, symbols)
    counted = Counter(key for key, _ in lake)
    held = dict(lake)
    return Difference(
        source_rows=len(source) + len(pending),
        lake_rows=len(lake),
        pending=len(pending),
        missing=sorted(source.keys() - held.keys()),
        extra=sorted(held.keys() - source.keys() - pending),
        different=sorted(key for key in source.keys() & held.keys() if source[key] != held[key]),
        duplicates=sorted(key for key, times in counted.items() if times > 1),
    )


def source_rows(
    settings: Settings, symbols: Sequence[str] | None = None
) -> tuple[dict[Key, bytes], set[Key]]:
    """Return the packed values of every published row by key, and the keys of those still to publish."""
    from nearcast.source.database import connect

    query = Path(__file__).with_name("source_rows.sql").read_bytes()
    with connect(settings.need("postgres_dsn")) as connection:
        rows = connection.execute(query, {"symbols": list(symbols) if symbols else None}).fetchall()
    published = dict(_packed(row[:-1]) for row in rows if row[-1])
    return published, {_packed(row[:-1])[0] for row in rows if not row[-1]}


def lake_rows(settings: Settings, symbols: Sequence[str] | None = None) -> list[tuple[Key, bytes]]:
    """Return the key and the packed values of every row of the local copy's snapshot."""
    from nearcast.lake.snapshot import read_snapshot

    table = read_snapshot(settings, list(COLUMNS))
    wanted = set(symbols or ())
    rows = zip(*(table[name].to_pylist() for name in COLUMNS), strict=True)
    return [_packed(row) for row in rows if not wanted or row[0] in wanted]


def _packed(row: Sequence[Any]) -> tuple[Key, bytes]:
    """Return a row's key and the exact bits of its values (4 doubles, 2 integers)."""
    return (row[0], row[1].isoformat()), struct.pack("<4d2q", *row[2:])


def repair(settings: Settings, difference: Difference, note: Callable[[str], None]) -> int:
    """Publish the missing and different rows again, under new versions; return how many arrived.

    A row that DynamoDB already holds unchanged causes no change record; a new version, given by PostgreSQL,
    makes it one. Raises LakeError when they do not reach the lake within `ARRIVAL_TIMEOUT_S`.
    """
    from nearcast.stream.publisher import publish

    keys = sorted({*difference.missing, *difference.different})
    if not keys:
        return 0
    renew_versions(settings, keys)
    symbols = sorted({symbol for symbol, _ in keys})
    note(f"publishing {len(keys)} rows again")
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
    from nearcast.source.database import connect

    with connect(settings.need("postgres_dsn")) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE again (LIKE nearcast.prices) ON COMMIT DROP")
        for key in keys:
            cursor.execute(
                "WITH gone AS (DELETE FROM nearcast.prices WHERE stock_symbol = %s AND date = %s RETURNING *)"
                " INSERT INTO again SELECT * FROM gone",
                key,
            )
        # The trigger of an INSERT gives each row its new version.
        cursor.execute("INSERT INTO nearcast.prices SELECT * FROM again")


def _still_wrong(settings: Settings, symbols: Sequence[str], keys: Sequence[Key]) -> list[Key]:
    now = reconcile(settings, symbols)
    return sorted({*now.missing, *now.different} & set(keys))
