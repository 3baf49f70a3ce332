"""Each saved query gives, through Athena, what pandas and NumPy compute from the same real prices."""

from __future__ import annotations

import io
import json
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from click.testing import CliRunner

from nearcast.cli import cli
from nearcast.errors import LakeError
from nearcast.forecast.losses import coverage, pinball_loss
from nearcast.lake.query import QueryResult, query
from nearcast.lake.saved import saved_queries, saved_query
from nearcast.schema import QUANTILE_COLUMNS, QUANTILE_LEVELS
from nearcast.settings import Settings
from tests.local.gateway.analytics_template import properties
from tests.local.gateway.athena_client import PRICES, run
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
LEVELS = np.array(QUANTILE_LEVELS)
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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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


def daily_bars(bars: pd.DataFrame) -> pd.DataFrame:
    bars = bars.assign(change=bars.groupby("stock_symbol")["close_price"].pct_change())
    names = ["open_price", "high_price", "low_price", "close_price", "volume", "change"]
    return bars.groupby("stock_symbol").tail(30)[["stock_symbol", "date", *names]]


def monthly_candles(bars: pd.DataFrame) -> pd.DataFrame:
    month = bars["date"].dt.to_period("M").dt.to_timestamp().rename("month")
    return (
        bars.groupby(["stock_symbol", month])
        .agg(
            open_price=("open_price", "first"),
            high_price=("high_price", "max"),
            low_price=("low_price", "min"),
            close_price=("close_price", "last"),
            volume=("volume", "sum"),
            trading_days=("date", "size"),
        )
        .reset_index()
    )


def moving_averages(bars: pd.DataFrame) -> pd.DataFrame:
    closes = bars.groupby("stock_symbol")["close_price"]
    for days in (20, 50, 200):
        bars = bars.assign(**{f"mean_{days}": closes.rolling(days).mean().reset_index(0, drop=True)})
    names = ["stock_symbol", "date", "close_price", "mean_20", "mean_50", "mean_200"]
    return bars.groupby("stock_symbol").tail(60)[names]


def volatility(bars: pd.DataFrame) -> pd.DataFrame:
    """Each estimator as its paper writes it, over windows cut out one by one."""
    rows = []
    for symbol, mine in bars.groupby("stock_symbol"):
        o, h, low, c = (mine[f"{name}_price"].to_numpy() for name in ("open", "high", "low", "close"))
        for end in range(len(mine) - 60, len(mine)):
            span = slice(end - 19, end + 1)
            before = slice(end - 20, end)
            change, night, day = (
                np.log(a / b) for a, b in ((c[span], c[before]), (o[span], c[before]), (c[span], o[span]))
            )
            klass = 0.5 * np.log(h[span] / low[span]) ** 2 - (2 * math.log(2) - 1) * day**2
            rogers = np.log(h[span] / c[span]) * np.log(h[span] / o[span]) + np.log(
                low[span] / c[span]
            ) * np.log(low[span] / o[span])
            k = 0.34 / (1.34 + (20 + 1) / (20 - 1))
            yang = night.var(ddof=1) + k * day.var(ddof=1) + (1 - k) * rogers.mean()
            variances = [change.var(ddof=1), klass.mean(), rogers.mean(), yang]
            rows.append([symbol, mine["date"].iloc[end], *np.sqrt(252 * np.array(variances))])
    names = ["stock_symbol", "date", "close_to_close", "garman_klass", "rogers_satchell", "yang_zhang"]
    return pd.DataFrame(rows, columns=names)


def volume_spikes(bars: pd.DataFrame) -> pd.DataFrame:
    before = bars.groupby("stock_symbol")["volume"].rolling(20, closed="left").agg(["mean", "std"])
    before = before.reset_index(0, drop=True)
    bars = bars.assign(
        times_usual=bars["volume"] / before["mean"],
        deviations=(bars["volume"] - before["mean"]) / before["std"],
    )
    names = ["stock_symbol", "date", "close_price", "volume", "times_usual", "deviations"]
    found = bars[bars["deviations"] > 3].sort_values(["date", "stock_symbol"], ascending=[False, True])
    return found[names].head(100)


def drawdowns(bars: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for symbol, mine in bars.groupby("stock_symbol"):
        peak, deepest, fall = (0.0, None), (0.0, None, 0.0, None, 0.0), 0.0
        for day, close in zip(mine["date"], mine["close_price"], strict=True):
            if close >= peak[0]:
                peak = (close, day)
            fall = close / peak[0] - 1
            if fall < deepest[0]:
                deepest = (fall, peak[1], peak[0], day, close)
        rows.append([symbol, *deepest, fall])
    names = ["deepest", "peak_date", "peak_price", "trough_date", "trough_price", "drawdown_now"]
    return pd.DataFrame(rows, columns=["stock_symbol", *names]).sort_values("deepest")


def correlations(bars: pd.DataFrame) -> pd.DataFrame:
    change = bars.groupby("stock_symbol")["close_price"].transform(lambda closes: np.log(closes).diff())
    wide = bars.assign(change=change).pivot(index="date", columns="stock_symbol", values="change").tail(250)
    rows = []
    for one, other in combinations(wide.columns, 2):
        both = wide[[one, other]].dropna()
        rows.append([one, other, np.corrcoef(both[one], both[other])[0, 1], len(both)])
    return pd.DataFrame(rows, columns=["stock_symbol", "other_symbol", "correlation", "days"])


def symbols(bars: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for symbol, mine in bars.groupby("stock_symbol"):
        close = mine["close_price"].to_numpy()
        days = (mine["date"].iloc[0], mine["date"].iloc[-1], len(mine))
        rows.append([symbol, *days, close[-1], close[-1] / close[-253] - 1])
    names = ["first_day", "last_day", "trading_days", "last_close", "year_change"]
    return pd.DataFrame(rows, columns=["stock_symbol", *names])


def data_quality(bars: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for symbol, mine in bars.groupby("stock_symbol"):
        ratio = mine["close_price"].to_numpy()[1:] / mine["close_price"].to_numpy()[:-1]
        missing = 3 if symbol == "NVDA" else 0
        rows.append([symbol, len(mine), 0, 0, 0, missing, int(((ratio > 1.25) | (ratio < 0.8)).sum())])
    names = ["bars", "repeated", "impossible", "without_trade", "missing_days", "jumps"]
    return pd.DataFrame(rows, columns=["stock_symbol", *names])


def price_history(bars: pd.DataFrame) -> pd.DataFrame:
    """The bars with the estimators of volatility over rolling windows of pandas."""
    frames = []
    for _, mine in bars.groupby("stock_symbol"):
        o, h, low, c = (np.log(mine[f"{name}_price"]) for name in ("open", "high", "low", "close"))
        change, night, day = c.diff(), o - c.shift(), c - o
        klass = 0.5 * (h - low) ** 2 - (2 * math.log(2) - 1) * day**2
        rogers = (h - c) * (h - o) + (low - c) * (low - o)
        k = 0.34 / (1.34 + (20 + 1) / (20 - 1))
        yang = night.rolling(20).var() + k * day.rolling(20).var() + (1 - k) * rogers.rolling(20).mean()
        variances = {
            "close_to_close": change.rolling(20).var(),
            "garman_klass": klass.rolling(20).mean(),
            "rogers_satchell": rogers.rolling(20).mean(),
            "yang_zhang": yang,
        }
        means = {f"mean_{days}": mine["close_price"].rolling(days).mean() for days in (20, 50, 200)}
        known = change.rolling(20).count() == 20
        yearly = {name: np.sqrt(252 * variance.where(known)) for name, variance in variances.items()}
        frames.append(mine.assign(change=mine["close_price"].pct_change(), **means, **yearly))
    return pd.concat(frames).drop(columns=["version", "_hoodie_commit_time"])


ORACLES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    function.__name__: function
    for function in (
        daily_bars,
        monthly_candles,
        moving_averages,
        volatility,
        volume_spikes,
        drawdowns,
        correlations,
        symbols,
        data_quality,
        price_history,
    )
}


def assert_equal(result: QueryResult, expected: pd.DataFrame) -> None:
    """Compare a result with a frame: the same columns, rows and order; doubles to the last few bits."""
    assert result.columns == list(expected.columns)
    assert len(result.rows) == len(expected) > 0
    got = pd.DataFrame(result.rows, columns=result.columns)
    for name in expected.columns:
        if pd.api.types.is_datetime64_any_dtype(expected[name]):
            assert list(pd.to_datetime(got[name])) == list(expected[name]), name
        elif pd.api.types.is_float_dtype(expected[name]):
            wanted = expected[name].to_numpy(float)
            np.testing.assert_allclose(got[name].to_numpy(float), wanted, rtol=1e-9, atol=1e-12, err_msg=name)
        else:
            assert list(got[name]) == list(expected[name]), name


@pytest.mark.parametrize("name", ORACLES)
def test_a_saved_query_gives_what_pandas_computes(name: str, tables: Settings, bars: pd.DataFrame) -> None:
    assert_equal(query(tables, saved_query(name), DATABASE), ORACLES[name](bars))


def test_freshness_is_that_of_the_first_delivery_and_forecast_of_each_row(
    tables: Settings, events: list[Event]
) -> None:
    hops: list[tuple[str, Callable[[Event], float | None]]] = [
        ("1 change to raw object", lambda event: event.object_s - event.change_s),
        ("2 raw object to commit", lambda event: event.commit_s - event.object_s),
        ("3 commit to forecast", lambda event: event.forecast_s and event.forecast_s - event.commit_s),
        ("4 change to commit", lambda event: event.commit_s - event.change_s),
        ("5 change to forecast", lambda event: event.forecast_s and event.forecast_s - event.change_s),
    ]
    rows = []
    for name, seconds in hops:
        values = sorted(value for event in events if (value := seconds(event)) is not None)
        at = [values[math.ceil(len(values) * percent / 100) - 1] for percent in (50, 95)]
        rows.append([name, len(values), *at, values[-1]])
    expected = pd.DataFrame(rows, columns=["hop", "measured_rows", "p50", "p95", "slowest"])
    got = query(tables, saved_query("freshness"), DATABASE)
    assert [row[:2] for row in got.rows] == [row[:2] for row in rows]
    for row, wanted in zip(got.rows, rows, strict=True):
        assert row[2:] == pytest.approx(wanted[2:], abs=1e-9)
    assert got.columns == list(expected.columns)


def test_forecast_scores_are_those_of_numpy(
    tables: Settings, bars: pd.DataFrame, forecasts: pd.DataFrame
) -> None:
    rows = []
    next_day = forecasts[forecasts["horizon"] == 1]
    for (model, symbol), made in next_day.groupby(["model_version", "stock_symbol"]):
        mine = bars[bars["stock_symbol"] == symbol].set_index("date")["close_price"]
        returns = np.log(mine).diff().dropna()
        actual, quantiles, baseline = [], [], []
        for one in made.to_dict("records"):
            past = returns[: pd.Timestamp(one["as_of_date"])].tail(500)
            if pd.Timestamp(one["date"]) not in mine.index or len(past) < 60:
                continue
            actual.append(math.log(mine[pd.Timestamp(one["date"])] / one["last_close"]))
            quantiles.append([math.log(one[name] / one["last_close"]) for name in QUANTILE_COLUMNS])
            baseline.append(np.quantile(past, QUANTILE_LEVELS))
        came, bands = np.array(actual), np.array(quantiles)
        loss = pinball_loss(came, bands, LEVELS)
        ratio = loss.sum() / pinball_loss(came, np.array(baseline), LEVELS).sum()
        within = (coverage(came, bands[:, 1], bands[:, 5]), coverage(came, bands[:, 0], bands[:, 6]))
        rows.append([model, symbol, len(came), loss.mean(), ratio, *within])
    names = ["forecasts", "pinball_loss", "pinball_ratio", "coverage_80", "coverage_95"]
    expected = pd.DataFrame(rows, columns=["model_version", "stock_symbol", *names])
    assert (
        expected["forecasts"] < next_day.groupby(["model_version", "stock_symbol"]).size().to_numpy()
    ).all()
    assert_equal(query(tables, saved_query("forecast_scores"), DATABASE), expected)


def test_the_outcome_of_every_forecast_is_that_of_numpy(
    tables: Settings, bars: pd.DataFrame, forecasts: pd.DataFrame
) -> None:
    closes = {symbol: mine.set_index("date")["close_price"] for symbol, mine in bars.groupby("stock_symbol")}
    last_made = forecasts.groupby(["stock_symbol", "date", "horizon"])["made_at"].transform("max")
    rows = []
    for one in forecasts.assign(newest=(forecasts["made_at"] == last_made).astype(int)).to_dict("records"):
        mine, horizon = closes[one["stock_symbol"]], one["horizon"]
        actual = mine.get(pd.Timestamp(one["date"]))
        loss, baseline, inside = None, None, (None, None)
        if actual is not None:
            came = np.array([math.log(actual / one["last_close"])])
            bands = np.array([[math.log(one[name] / one["last_close"]) for name in QUANTILE_COLUMNS]])
            loss = pinball_loss(came, bands, LEVELS)[0]
            inside = (one["q100"] <= actual <= one["q900"], one["q025"] <= actual <= one["q975"])
            past = np.log(mine[: pd.Timestamp(one["as_of_date"])]).diff(horizon).dropna().tail(500)
            if len(past) >= 60:
                baseline = pinball_loss(came, np.quantile(past, QUANTILE_LEVELS)[None], LEVELS)[0]
        names = ("stock_symbol", "date", "horizon", "as_of_date", "model_version", "last_close")
        shown = [one[name] for name in (*names, "q025", "q100", "q500", "q900", "q975")]
        rows.append([*shown, actual, loss, baseline, *inside, one["newest"]])
    got = query(tables, saved_query("forecast_outcomes"), DATABASE)
    columns = [*got.columns[:11], "actual", "pinball_loss", "baseline_loss", "inside_80", "inside_95", "newest"]
    expected = pd.DataFrame(rows, columns=columns)
    for day in ("date", "as_of_date"):
        expected[day] = pd.to_datetime(expected[day])
    for number in ("actual", "pinball_loss", "baseline_loss", "inside_80", "inside_95"):
        expected[number] = expected[number].astype(float)
    expected = expected.sort_values(["stock_symbol", "date", "horizon", "model_version"], ignore_index=True)
    assert expected["baseline_loss"].isna().sum() > expected["actual"].isna().sum() > 0
    assert 0 < expected["inside_80"].sum() < expected["inside_95"].sum() and 0 < expected["newest"].mean() < 1
    assert_equal(got, expected)


QUICKSIGHT_TYPES = {
    "varchar": "STRING",
    "date": "DATETIME",
    "double": "DECIMAL",
    "bigint": "INTEGER",
    "integer": "INTEGER",
}
"""Athena's types as QuickSight takes them (docs.aws.amazon.com/quicksight, supported data types)."""


@pytest.mark.parametrize("logical_id", ["PricesDataSet", "MonthsDataSet", "ForecastsDataSet"])
def test_a_data_set_of_quicksight_has_the_columns_that_athena_returns(
    logical_id: str, tables: Settings, gateway: Gateway
) -> None:
    """Wrapped as QuickSight wraps it: the query in brackets, what is filtered around it."""
    [table] = properties(logical_id)["PhysicalTableMap"].values()
    held = table["CustomSql"]
    sql = f"SELECT * FROM ({held['SqlQuery']}) AS held WHERE stock_symbol = 'NFLX' LIMIT 1"
    answer = run(
        gateway.client("athena"),
        sql,
        QueryExecutionContext={"Database": DATABASE},
        ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"},
    )
    assert [(column["Name"], column["Type"]) for column in held["Columns"]] == [
        (name, QUICKSIGHT_TYPES[kind]) for name, kind in answer.columns.items()
    ]
    assert len(answer.rows) == 1


def test_data_quality_counts_what_is_wrong(tables: Settings, gateway: Gateway) -> None:
    good = {"open_price": 10.0, "high_price": 12.0, "low_price": 9.0, "close_price": 11.0, "volume": 5}
    wrong: list[dict[str, Any]] = [
        {"date": "2024-01-02", **good},
        {"date": "2024-01-02", **good},  # repeated
        {"date": "2024-01-03", **good, "high_price": 10.5},  # the close is higher
        {"date": "2024-01-04", **good, "low_price": 10.5},  # the open is lower
        {"date": "2024-01-05", **good, "low_price": 0.0},
        {"date": "2024-01-08", **good, "high_price": None},
        {"date": "2024-01-09", **good, "volume": 0},
        {
            "date": "2024-01-11",
            **good,
            "high_price": 15.0,
            "close_price": 13.8,
        },  # a jump, after a missing day
    ]
    whole = [{"date": f"2024-01-{day:02d}", **good} for day in (2, 3, 4, 5, 8, 9, 10, 11)]
    frame = pd.DataFrame(
        [{"stock_symbol": "^BAD", **row} for row in wrong]
        + [{"stock_symbol": "GOOD.B", **row} for row in whole]
    ).assign(version=1, _hoodie_commit_time=OLD_COMMIT)
    frame["date"] = pd.to_datetime(frame["date"])
    put_prices(tables, gateway.client("s3"), BAD_DATABASE, frame)
    answer = query(tables, saved_query("data_quality"), BAD_DATABASE)
    assert answer.rows == [["GOOD.B", 8, 0, 0, 0, 0, 0], ["^BAD", 8, 1, 4, 1, 1, 1]]


def test_every_saved_query_is_tested_here() -> None:
    assert {*ORACLES, "freshness", "forecast_scores", "forecast_outcomes"} == set(saved_queries())


@pytest.mark.parametrize("name", saved_queries())
def test_a_saved_query_is_athenas_sql_and_says_what_it_gives(name: str) -> None:
    text = saved_query(name)
    assert isinstance(sqlglot.parse_one(text, read="athena"), sqlglot.exp.Query)
    assert text.startswith("-- ") and saved_queries()[name].endswith(".")
    assert max(map(len, text.splitlines())) <= 120


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(LakeError, match="'nope'") as refused:
        saved_query("nope")
    assert "monthly_candles" in refused.value.todo


def test_the_command_line_lists_and_runs_them(
    tables: Settings, monkeypatch: pytest.MonkeyPatch, bars: pd.DataFrame
) -> None:
    monkeypatch.setenv("NEARCAST_HOME", str(tables.home))
    monkeypatch.setattr("nearcast.lake.query.query.__defaults__", (DATABASE,))
    listed = CliRunner().invoke(cli, ["lake", "queries", "--json"])
    assert json.loads(listed.stdout) == saved_queries()
    ran = CliRunner().invoke(cli, ["lake", "query", "--saved", "symbols", "--json"])
    assert [row[0] for row in json.loads(ran.stdout)["rows"]] == sorted(bars["stock_symbol"].unique())
    for wrong in (["lake", "query"], ["lake", "query", "SELECT 1", "--saved", "symbols"]):
        assert CliRunner().invoke(cli, wrong).exit_code == 2
