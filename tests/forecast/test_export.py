"""Forecasts on S3: an object each under a key of its own, read back as they were stored."""

from __future__ import annotations

import datetime
import io
import json
from typing import Any

import pytest

from nearcast.forecast import export
from nearcast.settings import Settings

DAY = datetime.date(2023, 9, 21)
MADE = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.timezone.utc)  # noqa: UP017


def row(symbol: str, as_of: datetime.date = DAY) -> tuple[Any, ...]:
    """Return a stored forecast."""
    quantiles = tuple(100.0 + level / 7 for level in range(7))
    following = as_of + datetime.timedelta(days=1)
    return (symbol, following, 1, as_of, MADE, "nearcast-quantile/1", "20260102", 100.1, *quantiles)


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


class Stored:
    """A connection whose forecasts are given."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self.rows = rows

    def execute(self, query: str) -> Any:
        """Return itself as the cursor."""
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows."""
        return self.rows


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The bucket that the export writes to."""
    bucket = Bucket()
    monkeypatch.setattr("nearcast.forecast.export.client", lambda service, settings: bucket)
    return bucket


def test_an_object_holds_the_forecast_bit_by_bit_on_one_line(bucket: Bucket) -> None:
    export.put_forecast(Settings(hudi_bucket="b"), row("NFLX"))
    [(key, body)] = bucket.held.items()
    assert key.startswith("forecasts/NFLX/") and body.endswith(b"\n") and body.count(b"\n") == 1
    document = json.load(io.BytesIO(body))
    assert tuple(document) == export.COLUMNS
    assert document["as_of_date"] == "2023-09-21" and document["made_at"].startswith("2026-01-02T03:04:05")
    assert [document[name] for name in export.COLUMNS[7:]] == list(row("NFLX")[7:])


def test_an_export_puts_only_what_is_missing_and_a_second_one_nothing(bucket: Bucket) -> None:
    rows = [row("NFLX"), row("NFLX", DAY + datetime.timedelta(days=1)), row("AAPL")]
    settings = Settings(hudi_bucket="b")
    export.put_forecast(settings, rows[0])
    assert export.export_forecasts(settings, Stored(rows)) == 2
    assert export.export_forecasts(settings, Stored(rows)) == 0
    assert (len(bucket.held), bucket.puts) == (3, 3)
