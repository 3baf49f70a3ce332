"""Rows of the lake that are known to be wrong: they stay where they are, and nothing is computed from them."""

from __future__ import annotations

import datetime
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nearcast.errors import LakeError
from nearcast.log import get_logger
from nearcast.settings import Settings
from nearcast.source.database import connect, refusals

if TYPE_CHECKING:
    import pandas as pd

Version = tuple[str, datetime.date, int]
"""One version of a row: its symbol, date and version."""

log = get_logger("quarantine")


@dataclass(frozen=True)
class Quarantined:
    """A version of a row, one check that it breaks, why, and since when and until when that is known."""

    stock_symbol: str
    date: datetime.date
    version: int
    check_name: str
    reason: str
    first_seen_at: datetime.datetime
    last_seen_at: datetime.datetime


def quarantined(connection: Any) -> list[Quarantined]:
    """Return what is quarantined now, a row for each check that it breaks, by symbol and date."""
    from psycopg.rows import class_row

    with connection.cursor(row_factory=class_row(Quarantined)) as cursor:
        found: list[Quarantined] = cursor.execute(
            "SELECT * FROM nearcast.quarantined ORDER BY stock_symbol, date, version, check_name"
        ).fetchall()
    return found


def quarantined_versions(connection: Any) -> set[Version]:
    """Return which versions of rows are quarantined now."""
    query = "SELECT DISTINCT stock_symbol, date, version FROM nearcast.quarantined"
    return {(symbol, day, version) for symbol, day, version in connection.execute(query)}


def leave_out(bars: pd.DataFrame, versions: set[Version]) -> pd.DataFrame:
    """Return the bars without those versions; what is left out is logged.

    Parameters
    ----------
    bars
        Rows with ``stock_symbol``, ``date`` and ``version``, in any order.
    """
    import numpy as np

    candidates = np.flatnonzero(bars["version"].isin([version for *_, version in versions]))
    rows = bars.iloc[candidates]
    keys = zip(rows["stock_symbol"], rows["date"].dt.date, rows["version"], strict=True)
    wrong = candidates[[key in versions for key in keys]] if len(candidates) else candidates
    if not len(wrong):
        return bars
    log.info("quarantined rows are left out", rows=len(wrong))
    return bars.drop(index=bars.index[wrong]).reset_index(drop=True)


def sound_bars(settings: Settings, bars: pd.DataFrame) -> pd.DataFrame:
    """Return the bars without those that are quarantined now. Raises SourceError when PostgreSQL failed."""
    return leave_out(bars, versions_now(settings))


def versions_now(settings: Settings) -> set[Version]:
    """Return which versions of rows are quarantined now.

    Where the settings name no database there is no quarantine to ask for, and a warning says so.

    Raises
    ------
    SourceError
        PostgreSQL failed.
    """
    if settings.postgres_dsn is None:
        warnings.warn("NEARCAST_POSTGRES_DSN is not set: quarantined rows are not left out", stacklevel=2)
        return set()
    with (
        refusals("Nothing was changed.", "See `nearcast status`."),
        connect(settings.need("postgres_dsn")) as link,
    ):
        return quarantined_versions(link)


def release(settings: Settings, symbol: str, date: datetime.date) -> list[Quarantined]:
    """Overrule the checks that quarantine a row: its present version counts as right from now on.

    Returns
    -------
    What was quarantined, a row for each check.

    Raises
    ------
    LakeError
        No version of the row is quarantined, or a check that states a fact speaks against it.
    SourceError
        PostgreSQL failed.
    """
    from nearcast.lake.checks.catalog import BY_NAME

    with (
        refusals("The row is still quarantined.", "Mend the cause, then release it again."),
        connect(settings.need("postgres_dsn")) as link,
    ):
        found = [one for one in quarantined(link) if (one.stock_symbol, one.date) == (symbol, date)]
        if not found:
            raise LakeError(
                f"No row of {symbol} on {date} is quarantined.",
                kept="Nothing was changed.",
                todo="`nearcast lake quarantine` lists the rows that are.",
            )
        facts = [one.reason for one in found if not BY_NAME[one.check_name].releasable]
        if facts:
            raise LakeError(
                f"{symbol} {date} cannot be released: {'; '.join(facts)}.",
                kept="The row is still quarantined.",
                todo="Load and publish the row with its true values: the new version leaves the quarantine by itself.",
            )
        link.cursor().executemany(
            "UPDATE nearcast.quarantine SET released_at = clock_timestamp() WHERE stock_symbol = %s AND date = %s"
            " AND version = %s AND check_name = %s",
            [(one.stock_symbol, one.date, one.version, one.check_name) for one in found],
        )
    return found
