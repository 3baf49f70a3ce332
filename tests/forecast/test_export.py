"""Forecasts on S3: an object for each as-of day under a key of its own, read back as they were stored."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from nearcast.forecast import export
from nearcast.forecast.service import Forecast
from nearcast.forecast.store import store_forecasts
from nearcast.settings import Settings

DAY = datetime.date(2023, 9, 21)
SETTINGS = Settings(hudi_bucket="b")


def ahead(symbol: str, as_of: datetime.date = DAY, horizons: int = 3) -> list[Forecast]:
    """Return the forecasts of an as-of day."""
    return [
        Forecast(
            symbol,
            as_of + datetime.timedelta(days=horizon),
            horizon,
            as_of,
            100.1,
            tuple(100.0 + horizon * level / 7 for level in range(7)),
            "nearcast-quantile/1",
            ("no bar of 7 sessions before 2023-01-03", 'a "mark"'),
        )
        for horizon in range(1, horizons + 1)
    ]


class Bucket:
    """An S3 client over a dictionary."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.puts = 0

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        """Hold an object."""
        self.held[Key] = Body
        self.puts += 1

    def get_paginator(self, name: str) -> Any:
        """Return a paginator over the keys."""
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803
        """Return one page."""
        return [{"Contents": [{"Key": key} for key in self.held if key.startswith(Prefix)]}]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The bucket that the export writes to."""
    bucket = Bucket()
    monkeypatch.setattr("nearcast.forecast.export.client", lambda service, settings: bucket)
    return bucket


@pytest.fixture
def link(empty_database: Settings) -> Iterator[psycopg.Connection]:
    """A connection of the writer."""
    with psycopg.connect(empty_database.need("postgres_dsn")) as connection:
        yield connection


def test_an_object_holds_a_line_for_each_horizon_with_what_was_stored_bit_by_bit(
    bucket: Bucket, link: psycopg.Connection
) -> None:
    stored = store_forecasts(link, ahead("NFLX"), "20260102")
    export.put_forecasts(SETTINGS, stored)
    [(key, body)] = bucket.held.items()
    assert key == "forecasts/NFLX/2023-09-22_1_2023-09-21_nearcast-quantile-1.json"
    assert body.endswith(b"\n")
    documents = [json.loads(line) for line in body.splitlines()]
    rows = link.execute(
        f"SELECT {', '.join(export.COLUMNS)} FROM nearcast.forecasts ORDER BY horizon".encode()
    ).fetchall()
    assert [tuple(document) for document in documents] == [export.COLUMNS] * 3
    as_text = [[str(value) if isinstance(value, datetime.date) else value for value in row] for row in rows]
    for document, row in zip(documents, as_text, strict=True):
        document["made_at"] = str(datetime.datetime.fromisoformat(document["made_at"]))
        assert list(document.values()) == row


def test_a_repeat_stores_nothing(link: psycopg.Connection) -> None:
    assert [row[2] for row in store_forecasts(link, ahead("NFLX"), "20260102")] == [1, 2, 3]
    assert store_forecasts(link, ahead("NFLX"), "20260103") == []


def test_an_export_puts_only_what_is_missing_and_a_second_one_nothing(
    bucket: Bucket, link: psycopg.Connection
) -> None:
    first = store_forecasts(link, ahead("NFLX"), "20260102")
    store_forecasts(link, ahead("NFLX", DAY + datetime.timedelta(days=1)), "20260102")
    store_forecasts(link, ahead("AAPL", horizons=1), "20260102")
    export.put_forecasts(SETTINGS, first)
    before = dict(bucket.held)
    assert export.export_forecasts(SETTINGS, link) == 2
    assert export.export_forecasts(SETTINGS, link) == 0
    assert bucket.puts == 3
    assert {key: len(body.splitlines()) for key, body in bucket.held.items() if key not in before} == {
        "forecasts/NFLX/2023-09-23_1_2023-09-22_nearcast-quantile-1.json": 3,
        "forecasts/AAPL/2023-09-22_1_2023-09-21_nearcast-quantile-1.json": 1,
    }
    held = dict(bucket.held)
    bucket.held = {}
    export.export_forecasts(SETTINGS, link)
    assert bucket.held == held  # what the export puts is what the follower had put
