"""The forecaster service: a forecast for each new row of the lake, stored as soon as its commit is there."""

from __future__ import annotations

import datetime
import threading
import time
from typing import TYPE_CHECKING, Any

from nearcast.errors import ForecastError
from nearcast.forecast.bars import BarReader
from nearcast.forecast.export import export_forecasts, put_forecasts
from nearcast.forecast.heartbeat import beat_file
from nearcast.forecast.service import bars_up_to, forecast_next
from nearcast.forecast.store import store_arrivals, store_forecasts
from nearcast.lake.quarantine import leave_out, quarantined_versions
from nearcast.lake.sync import table_folder
from nearcast.log import get_logger
from nearcast.schema import ORDERING_FIELD, RECORD_KEY

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.forecast.registry import Champion
    from nearcast.settings import Settings

POLL_S = 0.2
"""Seconds between two looks at the lake's timeline."""

CHAMPION_POLL_S = 3.0
"""Seconds between two looks at the registry."""

RETRY_S = 1.0
"""Seconds to wait after a failure."""

LARGEST_BURST = 100
"""Newest days of a symbol that get a forecast when one look brings more; the older ones came too late."""

VERSION = [*RECORD_KEY, ORDERING_FIELD]
"""The columns that tell whether a row was seen before."""

log = get_logger("forecaster")


class Follower:
    """Follows the lake: notes arrivals, and makes forecasts for the days that are new to it.

    A symbol's days up to its newest at the first look with a champion count as history: of them only the
    newest day gets a forecast. Every day after it gets its own, made from the bars up to that day.

    Parameters
    ----------
    settings
        The settings; needs the writer's DSN, the lake's bucket and the MLflow tracking URI.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.reader = BarReader(table_folder(settings))
        self.commit: str | None = None
        self.champion: Champion | None = None
        self.bars: pd.DataFrame | None = None
        self._connection: Any = None
        self._exported = False
        self._ended = threading.Event()
        self._known: pd.DataFrame | None = None
        self._due: dict[str, set[datetime.date]] = {}
        self._history_end: dict[str, datetime.date] = {}

    def run(self) -> None:
        """Follow until the process ends; what fails is logged and tried again."""
        log.info("following", table=str(self.reader.path))
        # a thread of its own: a registry that is away would hold up the forecasts otherwise
        threading.Thread(target=self._watch_registry, name="registry", daemon=True).start()
        try:
            while True:
                self._look_and_wait()
        finally:
            self._ended.set()

    def _look_and_wait(self) -> None:
        beat_file(self.settings.home).touch()
        try:
            busy = self.look()
            time.sleep(0 if busy else POLL_S)
        except Exception as error:  # a server that is away must not end the service
            log.warning("failed, trying again", error=str(error), kind=type(error).__name__)
            self._disconnect()
            time.sleep(RETRY_S)

    def look(self) -> bool:
        """Take in a new commit if there is one and make the forecasts due; return whether there was one."""
        if not self._exported:
            export_forecasts(self.settings, self._postgres())
            self._exported = True
        arrived = self._take_in()
        if self.champion is not None and self.bars is not None:
            if arrived or not self._history_end:
                self._note_due(self.bars)
            self._make_due(self.bars, self.champion)
        return arrived

    def _take_in(self) -> bool:
        """Bring the copy up to date and note the rows that were not there before."""
        from nearcast.lake.sync import sync
        from nearcast.lake.timeline import newest_commit

        if newest_commit(self.settings, self.commit) is None:
            return False
        began = time.monotonic()
        commit = sync(self.settings).commit
        bars = self.reader.read()
        versions = bars[VERSION]
        known = versions.iloc[:0] if self._known is None else self._known
        seen = versions.merge(known, how="left", indicator="seen")["seen"] == "both"
        fresh = bars[~seen.to_numpy()]
        store_arrivals(self._postgres(), fresh)
        sound = leave_out(bars, quarantined_versions(self._postgres()))
        # only now, so that a failure up to here is tried again in full
        self.bars, self.commit = sound, commit
        for symbol, day in zip(fresh["stock_symbol"], fresh["date"].dt.date, strict=True):
            if day > self._history_end.get(symbol, datetime.date.max):
                self._due.setdefault(symbol, set()).add(day)
        self._known = versions
        log.info("arrived", commit=commit, rows=len(fresh), seconds=round(time.monotonic() - began, 3))
        return True

    def look_for_champion(self) -> None:
        """Load the champion when there is a new one; the one at hand stays while there is no answer."""
        from nearcast.forecast.registry import load_champion

        try:
            champion = load_champion(self.settings)
        except Exception as error:  # a registry that is away must not end the service
            log.info("no answer from the registry" if self.champion else "no champion yet", reason=str(error))
            return
        if champion != self.champion:
            log.info("champion", model_version=champion.model_version)
            self.champion = champion

    def _watch_registry(self) -> None:
        self.look_for_champion()
        while not self._ended.wait(CHAMPION_POLL_S):
            self.look_for_champion()

    def _note_due(self, bars: pd.DataFrame) -> None:
        """End the history of each symbol that is new to this follower with its newest day, which is due.

        Days that an earlier follower left out after its first forecast are due too.
        """
        for name, rows in bars.groupby("stock_symbol"):
            symbol = str(name)
            if symbol in self._history_end:
                continue
            days = set(rows["date"].dt.date)
            self._history_end[symbol] = max(days)
            query = "SELECT as_of_date FROM nearcast.forecasts WHERE stock_symbol = %s AND horizon = 1"
            made = {day for (day,) in self._postgres().execute(query, (symbol,))}
            missed = {day for day in days - made if day > min(made)} if made else set()
            self._due.setdefault(symbol, set()).update({max(days)} | missed)

    def _make_due(self, bars: pd.DataFrame, champion: Champion) -> None:
        """Make and store each forecast that is due, every symbol's newest day first: only it can still be early."""
        for symbol, days in self._due.items():
            if old := sorted(days)[:-LARGEST_BURST]:
                log.warning("skipped old days", symbol=symbol, days=len(old))
                days.difference_update(old)
        due = [(day, symbol) for symbol, days in self._due.items() for day in days]
        for day, symbol in sorted(due, reverse=True):
            self._make(bars, champion, symbol, day)
            self._due[symbol].discard(day)
        self._due.clear()

    def _make(self, bars: pd.DataFrame, champion: Champion, symbol: str, day: datetime.date) -> None:
        began = time.monotonic()
        try:
            forecasts = forecast_next(bars_up_to(bars, symbol, day), champion)
        except ForecastError as error:
            log.warning("no forecast", symbol=symbol, as_of=str(day), reason=error.happened)
            return
        stored = store_forecasts(self._postgres(), forecasts, str(self.commit))
        seconds = round(time.monotonic() - began, 3)
        if stored:
            # Should this fail, the whole export is made again: see look().
            self._exported = False
            put_forecasts(self.settings, stored)
            self._exported = True
        following = forecasts[0]
        log.info(
            "forecast",
            symbol=symbol,
            as_of=str(day),
            date=str(following.date),
            horizons=len(forecasts),
            marks=following.marks,
            seconds=seconds,
        )

    def _postgres(self) -> Any:
        """Return the connection; every statement is its own transaction."""
        from nearcast.source.database import connect

        if self._connection is None or self._connection.closed:
            self._connection = connect(self.settings.need("postgres_dsn"))
            self._connection.autocommit = True
        return self._connection

    def _disconnect(self) -> None:
        """Drop a connection that may be broken."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def follow(settings: Settings) -> None:
    """Run the forecaster service until SIGTERM, which ends it at once: every write is a transaction."""
    import os
    import signal

    # os._exit: MLflow's and PyTorch's threads would be waited for otherwise
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    _warm_up()
    Follower(settings).run()


def _warm_up() -> None:
    """Import and build now what the first forecast would wait for."""
    import lightgbm  # noqa: F401
    import onnxruntime  # noqa: F401

    from nearcast.forecast.sessions import sessions

    sessions()
