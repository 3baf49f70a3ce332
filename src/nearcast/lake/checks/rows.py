"""All checks of the lake's rows, each over the rows that have passed those before it."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from itertools import repeat
from typing import TYPE_CHECKING

from nearcast.lake.checks import neighbours
from nearcast.lake.checks.bar_schema import broken_laws
from nearcast.lake.checks.catalog import BY_NAME, Severity
from nearcast.lake.checks.finding import Finding, findings
from nearcast.lake.checks.sessions import ABSENT, Sessions, read_sessions
from nearcast.lake.quarantine import Version

if TYPE_CHECKING:
    import pandas as pd


def check_rows(
    rows: pd.DataFrame,
    calendar: str,
    now: datetime.datetime,
    released: Collection[tuple[Version, str]] = (),
) -> list[Finding]:
    """Return everything that the checks find in the lake's rows.

    A row that is wrong takes no part in the checks that follow, so that its neighbours are not blamed for it; a
    session counts as missing only when it has no row at all.

    Parameters
    ----------
    rows
        The rows as `nearcast.lake.checks.bar_schema.to_frame` gives them.
    calendar
        Name of the exchange's calendar.
    now
        Sessions that close later lie in the future.
    released
        Versions and checks that a person has overruled.

    Raises
    ------
    LakeError
        When the checks cannot run: another schema, an unknown calendar.
    """
    if rows.empty:
        return []
    found = broken_laws(rows)
    sessions = read_sessions(calendar, rows["date"].min().date(), now)

    def note(findings: list[Finding], sound: pd.DataFrame) -> pd.DataFrame:
        """Note what was not overruled; return the rows that are still sound."""
        new = [one for one in findings if (one.row, one.check) not in released]
        found.extend(new)
        return _without(sound, new)

    sound = _without(rows, found)
    sound = note(_off_calendar(sound, sessions), sound)
    sound = sound[sessions.has_closed(sound["date"])]
    sound = note(neighbours.spikes(sound, sessions), sound)
    sound = note(neighbours.repeated_bars(sound), sound)
    present = rows[sessions.has_closed(rows["date"])].drop_duplicates(["stock_symbol", "date"])
    return [
        *found,
        *neighbours.jumps(sound),
        *neighbours.missing_sessions(present, sessions),
        *neighbours.stale_symbols(sound, sessions),
    ]


def _off_calendar(rows: pd.DataFrame, sessions: Sessions) -> list[Finding]:
    """Find rows on days without a session, and of sessions that have not closed."""
    wrong = rows[~sessions.has_closed(rows["date"])]
    later = (sessions.positions(wrong["date"]) != ABSENT) | (wrong["date"] > sessions.days[-1]).to_numpy()
    early, never = wrong[later], wrong[~later]
    return [
        *findings("future_date", early, repeat("its session has not closed", len(early))),
        *findings("no_session", never, repeat("the exchange was closed", len(never))),
    ]


def _without(rows: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    """Return the rows without those that an error was found in."""
    errors = {one.row for one in findings if BY_NAME[one.check].severity is Severity.ERROR}
    if not errors:
        return rows
    versions = zip(rows["stock_symbol"], rows["date"].dt.date, rows["version"], strict=True)
    return rows[[one not in errors for one in versions]]
