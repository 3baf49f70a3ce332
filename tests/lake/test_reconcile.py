"""Reconciliation finds every kind of difference, down to the last bit, and none where there is none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psycopg
import pytest

from nearcast.lake.reconcile import Difference, _packed, reconcile, renew_versions, repair
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
        link.execute("DELETE FROM nearcast.outbox")
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


def execute(settings: Settings, statement: str) -> None:
    """Change the source."""
    with psycopg.connect(settings.need("postgres_dsn")) as link:
        link.execute(statement.encode())


CONFIRM_DELETIONS = (
    "INSERT INTO nearcast.publications SELECT stock_symbol, date, version, now(), now(), now() FROM nearcast.deletions"
    " ON CONFLICT (stock_symbol, date) DO UPDATE SET version = excluded.version, confirmed_at = now()"
)


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


def test_a_table_whose_first_commit_is_under_way_is_empty(settings: Settings) -> None:
    HudiTable(settings.home / "lake" / "prices")
    assert len(reconcile(settings).missing) == 2699


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


def test_a_deletion_is_pending_until_it_is_published_and_then_its_row_is_extra(
    settings: Settings, rows: pd.DataFrame
) -> None:
    lake(settings, rows)
    day = key(rows, 5)[1]
    execute(settings, f"DELETE FROM nearcast.prices WHERE date = '{day}'")
    found = reconcile(settings)
    assert not found and (found.pending, found.source_rows, found.lake_rows) == (1, 2698, 2699)
    execute(settings, CONFIRM_DELETIONS)
    assert reconcile(settings).extra == [key(rows, 5)]
    assert not reconcile(settings, settle_s=3600)


def test_rows_that_were_confirmed_a_moment_ago_are_left_out_when_asked(
    settings: Settings, rows: pd.DataFrame
) -> None:
    execute(settings, "UPDATE nearcast.publications SET confirmed_at = now() - interval '1 hour'")
    execute(
        settings, f"UPDATE nearcast.publications SET confirmed_at = now() WHERE date = '{key(rows, 3)[1]}'"
    )
    lake(settings, rows.drop(index=[3, 4]))
    assert reconcile(settings).missing == [key(rows, 3), key(rows, 4)]
    found = reconcile(settings, settle_s=600)
    assert (found.missing, found.pending) == ([key(rows, 4)], 1)


def test_a_repair_publishes_deletions_of_extra_rows_and_new_versions_of_the_others(
    settings: Settings, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake(settings, pd.concat([rows.drop(index=3), rows.iloc[[0]].assign(stock_symbol="GONE")]))
    before = reconcile(settings)
    published: list[tuple[str, str, bool]] = []

    def publish(settings: Settings, symbols: list[str]) -> None:
        """Bring what is pending to the lake, as the path would."""
        with psycopg.connect(settings.need("postgres_dsn")) as link:
            found = link.execute(
                "SELECT stock_symbol, date::text, deleted, version FROM nearcast.pending"
            ).fetchall()
        assert min(version for *_, version in found) > rows["version"].max()
        published.extend((symbol, day, deleted) for symbol, day, deleted, _ in found)
        execute(
            settings,
            "UPDATE nearcast.publications AS p SET version = prices.version FROM nearcast.prices"
            " WHERE p.date = prices.date AND p.stock_symbol = prices.stock_symbol",
        )
        execute(settings, CONFIRM_DELETIONS)
        with psycopg.connect(settings.need("postgres_dsn")) as link:
            new = link.execute(f"SELECT {COLUMNS} FROM nearcast.prices ORDER BY date".encode()).fetchall()
        frame = pd.DataFrame(new, columns=[column.name for column in BAR])
        monkeypatch.setattr(
            "nearcast.lake.reconcile.lake_rows",
            lambda _settings, _symbols: [_packed(row) for row in frame.itertuples(index=False, name=None)],
        )

    monkeypatch.setattr("nearcast.stream.publisher.publish", publish)
    assert repair(settings, before, lambda _text: None) == 2
    assert sorted(published) == [(*before.extra[0], True), (*before.missing[0], False)]
