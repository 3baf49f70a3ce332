"""The lake's three tables for tests of what is asked of Athena: real prices, events and forecasts of them."""

from __future__ import annotations

import io
import json
import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nearcast.lake.query import query
from nearcast.schema import QUANTILE_COLUMNS
from nearcast.settings import Settings
from tests.local.gateway.athena_client import PRICES
from tests.local.gateway.conftest import Gateway

BUCKET, DATABASE, BAD_DATABASE = "saved-queries", "saved_queries", "bad_prices"
TYPES = {
    "date": "date",
    "open_price": "double",
    "high_price": "double",
    "low_price": "double",
    "close_price": "double",
    "volume": "bigint",
    "version": "bigint",
    "_hoodie_commit_time": "string",
}
NORMAL = np.array([-1.96, -1.28, -0.67, 0.02, 0.67, 1.28, 1.96])
START_S = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
OLD_COMMIT = "20261101000000000"
LIVE = 40
"""How many rows came in through the stream, a second apart."""


@dataclass(frozen=True)
class Event:
    """What happened to a row: seconds since 1970."""

    stock_symbol: str
    date: str
    version: int
    change_s: float
    object_s: int
    commit_s: float
    forecast_s: float | None


def instant(seconds: float) -> str:
    """Return Hudi's instant, yyyyMMddHHmmssSSS."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d%H%M%S}{round(seconds * 1000) % 1000:03d}"


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


@pytest.fixture(scope="session")
def bars() -> pd.DataFrame:
    """The bundled bars by symbol and day; NVDA lacks its first hundred days and three of its last."""
    frame = pd.read_csv(PRICES, parse_dates=["date"]).rename(columns={"symbol": "stock_symbol"})
    frame = frame.rename(columns={name: f"{name}_price" for name in ("open", "high", "low", "close")})
    frame = frame.drop(columns="adjusted").sort_values(["stock_symbol", "date"], ignore_index=True)
    missing = frame[frame["stock_symbol"] == "NVDA"].index[[*range(100), -9, -8, -60]]
    frame = frame.drop(missing).reset_index(drop=True)
    frame["volume"] = frame["volume"].astype("int64")
    frame["version"] = np.arange(1, len(frame) + 1)
    frame["_hoodie_commit_time"] = OLD_COMMIT
    return frame


@pytest.fixture(scope="session")
def events(bars: pd.DataFrame) -> list[Event]:
    """The newest rows of two symbols, as they came through the stream, and when they were forecast."""
    found = []
    live = bars[bars["stock_symbol"].isin(["AAPL", "NFLX"])].groupby("stock_symbol").tail(LIVE // 2)
    for place, row in enumerate(live.itertuples()):
        changed = START_S + place + place % 7 / 8
        committed = math.floor(changed + 1.5) + 0.125 * (place % 5)
        forecast = committed + 0.25 + place % 3 if place % 4 else None
        found.append(
            Event(
                str(row.stock_symbol),
                f"{row.date:%Y-%m-%d}",
                int(str(row.version)),
                changed,
                math.floor(changed + 1),
                committed,
                forecast,
            )
        )
        bars.loc[row.Index, "_hoodie_commit_time"] = instant(committed)
    return found


@pytest.fixture(scope="session")
def forecasts(bars: pd.DataFrame, events: list[Event]) -> pd.DataFrame:
    """Forecasts of two models: some without an outcome, without a past, or of two days ahead."""
    made_at = {(event.stock_symbol, event.date): event.forecast_s for event in events}
    rows = []
    for symbol, places in {
        "NFLX": [30, *range(-400, -300), *range(-20, 0)],
        "AAPL": range(-LIVE, 0),
    }.items():
        mine = bars[bars["stock_symbol"] == symbol].reset_index(drop=True)
        for place in places:
            at = place % len(mine)
            bar = mine.loc[at]
            as_of, last = bar["date"], float(bar["close_price"])
            day = mine["date"].get(at + 1, as_of + pd.Timedelta(days=1))
            spread = 0.015 + 0.01 * (at % 3)
            prices = last * np.exp(spread * NORMAL + 0.001 * (at % 5))
            moment = made_at.get((symbol, f"{as_of:%Y-%m-%d}"), START_S - 1000)
            if moment is None:  # made from this row as it was before its last version came
                moment = START_S - 1000
            for model, horizon in (("a/1", 1), ("a/1", 2), ("b/1", 1)):
                if model == "b/1" and at % 2:
                    continue
                rows.append(
                    {
                        "stock_symbol": symbol,
                        "date": f"{day:%Y-%m-%d}",
                        "horizon": horizon,
                        "as_of_date": f"{as_of:%Y-%m-%d}",
                        "made_at": iso(moment + (30 if model == "b/1" else 0)),
                        "model_version": model,
                        "commit_time": OLD_COMMIT,
                        "last_close": last,
                        **dict(zip(QUANTILE_COLUMNS, map(float, prices), strict=True)),
                    }
                )
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def tables(
    gateway: Gateway, deployed: Settings, bars: pd.DataFrame, events: list[Event], forecasts: pd.DataFrame
) -> Settings:
    """The three tables: prices as Parquet by symbol and year, events and forecasts as JSON lines."""
    s3 = gateway.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for database in (DATABASE, BAD_DATABASE):
        gateway.client("glue").create_database(DatabaseInput={"Name": database})
    put_prices(deployed, s3, DATABASE, bars)
    put_events(deployed, s3, events)
    body = "".join(json.dumps(row) + "\n" for row in forecasts.to_dict("records"))
    s3.put_object(Bucket=BUCKET, Key="forecasts/part.json", Body=body.encode())
    quantiles = ", ".join(f"{name} double" for name in QUANTILE_COLUMNS)
    query(
        deployed,
        "CREATE EXTERNAL TABLE forecasts (stock_symbol string, `date` date, horizon int, as_of_date date,"
        f" made_at string, model_version string, commit_time string, last_close double, {quantiles})"
        f" ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://{BUCKET}/forecasts/'",
        DATABASE,
    )
    return deployed


def put_prices(settings: Settings, s3: Any, database: str, frame: pd.DataFrame) -> None:
    """Put bars as Parquet in partitions, and make their table."""
    for (symbol, year), part in frame.groupby(["stock_symbol", frame["date"].dt.year]):
        table = pa.Table.from_pandas(part[list(TYPES)], preserve_index=False)
        table = table.set_column(0, "date", table["date"].cast(pa.date32()))
        body = io.BytesIO()
        pq.write_table(table, body)
        key = f"{database}/stock_symbol={symbol}/year={year}/part.parquet"
        s3.put_object(Bucket=BUCKET, Key=key, Body=body.getvalue())
    columns = ", ".join(f"`{name}` {kind}" for name, kind in TYPES.items())
    query(
        settings,
        f"CREATE EXTERNAL TABLE prices ({columns}) PARTITIONED BY (stock_symbol string, year string)"
        f" STORED AS PARQUET LOCATION 's3://{BUCKET}/{database}/'",
        database,
    )
    query(settings, "MSCK REPAIR TABLE prices", database)


def put_events(settings: Settings, s3: Any, events: list[Event]) -> None:
    """Put each row's event into an object named as Firehose names it, and what must not be counted beside it."""

    def line(event: Event, **changed: Any) -> str:
        document = {
            "stock_symbol": event.stock_symbol,
            "date": event.date,
            "version": event.version,
            "deleted": False,
            "event_name": "INSERT",
            "event_time": iso(event.change_s),
            **changed,
        }
        return json.dumps(document) + "\n"

    bodies: defaultdict[tuple[str, float], str] = defaultdict(str)
    for event in events:
        month = f"year={event.date[:4]}/month={event.date[5:7]}"
        bodies[month, event.object_s] += line(event)
        bodies[month, START_S + 600] += line(event)  # delivered twice
        bodies[month, START_S - 300] += line(
            event, version=event.version - 100_000, event_time=iso(START_S - 500)
        ) + line(event, deleted=True, event_name="REMOVE", event_time=iso(START_S - 400))
    for number, ((month, seconds), body) in enumerate(bodies.items()):
        moment = datetime.fromtimestamp(seconds, UTC)
        name = f"nearcast-dev-delivery-1-{moment:%Y-%m-%d-%H-%M-%S}-00000000-0000-4000-8000-{number:012d}"
        s3.put_object(Bucket=BUCKET, Key=f"raw/{month}/{name}", Body=body.encode())
    query(
        settings,
        "CREATE EXTERNAL TABLE raw_prices (stock_symbol string, `date` string, version bigint, deleted boolean,"
        " event_name string, event_time string) PARTITIONED BY (year string, month string)"
        f" ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://{BUCKET}/raw/'",
        DATABASE,
    )
    query(settings, "MSCK REPAIR TABLE raw_prices", DATABASE)
