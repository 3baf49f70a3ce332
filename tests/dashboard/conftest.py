"""A source with real prices, and hands to publish, bring to the lake and forecast single days of it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from nearcast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

SYMBOLS = ("META", "NFLX")
DAYS = 90


class World:
    """A database with the newest real days of two symbols, none published; written to as the writer.

    Parameters
    ----------
    settings
        Of the tests' cluster.
    prices
        The rows that were loaded, as the bundled file has them.
    """

    def __init__(self, settings: Settings, prices: pd.DataFrame) -> None:
        import psycopg

        self.reader_dsn = settings.need("postgres_reader_dsn")
        self.prices = prices
        self.connection = psycopg.connect(settings.need("postgres_dsn"), autocommit=True)

    def days(self, symbol: str = "NFLX") -> list[datetime.date]:
        """Return the loaded days of a symbol, in order."""
        return sorted(self.prices.loc[self.prices["symbol"] == symbol, "date"])

    def close(self, symbol: str, day: datetime.date) -> float:
        """Return a close, from the file."""
        here = (self.prices["symbol"] == symbol) & (self.prices["date"] == day)
        return float(self.prices.loc[here, "close"].iloc[0])

    def publish(
        self, symbol: str, day: datetime.date, *, confirmed: bool = True, old: bool = False, at: float = 0.0
    ) -> None:
        """Publish a row; not ``confirmed``: DynamoDB has not taken it; ``old``: it was changed since.

        ``at`` is the time of the push, in seconds after 2024-01-01.
        """
        self.connection.execute(
            """
            INSERT INTO nearcast.publications
            SELECT stock_symbol, date, version - %(old)s, moment, moment, CASE WHEN %(confirmed)s THEN moment END
            FROM nearcast.prices,
                LATERAL (SELECT timestamptz '2024-01-01 UTC' + make_interval(secs => %(at)s) AS moment) AS clock
            WHERE stock_symbol = %(symbol)s AND date = %(day)s
            """,
            {"symbol": symbol, "day": day, "old": int(old), "confirmed": confirmed, "at": at},
        )
        if confirmed and not old:
            self.connection.execute(
                "DELETE FROM nearcast.outbox WHERE stock_symbol = %s AND date = %s", (symbol, day)
            )

    def arrive(self, symbol: str, day: datetime.date, at: float) -> None:
        """Let a row be read back from the lake."""
        self.connection.execute(
            """
            INSERT INTO nearcast.arrivals
            SELECT stock_symbol, date, version, '20240101000000000',
                timestamptz '2024-01-01 UTC' + make_interval(secs => %(at)s)
            FROM nearcast.prices WHERE stock_symbol = %(symbol)s AND date = %(day)s
            """,
            {"symbol": symbol, "day": day, "at": at},
        )

    def forecast(
        self,
        symbol: str,
        as_of: datetime.date,
        day: datetime.date,
        *,
        at: float = 0.0,
        model: str = "1",
        horizon: int = 1,
        marks: Sequence[str] = (),
    ) -> None:
        """Store a forecast of ``day``: bands of 5 %, 2 % and 1 % around the close of ``as_of``, wider when farther."""
        last, width = self.close(symbol, as_of), horizon**0.5
        quantiles = [last * (1 + width * off) for off in (-0.05, -0.02, -0.01, 0.0, 0.01, 0.02, 0.05)]
        self.connection.execute(
            f"""
            INSERT INTO nearcast.forecasts
            VALUES (%s, %s, %s, %s, timestamptz '2024-01-01 UTC' + make_interval(secs => %s), %s,
                '20240101000000000', %s, {", ".join(["%s"] * 7)}, %s)
            """.encode(),
            (symbol, day, horizon, as_of, at, model, last, *quantiles, list(marks)),
        )

    def forecast_ahead(self, symbol: str, as_of: datetime.date, horizons: int = 10, **stored: Any) -> None:
        """Store a forecast of each of the next sessions, as `forecast` does."""
        days = self.days(symbol)
        following = days[days.index(as_of) + 1 :][:horizons]
        for horizon, day in enumerate(following, start=1):
            self.forecast(symbol, as_of, day, horizon=horizon, **stored)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query of a test."""
        return self.connection.execute(query.encode()).fetchall()


@pytest.fixture
def world(empty_database: Settings, tmp_path: Path) -> Iterator[World]:
    """The database of a test."""
    import pandas as pd

    from nearcast.source.load import load_csv

    file = Path(__file__).parents[2] / "data" / "stocks_daily.csv"
    prices = pd.read_csv(file)
    prices = prices[prices["symbol"].isin(SYMBOLS)].groupby("symbol").tail(DAYS)
    prices.to_csv(tmp_path / "prices.csv", index=False)
    load_csv(empty_database, tmp_path / "prices.csv")
    prices["date"] = pd.to_datetime(prices["date"]).dt.date
    made = World(empty_database, prices)
    yield made
    made.connection.close()


@pytest.fixture
def aws() -> Settings:
    """Settings with an address that nothing is ever sent to."""
    return Settings(
        aws_endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="stub",
        aws_secret_access_key=SecretStr("stub"),
        raw_bucket="raw",
        delivery_stream="prices",
    )
