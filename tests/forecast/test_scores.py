"""Stored forecasts are scored against what came, and only those stored in time count as early."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pandas as pd
import psycopg
import pytest
from click.testing import CliRunner, Result

from nearcast.cli import cli
from nearcast.forecast.losses import pinball_loss
from nearcast.forecast.scores import Choice, Scores, record, scores
from nearcast.forecast.service import Forecast
from nearcast.forecast.store import store_forecasts
from nearcast.schema import QUANTILE_LEVELS
from nearcast.settings import Settings
from tests.conftest import PostgresCluster

LEVELS = np.array(QUANTILE_LEVELS)
FIRST, DAYS = 600, 80
SPREAD = np.array([-0.06, -0.03, -0.012, 0.001, 0.013, 0.03, 0.06])
NOON = datetime.datetime(2026, 1, 5, 12, tzinfo=datetime.UTC)


def load(settings: Settings, bars: pd.DataFrame) -> None:
    columns = ["stock_symbol", "date", "open_price", "high_price", "low_price", "close_price", "volume"]
    rows = [(*row[:1], row[1].date(), *row[2:]) for row in bars[columns].itertuples(index=False, name=None)]
    with psycopg.connect(settings.need("postgres_dsn")) as link:
        link.cursor().executemany(
            f"INSERT INTO nearcast.prices ({', '.join(columns)}) VALUES (%s, %s, %s, %s, %s, %s, %s)", rows
        )


def forecast(bars: pd.DataFrame, as_of: int) -> Forecast:
    close = float(bars["close_price"].iloc[as_of])
    day, following = bars["date"].iloc[as_of].date(), bars["date"].iloc[as_of + 1].date()
    prices = tuple(close * np.exp(SPREAD))
    return Forecast("NFLX", following, 1, day, close, prices, "nearcast-quantile/1")


@pytest.fixture
def judged(
    postgres_cluster: PostgresCluster, empty_database: Settings, netflix: pd.DataFrame
) -> psycopg.Connection:
    """Eighty forecasts whose days were published a day after (even) or before (odd) they were stored."""
    load(empty_database, netflix[: FIRST + DAYS])
    with psycopg.connect(postgres_cluster.superuser_dsn) as link:
        for as_of in range(FIRST - 1, FIRST + DAYS - 1):
            made = forecast(netflix, as_of)
            store_forecasts(link, [made], "20260105120000000")
            published = NOON + datetime.timedelta(days=1 if as_of % 2 else -1)
            link.execute(
                "INSERT INTO nearcast.publications VALUES ('NFLX', %s, 1, %s, %s, %s)",
                (made.date, published, published, published),
            )
        link.execute("UPDATE nearcast.forecasts SET made_at = %s", (NOON,))
        store_forecasts(link, [forecast(netflix, FIRST + DAYS - 1)], "20260105120000000")  # not published yet
    return psycopg.connect(empty_database.need("postgres_reader_dsn"))


def test_scores_equal_a_computation_from_the_prices_themselves(
    judged: psycopg.Connection, netflix: pd.DataFrame
) -> None:
    with judged:
        result = scores(judged)
    returns = np.diff(np.log(netflix["close_price"].to_numpy(float)))
    as_of = np.arange(FIRST - 1, FIRST + DAYS - 1)
    actual = returns[as_of]
    mine = pinball_loss(actual, np.tile(SPREAD, (DAYS, 1)), LEVELS)
    bands = np.array([np.quantile(returns[t - 500 : t], LEVELS) for t in as_of])
    theirs = pinball_loss(actual, bands, LEVELS)
    assert (result.made, result.scored, result.early) == (DAYS + 1, DAYS, DAYS // 2)
    assert result.pinball_loss == pytest.approx(mine.mean(), rel=1e-9)
    assert result.baseline_pinball_loss == pytest.approx(theirs.mean(), rel=1e-9)
    assert result.pinball_ratio == pytest.approx(mine.sum() / theirs.sum(), rel=1e-9)
    assert result.interval is not None
    assert result.interval.low < result.interval.value < result.interval.high
    assert result.coverage80 == pytest.approx(((actual >= -0.03) & (actual <= 0.03)).mean())


def test_only_forecasts_stored_before_the_first_publication_are_early(judged: psycopg.Connection) -> None:
    with judged:
        early = scores(judged, Choice(early_only=True))
    assert (early.made, early.scored, early.early, early.late) == (DAYS + 1, DAYS // 2, DAYS // 2, DAYS // 2)
    assert early.interval is None  # too few days for blocks of 20


def test_another_models_forecasts_are_left_out_and_nothing_scored_has_no_figures(
    judged: psycopg.Connection,
) -> None:
    with judged:
        assert scores(judged, Choice("nearcast-quantile/2")) == Scores(0, 0, 0)


def test_prices_after_the_as_of_day_do_not_change_the_baseline(
    judged: psycopg.Connection, empty_database: Settings, netflix: pd.DataFrame
) -> None:
    with judged:
        before = scores(judged)
        judged.rollback()
        later = netflix[FIRST + DAYS :].assign(close_price=netflix["close_price"], volume=1)
        load(empty_database, later)
        assert scores(judged) == before


@pytest.fixture
def ahead(postgres_cluster: PostgresCluster, empty_database: Settings, netflix: pd.DataFrame) -> Settings:
    """Three horizons of two models from 90 days, from the 40th return on, stored before everything came."""
    load(empty_database, netflix[:200])
    with psycopg.connect(postgres_cluster.superuser_dsn) as link:
        for as_of in range(40, 130):
            close = float(netflix["close_price"].iloc[as_of])
            for model, width in (("nearcast-quantile/1", 1.0), ("nearcast-quantile/2", 1.5)):
                made = [
                    Forecast(
                        "NFLX",
                        netflix["date"].iloc[as_of + horizon].date(),
                        horizon,
                        netflix["date"].iloc[as_of].date(),
                        close,
                        tuple(close * np.exp(SPREAD * width * horizon**0.5)),
                        model,
                    )
                    for horizon in (1, 2, 10)
                ]
                store_forecasts(link, made, "20260105120000000")
        link.execute(
            "INSERT INTO nearcast.publications SELECT stock_symbol, date, version, now() + interval '1 day', now()"
            " FROM nearcast.prices"
        )
    return empty_database


def test_every_horizon_is_scored_against_its_own_outcome_and_bands(
    ahead: Settings, netflix: pd.DataFrame
) -> None:
    log_price = np.log(netflix["close_price"].to_numpy(float))
    with psycopg.connect(ahead.need("postgres_reader_dsn")) as link:
        everything = record(link, Choice(horizon=None))
        second = record(link, Choice("nearcast-quantile/2", horizon=10))
    by_horizon, by_model = everything.scores_by("horizon"), second.scores_by("model_version")
    assert set(by_horizon) == {1, 2, 10} and set(by_model) == {"nearcast-quantile/2"}
    assert everything.made == everything.early == 90 * 2 * 3
    for horizon in (1, 2, 10):
        first = max(40, 59 + horizon)  # 60 returns over so many sessions must be known
        as_of = np.arange(first, 130)
        actual = log_price[as_of + horizon] - log_price[as_of]
        spreads = [SPREAD * width * horizon**0.5 for width in (1.0, 1.5)]
        mine = [pinball_loss(actual, np.tile(spread, (len(as_of), 1)), LEVELS) for spread in spreads]
        returns = [log_price[horizon : t + 1] - log_price[: t + 1 - horizon] for t in as_of]
        bands = np.array([np.quantile(past[-500:], LEVELS) for past in returns])
        theirs = pinball_loss(actual, bands, LEVELS)
        found = by_horizon[horizon]
        assert found.scored == 2 * len(as_of)
        assert found.pinball_ratio == pytest.approx(sum(map(np.sum, mine)) / (2 * theirs.sum()), rel=1e-9)
        inside = [((actual >= spread[0]) & (actual <= spread[6])).mean() for spread in spreads]
        assert found.coverage95 == pytest.approx(np.mean(inside))
        assert found.direction is not None
        assert found.direction.value == pytest.approx((actual > 0).mean())  # every median is above the close
        assert found.direction.low < found.direction.value < found.direction.high
    assert by_model["nearcast-quantile/2"].pinball_loss == pytest.approx(mine[1].mean(), rel=1e-9)


def test_bins_say_between_which_quantiles_the_outcomes_fell(ahead: Settings, netflix: pd.DataFrame) -> None:
    with psycopg.connect(ahead.need("postgres_reader_dsn")) as link:
        rows = record(link, Choice("nearcast-quantile/1")).rows
    returns = np.diff(np.log(netflix["close_price"].to_numpy(float)))[60:130]
    assert rows["bin"].tolist() == [int(np.searchsorted(SPREAD, one)) for one in returns]


def test_days_before_since_and_other_symbols_are_left_out(ahead: Settings, netflix: pd.DataFrame) -> None:
    since = netflix["date"].iloc[100].date()
    with psycopg.connect(ahead.need("postgres_reader_dsn")) as link:
        assert scores(link, Choice(since=since)).made == 2 * 31
        assert scores(link, Choice(symbols=("AAPL",))) == Scores(0, 0, 0)


def test_the_command_prints_the_record_by_model_symbol_and_horizon(
    ahead: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARCAST_POSTGRES_DSN", ahead.need("postgres_dsn"))
    monkeypatch.delenv("NEARCAST_MLFLOW_TRACKING_URI", raising=False)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["score", *arguments], catch_exceptions=False)

    with psycopg.connect(ahead.need("postgres_dsn")) as link:
        of_first = scores(link, Choice("nearcast-quantile/1"))
    document = json.loads(run("--json").stdout)
    assert (document["made"], document["horizon"], document["late"]) == (180, 1, 0)
    assert [one["horizon"] for one in document["horizons"]] == [1, 2, 10]
    assert [one["model_version"] for one in document["models"]] == [
        "nearcast-quantile/1",
        "nearcast-quantile/2",
    ]
    assert document["models"][0]["pinball_ratio"] == of_first.pinball_ratio
    assert [(one["symbol"], one["scored"]) for one in document["symbols"]] == [("NFLX", 140)]
    assert document["drift"]["signs"] == [] and document["drift"]["problem"]

    tenth = json.loads(run("--json", "--horizon", "10", "--model", "2").stdout)
    assert (tenth["made"], tenth["scored"], tenth["horizon"]) == (90, 61, 10)
    assert tenth["pinball_ratio"] == tenth["horizons"][0]["pinball_ratio"]

    with psycopg.connect(ahead.need("postgres_dsn")) as link:
        link.execute("UPDATE nearcast.publications SET first_published_at = now() - interval '1 day'")
    late = json.loads(run("--json").stdout)
    assert (late["scored"], late["early"], late["late"], late["pinball_ratio"]) == (0, 0, 180, None)
    everything = json.loads(run("--json", "--include-late").stdout)
    assert everything["pinball_ratio"] == document["pinball_ratio"]
    said = run()
    assert "180 after it: left out" in said.stderr.replace("\n", " ")
    assert "By model" in run("--include-late").stdout
