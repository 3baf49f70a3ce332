"""The trading days of the New York Stock Exchange (XNYS)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.errors import ForecastError

if TYPE_CHECKING:
    import numpy.typing as npt

    Days = npt.NDArray[np.datetime64]

FIRST_SESSION = "1970-01-01"


@lru_cache(maxsize=1)
def sessions() -> Days:
    """Return every session from 1970 to a year from now, as days (made once a process, 0.15 s)."""
    import exchange_calendars

    calendar: Any = exchange_calendars.get_calendar("XNYS", start=FIRST_SESSION)
    days: Days = calendar.sessions.to_numpy().astype("datetime64[D]")
    return days


def next_sessions(dates: Days) -> Days:
    """Return the first session after each of ``dates``.

    Raises
    ------
    ForecastError
        When a date lies outside of the calendar.
    """
    return sessions_ahead(dates, 1)[:, 0]


def sessions_ahead(dates: Days, count: int) -> Days:
    """Return (n, count): the next ``count`` sessions after each of ``dates``, in order.

    Raises
    ------
    ForecastError
        When a date, or a session after it, lies outside of the calendar.
    """
    calendar = sessions()
    days = dates.astype("datetime64[D]")
    positions = np.searchsorted(calendar, days, side="right")[:, None] + np.arange(count)
    if positions.size and (positions.max() >= len(calendar) or days.min() < calendar[0]):
        raise ForecastError(
            f"A date lies outside of the exchange calendar ({calendar[0]} to {calendar[-1]}).",
            todo="Check the dates of the prices; update exchange-calendars if they are right.",
        )
    following: Days = calendar[positions]
    return following
