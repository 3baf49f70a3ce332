"""Each saved query gives, through Athena, what pandas and NumPy compute from the same real prices."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
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
from tests.lake.athena_tables import BAD_DATABASE, BUCKET, DATABASE, OLD_COMMIT, Event, put_prices
from tests.local.gateway.analytics_template import properties
from tests.local.gateway.athena_client import run
from tests.local.gateway.conftest import Gateway

LEVELS = np.array(QUANTILE_LEVELS)


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
    columns = [
        *got.columns[:11],
        "actual",
        "pinball_loss",
        "baseline_loss",
        "inside_80",
        "inside_95",
        "newest",
    ]
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
    "varchar": ("STRING", None),
    "date": ("DATETIME", None),
    "double": ("DECIMAL", "FLOAT"),
    "bigint": ("INTEGER", None),
    "integer": ("INTEGER", None),
}
"""Athena's types as QuickSight takes them (quicksight/latest/user/supported-data-types-and-values.html).

FLOAT, because SPICE, should somebody choose it, keeps four places of a FIXED decimal.
"""


@pytest.mark.parametrize("logical_id", ["PricesDataSet", "MonthsDataSet", "ForecastsDataSet"])
def test_a_data_set_of_quicksight_has_the_columns_that_athena_returns(
    logical_id: str, tables: Settings, gateway: Gateway
) -> None:
    """Wrapped as QuickSight wraps it: the query in brackets, what is filtered around it."""
    [table] = properties(logical_id)["PhysicalTableMap"].values()
    held = table["CustomSql"]
    query = held["SqlQuery"].replace(" nearcast.", f" {DATABASE}.")
    sql = f"SELECT * FROM ({query}) AS held WHERE stock_symbol = 'NFLX' LIMIT 1"
    answer = run(
        gateway.client("athena"),
        sql,
        QueryExecutionContext={"Database": DATABASE},
        ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"},
    )
    declared = [(column["Name"], column["Type"], column.get("SubType")) for column in held["Columns"]]
    assert declared == [(name, *QUICKSIGHT_TYPES[kind]) for name, kind in answer.columns.items()]
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
