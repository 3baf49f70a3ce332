"""Reconciliation finds every kind of difference, down to the last bit, and none where there is none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psycopg
import pytest

from nearcast.lake.reconcile import Difference, reconcile, renew_versions
from nearcast.schema import BAR
from nearcast.settings import Settings
from nearcast.source.load import load_csv
from tests.forecast.hudi_table import HudiTable

PRICES = Path(__file__).parents[2] / "data" / "stocks_daily.csv"
COLUMNS = ", ".join(column.name for column in BAR)


@pytest.fixture
def settings(empty_database: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home whose copy is always up to date, and a source with NFLX, all of it published."""
    monkeypatch.setattr("nearcast.lake.sync.sync", lambda settings: SimpleNamespace(commit=None))
    load_csv(empty_database, PRICES, ["NFLX"])
    with psycopg.connect(empty_database.need("postgres_dsn")) as link:
        link.execute(
            "INSERT INTO nearcast.publications SELECT stock_symbol, date, version, now(), now(), now()"
            " FROM nearcast.prices"
        )
    return empty_database.model_copy(update={"home": tmp_path})


@pytest.fixture
def rows(settings: Settings) -> pd.DataFrame:
    """What the lake should hold."""
    with psycopg.connect(settings.need("postgres_dsn")) as link:
        found = link.execute(f"SELECT {COLUMNS} FROM nearcast.prices ORDER BY date".encode()).fetchall()
    frame = pd.DataFrame(found, columns=[column.name for column in BAR])
    return frame.assign(date=pd.to_datetime(frame["date"]))


def lake(settings: Settings, rows: pd.DataFrame) -> None:
    """Write the lake's copy."""
    HudiTable(settings.home / "lake" / "prices").commit("20260101000000000", rows)


def key(rows: pd.DataFrame, position: int) -> tuple[str, str]:
    """Return the key of a row."""
    return "NFLX", str(rows["date"].iloc[position].date())


def test_equal_tables_have_no_difference(settings: Settings, rows: pd.DataFrame) -> None:
    lake(settings, rows)
    found = reconcile(settings)
    assert found == Difference(source_rows=2699, lake_rows=2699) and not found


def test_a_missing_an_extra_and_a_row_that_is_one_bit_off_are_each_named(
    settings: Settings, rows: pd.DataFrame
) -> None:
    extra = rows.iloc[[0]].assign(stock_symbol="GONE")
    changed = rows.copy()
    closes, volumes = changed["close_price"].to_numpy(copy=True), changed["volume"].to_numpy(copy=True)
    closes[7] = np.nextafter(closes[7], np.inf)
    volumes[9] += 1
    changed = changed.assign(close_price=closes, volume=volumes)
    lake(settings, pd.concat([changed.drop(index=3), extra]))
    found = reconcile(settings)
    assert found.missing == [key(rows, 3)]
    assert found.different == [key(rows, 7), key(rows, 9)]
    assert found.extra == [("GONE", str(rows["date"].iloc[0].date()))]
    assert reconcile(settings, ["NFLX"]).extra == []


def test_an_empty_lake_lacks_everything(settings: Settings) -> None:
    found = reconcile(settings)
    assert (len(found.missing), found.lake_rows) == (2699, 0)


def test_a_row_with_a_new_version_is_pending_and_keeps_its_values(
    settings: Settings, rows: pd.DataFrame
) -> None:
    lake(settings, rows)
    renew_versions(settings, [key(rows, 5)])
    found = reconcile(settings)
    assert (found.pending, found.missing, found.extra, found.different) == (1, [], [], [])
    with psycopg.connect(settings.need("postgres_dsn")) as link:
        new = link.execute(
            f"SELECT {COLUMNS} FROM nearcast.prices WHERE date = %s".encode(), (key(rows, 5)[1],)
        ).fetchone()
    assert new is not None
    assert list(new[2:7]) == rows.iloc[5, 2:7].tolist()
    assert new[7] > rows["version"].max()
