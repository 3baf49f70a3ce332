"""What the dashboard asks PostgreSQL, as the reader role; each statement is a file beside this one."""

from __future__ import annotations

import datetime
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nearcast.source.database import connect, refusals

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow

Row = TypeVar("Row")

STATEMENT_TIMEOUT_MS = 5000
LIVE_S = 10
"""Seconds after the newest push for which the stream counts as live."""

FAN_SESSIONS = 60
"""Closes that are shown before the fan."""

LAST = 20
"""Newest rows that the delays are measured over."""


@dataclass(frozen=True)
class Bar:
    """A daily bar: US dollars and shares."""

    date: datetime.date
    open_price: float
    high_price: float
    low_price: float
    close_price: float
    volume: int


@dataclass(frozen=True)
class NextDayForecast:
    """The forecast of ``date`` made from days up to ``as_of_date``: quantiles in US dollars.

    ``late`` ones were stored after their day had been published.
    """

    date: datetime.date
    as_of_date: datetime.date
    last_close: float
    model_version: str
    marks: list[str]
    late: bool
    q025: float
    q100: float
    q500: float
    q900: float
    q975: float


@dataclass(frozen=True)
class ForecastAhead:
    """One horizon of a forecast: quantiles of the close of ``date`` in US dollars.

    ``marks`` say what is odd about the bars that it was made from.
    """

    date: datetime.date
    horizon: int
    as_of_date: datetime.date
    made_at: datetime.datetime
    last_close: float
    model_version: str
    marks: list[str]
    q025: float
    q100: float
    q250: float
    q500: float
    q750: float
    q900: float
    q975: float


@dataclass(frozen=True)
class Fan:
    """A symbol's newest bars, and every horizon of its newest forecast, nearest first; none while there is none."""

    symbol: str
    bars: list[Bar]
    ahead: list[ForecastAhead]


@dataclass(frozen=True)
class Overview:
    """Rows at each hop of all symbols; delays are seconds from a row's push, None where there are none."""

    source_rows: int
    newest_loaded_at: datetime.datetime | None
    pending_rows: int
    published_rows: int
    newest_published_at: datetime.datetime | None
    live: bool
    lake_rows: int
    newest_commit: str | None
    lake_p50: float | None
    lake_p95: float | None
    forecasts: int
    newest_made_at: datetime.datetime | None
    forecast_p50: float | None
    forecast_p95: float | None
    early: int
    late: int


@dataclass(frozen=True)
class Alert:
    """What a person should know of: since when, of which DAG, task or check, and what."""

    raised_at: datetime.datetime
    source: str
    text: str


@dataclass(frozen=True)
class CheckRun:
    """A run of the data checks: rows that it checked and quarantined, and findings of the other severities."""

    id: int
    stored_at: datetime.datetime
    rows: int
    quarantined: int
    differences: int
    warnings: int


@dataclass(frozen=True)
class CheckResult:
    """What one check found in the newest run."""

    check_name: str
    severity: str
    findings: int
    example: str | None


@dataclass(frozen=True)
class QuarantinedRow:
    """A version of a row in the quarantine; ``total`` is how many there are."""

    stock_symbol: str
    date: datetime.date
    version: int
    reasons: str
    since: datetime.datetime
    total: int


@dataclass(frozen=True)
class Change:
    """Equal to the last one while there is nothing new to draw."""

    prices: str
    publications: str
    arrivals: str
    forecasts: str
    alerts: str | None
    checks: str | None
    live: bool | None

    @property
    def scored(self) -> tuple[str, str]:
        """What the score depends on."""
        return self.publications, self.forecasts


@dataclass(frozen=True)
class History:
    """What may be shown of a symbol.

    ``published`` is False while nothing was published: the bars are then just those that were loaded.
    """

    symbol: str
    bars: list[Bar]
    forecasts: list[NextDayForecast]
    published: bool

    @property
    def coming(self) -> NextDayForecast | None:
        """The forecast made from the newest bar, of the day after it; None while there is none."""
        if not self.bars or not self.forecasts:
            return None
        newest, last = self.bars[-1].date, self.forecasts[-1]
        return last if last.as_of_date == newest else None


class Database:
    """One read-only connection that comes back by itself; safe to share between threads.

    Every method raises SourceError when PostgreSQL is away or refuses.

    Parameters
    ----------
    dsn
        Connection string of the reader role.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._lock = threading.Lock()
        self._connection: Connection[TupleRow] | None = None

    def change(self) -> Change:
        """Return the token that tells whether there is something new."""
        return self._read(Change, "change", live_s=LIVE_S)[0]

    def overview(self) -> Overview:
        """Return rows and delays at each hop."""
        return self._read(Overview, "overview", live_s=LIVE_S, last=LAST)[0]

    def alerts(self, most: int) -> list[Alert]:
        """Return the newest alerts of the last day, newest first."""
        return self._read(Alert, "alerts", most=most)

    def check_runs(self, most: int) -> list[CheckRun]:
        """Return the newest runs of the data checks, oldest first."""
        return self._read(CheckRun, "check_runs", most=most)

    def check_results(self) -> list[CheckResult]:
        """Return what each check found in the newest run; what found something first."""
        return self._read(CheckResult, "check_results")

    def quarantined(self, most: int) -> list[QuarantinedRow]:
        """Return the newest rows in the quarantine."""
        return self._read(QuarantinedRow, "quarantined", most=most)

    def symbols(self) -> list[str]:
        """Return the loaded symbols, in order."""
        return [row[0] for row in self._fetch("symbols", {}, None)]

    def history(self, symbol: str, sessions: int) -> History:
        """Return the newest ``sessions`` bars that may be shown, and the forecasts of their days and the next."""
        bars = self._read(Bar, "published_bars", symbol=symbol, sessions=sessions)
        if not bars:
            loaded = self._read(Bar, "loaded_bars", symbol=symbol, sessions=sessions)
            return History(symbol, loaded, [], published=False)
        bounds = {"after": bars[0].date, "newest": bars[-1].date}
        forecasts = self._read(NextDayForecast, "next_day_forecasts", symbol=symbol, **bounds)
        return History(symbol, bars, forecasts, published=True)

    def fan(self, symbol: str) -> Fan:
        """Return the newest 60 bars that may be shown, and the newest forecast that was made from one of them."""
        bars = self._read(Bar, "published_bars", symbol=symbol, sessions=FAN_SESSIONS)
        if not bars:
            return Fan(symbol, [], [])
        bounds = {"oldest": bars[0].date, "newest": bars[-1].date}
        return Fan(symbol, bars, self._read(ForecastAhead, "newest_forecast", symbol=symbol, **bounds))

    def _read(self, kind: type[Row], statement: str, **parameters: Any) -> list[Row]:
        from psycopg.rows import class_row

        return self._fetch(statement, parameters, class_row(kind))

    def _fetch(self, statement: str, parameters: dict[str, Any], row_factory: Any) -> list[Any]:
        """Run a statement; once more when its connection turns out to be broken (the server was restarted)."""
        import psycopg

        kept, todo = "The dashboard only reads: nothing was changed.", "`nearcast status` shows the services."
        with self._lock, refusals(kept, todo):
            try:
                return self._run(statement, parameters, row_factory)
            except psycopg.OperationalError:
                if self._connection is None or not self._connection.closed:
                    raise
                return self._run(statement, parameters, row_factory)

    def _run(self, statement: str, parameters: dict[str, Any], row_factory: Any) -> list[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._dsn)
            self._connection.autocommit = True
            self._connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}".encode())
        with self._connection.cursor(row_factory=row_factory) as cursor:
            return cursor.execute(_statement(statement), parameters).fetchall()


@lru_cache
def _statement(name: str) -> bytes:
    return Path(__file__).with_name(f"{name}.sql").read_bytes()
