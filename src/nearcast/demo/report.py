"""The report of a demonstration: rows at each hop, freshness, forecasts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nearcast.demo.steps import Live, fetch, raw_seconds
from nearcast.settings import Settings


def rows(settings: Settings, symbols: list[str]) -> dict[str, int]:
    """Return how many rows each hop holds of ``symbols``, and what differs between the source and the lake."""
    from nearcast.lake.counts import dynamodb_rows, raw_rows, rejected_records
    from nearcast.lake.reconcile import reconcile
    from nearcast.source.database import connect

    difference = reconcile(settings, symbols)
    with connect(settings.need("postgres_dsn")) as connection:
        found = connection.execute(
            "SELECT count(*) FROM nearcast.prices WHERE stock_symbol = ANY(%s)", (symbols,)
        ).fetchone()
    return {
        "source": found[0] if found else 0,
        "dynamodb": dynamodb_rows(settings, symbols),
        "raw": raw_rows(settings, symbols),
        "lake": difference.lake_rows,
        **difference.counts(),
        "rejected": rejected_records(settings),
    }


def summary(seconds: list[float]) -> dict[str, float | None]:
    """Return the median, the 95th percentile and the largest of ``seconds``; None where there are none.

    A percentile is the smallest value that at least so many per cent of the values do not exceed.
    """
    if not seconds:
        return {"p50": None, "p95": None, "max": None}
    ordered = sorted(seconds)

    def at(percent: int) -> float:
        return round(ordered[-(-len(ordered) * percent // 100) - 1], 3)

    return {"p50": at(50), "p95": at(95), "max": round(ordered[-1], 3)}


def freshness(settings: Settings, live: Live, since: datetime) -> dict[str, dict[str, float | None]]:
    """Return the seconds from a live row's push to its raw object, to the lake and to its forecast."""
    found = fetch(settings, "live_freshness", {**live.parameters(), "since": since})
    return {
        "raw": summary(raw_seconds(settings, live, since)),
        "lake": summary([row[4] for row in found]),
        "forecast": summary([row[5] for row in found if row[5] is not None]),
    }


def forecasts(settings: Settings, live: Live) -> dict[str, Any]:
    """Return how many live rows were forecast from rows before them alone, and how many of those early.

    A forecast that was stored after its row had been pushed is late, whatever it used.
    """
    found = fetch(settings, "live_forecasts", live.parameters())
    made = [row for row in found if row[3] is not None]
    return {
        "live_rows": len(found),
        "made": len(made),
        "before_publication": sum(made_at < pushed_at for _, _, pushed_at, made_at, *_ in made),
    }
