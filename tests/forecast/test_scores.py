"""Stored forecasts are scored against what came, and only those stored in time count as early."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import psycopg
import pytest

from nearcast.forecast.losses import pinball_loss
from nearcast.forecast.scores import Scores, scores
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
        early = scores(judged, early_only=True)
    assert (early.made, early.scored, early.early) == (DAYS + 1, DAYS // 2, DAYS // 2)
    assert early.interval is None  # too few days for blocks of 20


def test_another_models_forecasts_are_left_out_and_nothing_scored_has_no_figures(
    judged: psycopg.Connection,
) -> None:
    with judged:
        assert scores(judged, "nearcast-quantile/2") == Scores(0, 0, 0)


def test_prices_after_the_as_of_day_do_not_change_the_baseline(
    judged: psycopg.Connection, empty_database: Settings, netflix: pd.DataFrame
) -> None:
    with judged:
        before = scores(judged)
        judged.rollback()
        later = netflix[FIRST + DAYS :].assign(close_price=netflix["close_price"], volume=1)
        load(empty_database, later)
        assert scores(judged) == before
