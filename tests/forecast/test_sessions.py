"""The sessions after a day are those of the exchange."""

from __future__ import annotations

import exchange_calendars
import numpy as np
import pandas as pd
import pytest

from nearcast.errors import ForecastError
from nearcast.forecast.sessions import next_sessions, sessions_ahead


def test_the_next_sessions_are_those_that_the_calendar_names_one_after_another() -> None:
    calendar = exchange_calendars.get_calendar("XNYS", start="2020-01-01", end="2021-12-31")
    days = pd.date_range("2020-11-01", "2021-02-01")
    found = sessions_ahead(days.to_numpy(), 10)
    assert found.shape == (len(days), 10)
    for day, mine in zip(days, found, strict=True):
        following = calendar.date_to_session(day + pd.Timedelta(days=1), direction="next")
        window = calendar.sessions_window(following, 10)
        assert mine.tolist() == [session.date() for session in window]
    assert next_sessions(days.to_numpy()).tolist() == found[:, 0].tolist()


def test_a_day_beyond_the_calendar_is_named() -> None:
    with pytest.raises(ForecastError, match="outside of the exchange calendar"):
        sessions_ahead(np.array(["1969-12-31"], "datetime64[D]"), 1)
    with pytest.raises(ForecastError, match="outside of the exchange calendar"):
        sessions_ahead(np.array(["2100-01-01"], "datetime64[D]"), 10)
    assert sessions_ahead(np.array([], "datetime64[D]"), 10).shape == (0, 10)
