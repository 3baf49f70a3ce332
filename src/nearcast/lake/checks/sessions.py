"""Which days an exchange was open, and which of its sessions have closed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.errors import LakeError

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Days = npt.NDArray[np.datetime64]
    Positions = npt.NDArray[np.int64]

ABSENT = -1
"""Position of a day without a session."""

SOON_DAYS = 14
"""Days ahead that the sessions are known for; a calendar needs one session at least."""


@dataclass(frozen=True)
class Sessions:
    """The sessions of an exchange, past and soon.

    Parameters
    ----------
    days
        (n,) days, ascending.
    closed
        How many of them have closed.
    """

    days: Days
    closed: int

    def positions(self, dates: pd.Series[Any]) -> Positions:
        """Return the number of each date's session, counted from the first; `ABSENT` where there is none."""
        days = dates.to_numpy().astype("datetime64[D]")
        found = np.searchsorted(self.days, days)
        there = self.days[np.minimum(found, len(self.days) - 1)] == days
        return np.where(there, found, ABSENT)

    def has_closed(self, dates: pd.Series[Any]) -> npt.NDArray[np.bool_]:
        """Return which dates are those of a session that has closed."""
        positions = self.positions(dates)
        closed: npt.NDArray[np.bool_] = (positions != ABSENT) & (positions < self.closed)
        return closed


def read_sessions(calendar: str, first: datetime.date, now: datetime.datetime) -> Sessions:
    """Return the sessions from ``first`` on, and how many of them had closed at ``now``.

    Parameters
    ----------
    calendar
        Name of the exchange's calendar (exchange_calendars.get_calendar_names()), such as XNYS.
    first
        Day of the oldest row.
    now
        A moment, with its time zone.

    Raises
    ------
    LakeError
        There is no such calendar, or it does not reach back to ``first``.
    """
    import exchange_calendars
    import pandas as pd
    from exchange_calendars.errors import CalendarError

    end = max(first, now.date()) + datetime.timedelta(days=SOON_DAYS)
    try:
        made: Any = exchange_calendars.get_calendar(calendar, start=first.isoformat(), end=end.isoformat())
    except (CalendarError, ValueError) as error:
        raise LakeError(
            f"The sessions since {first} are not known: {error}",
            kept="The results of the last run are as they were.",
            todo="Set NEARCAST_CALENDAR to a name that exchange-calendars knows, or correct the dates of the rows.",
        ) from error
    closed = int((made.closes <= pd.Timestamp(now)).sum())
    return Sessions(made.sessions.to_numpy().astype("datetime64[D]"), closed)
