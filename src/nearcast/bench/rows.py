"""Any number of bars: the bundled prices on the real sessions since 1990, twelve symbols a day at every size.

So a month holds as many rows at every size, and 100,000 rows lie in 400 months: below the 500 partitions that
Firehose keeps open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, fields, replace
from datetime import date as Date  # noqa: N812
from itertools import cycle, islice
from pathlib import Path

from nearcast.errors import SourceError
from nearcast.settings import Settings
from nearcast.source.bar import Bar

PRICES = Path(__file__).parents[3] / "data" / "stocks_daily.csv"
SERIES = 12
FIRST_DAY = "1990-01-01"


def bars(count: int, prefix: str = "") -> Iterator[Bar]:
    """Yield ``count`` bars by date, each with its own key; ``prefix`` makes their symbols others.

    Raises
    ------
    SourceError
        The bundled prices are not there, or there are not as many sessions.
    """
    import numpy as np

    from nearcast.forecast.sessions import sessions

    calendar = sessions()
    days = calendar[calendar >= np.datetime64(FIRST_DAY)]
    if count > SERIES * len(days):
        raise SourceError(f"There are {SERIES * len(days):,} different rows, not {count:,}.")
    return islice(_bars(days.tolist(), prefix), count)


def _bars(days: list[Date], prefix: str) -> Iterator[Bar]:
    series = [cycle(bars_of_one) for bars_of_one in _bundled() for _copy in range(2)]
    for day in days:
        for number, one in enumerate(series):
            bar = next(one)
            yield replace(bar, stock_symbol=f"{prefix}{bar.stock_symbol}{number % 2}", date=day)


def _bundled() -> list[list[Bar]]:
    from nearcast.source.csv_file import read_bars

    if not PRICES.exists():
        raise SourceError(f"{PRICES.name} is not there.", todo="Run from a checkout of the project.")
    by_symbol: dict[str, list[Bar]] = {}
    for bar in read_bars(PRICES, ()):
        if isinstance(bar, Bar):
            by_symbol.setdefault(bar.stock_symbol, []).append(bar)
    return list(by_symbol.values())


def load(settings: Settings, rows: Iterator[Bar]) -> None:
    """Copy the bars into PostgreSQL's prices."""
    from nearcast.source.database import connect

    columns = ", ".join(field.name for field in fields(Bar))
    statement = f"COPY nearcast.prices ({columns}) FROM STDIN"
    with connect(settings.need("postgres_dsn")) as link, link.cursor().copy(statement.encode()) as copy:
        for bar in rows:
            copy.write_row(astuple(bar))
