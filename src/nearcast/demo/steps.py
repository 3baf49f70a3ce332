"""What the demonstration asks the source while it runs: where the live rows begin, what is still on its way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from nearcast.errors import NearcastError
from nearcast.settings import Settings

POLL_S = 0.25


@dataclass(frozen=True)
class Live:
    """The live rows: those of ``symbols`` from (date, symbol) on, in the order of publication."""

    symbols: list[str]
    date: date
    symbol: str

    def parameters(self) -> dict[str, Any]:
        """Return what the statements of this folder are parametrised with."""
        return {"symbols": self.symbols, "date": self.date, "symbol": self.symbol}


def fetch(settings: Settings, statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement of this folder as the writer and return its rows."""
    from nearcast.source.database import connect

    query = Path(__file__).with_name(f"{statement}.sql").read_bytes()
    with connect(settings.need("postgres_dsn")) as connection:
        return connection.execute(query, parameters).fetchall()


def count(settings: Settings, statement: str, live: Live) -> int:
    """Return the one number that a statement of this folder yields."""
    return int(fetch(settings, statement, live.parameters())[0][0])


def find_live(settings: Settings, symbols: list[str], live_rows: int) -> Live:
    """Return where the last ``live_rows`` rows begin. Raises NearcastError when there are not more rows."""
    found = fetch(settings, "live_cutoff", {"symbols": symbols, "live_rows": live_rows})
    if not found:
        raise NearcastError(
            f"The source holds fewer than {live_rows} rows of {', '.join(symbols)}.",
            kept="What was loaded stays.",
            todo="Load more prices, or choose fewer with --live-rows.",
        )
    return Live(symbols, *found[0])


def wait_for(
    settings: Settings,
    statement: str,
    live: Live,
    timeout_s: float,
    advance: Callable[[float], None] = lambda amount: None,
) -> None:
    """Wait until a statement of this folder counts 0. Raises NearcastError when nothing moves for too long."""
    left = count(settings, statement, live)
    deadline = time.monotonic() + timeout_s
    while left:
        if time.monotonic() > deadline:
            raise NearcastError(
                f"{left} rows are still on their way ({statement.replace('_', ' ')}) after {timeout_s:.0f} s.",
                kept="Everything that was published; the services still hold it.",
                todo="Look into the logs in NEARCAST_HOME/logs (gateway, lake, forecaster), then run it again.",
            )
        time.sleep(POLL_S)
        now = count(settings, statement, live)
        if now != left:
            advance(left - now)
            deadline = time.monotonic() + timeout_s
        left = now


def raw_seconds(settings: Settings, live: Live, since: datetime) -> list[float]:
    """Return the seconds from the push of each live row of this run to its raw object."""
    from nearcast.lake.counts import raw_lines

    stored: dict[tuple[str, str, int], datetime] = {}
    for line in raw_lines(settings, live.symbols, since.replace(microsecond=0)):
        key = (line.record["stock_symbol"], line.record["date"], line.record["version"])
        stored[key] = min(stored.get(key, line.stored_at), line.stored_at)
    rows = fetch(settings, "live_freshness", {**live.parameters(), "since": since})
    keyed = (((symbol, day.isoformat(), version), pushed) for symbol, day, version, pushed, *_ in rows)
    return [(stored[key] - pushed).total_seconds() for key, pushed in keyed if key in stored]
