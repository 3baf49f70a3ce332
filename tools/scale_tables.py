"""Renew the tables of docs/scale.md from the cost model: ``python tools/scale_tables.py``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from nearcast.cost.bill import Estimate
from nearcast.cost.estimate import estimate
from nearcast.cost.record_sizes import record_sizes
from nearcast.cost.tables import limits, price_table
from nearcast.cost.workload import Workload

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
RATES = (0, 1, 500, 5_000, 50_000)
SCHEDULES = ((10.0, 1 / 6), (10.0, 24.0), (60.0, 24.0), (1440.0, 24.0))
"""Minutes between two starts of the job, hours between two crawls."""
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(page: str) -> str:
    """Return the page with its tables as the model has them now. Raises KeyError for a table it does not know."""
    return BLOCK.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[3]}", page)


def sizes() -> str:
    """Return the bytes of a row at each hop, and what each hop bills for it."""
    made = record_sizes()
    return table(
        ["hop", "bytes", "billed as"],
        [
            [
                "item in DynamoDB",
                f"{made.item:,}",
                "1 write unit and 1 change data capture unit, of 1,024 each",
            ],
            ["change record in Kinesis", f"{made.change:,}", "1 PUT payload unit of 25,600; on demand 1,024"],
            ["the same in Firehose", f"{made.change:,}", "5,120"],
            ["in the Lambda's request", f"{made.event:,}", "by time"],
            ["line of a raw object", f"{made.line:,}", "as it is"],
        ],
    )


def costs() -> str:
    """Return the monthly cost of each part at each rate."""
    made = [estimate(Workload(rate)) for rate in RATES]
    rows = [[name, *(f"{one.part(name).usd:,.2f}" for one in made)] for name in _names(made)]
    rows.append(["**all**", *(f"**{one.usd:,.2f}**" for one in made)])
    market = [estimate(Workload(rate, hours_per_day=6.5, days_per_month=21)) for rate in RATES]
    rows.append(["all, 6.5 h on 21 days", *(f"{one.usd:,.2f}" for one in market)])
    return table(["USD a month", *(_rate(rate) for rate in RATES)], rows)


def settings() -> str:
    """Return the settings of the parts that have one to choose."""
    made = [estimate(Workload(rate)) for rate in RATES[1:]]
    chosen = ("DynamoDB", "Kinesis", "Firehose", "Lambda", "Glue job")
    rows = [[name, *(one.part(name).settings for one in made)] for name in chosen]
    return table(["", *(_rate(rate) for rate in RATES[1:])], rows)


def modes() -> str:
    """Return what both modes of capacity cost, and from which hours a day provisioned is cheaper."""
    rows = []
    for name in ("DynamoDB", "Kinesis"):
        for rate in RATES[1:]:
            found = estimate(Workload(rate)).part(name).modes
            assert found is not None
            hours = found.even_at_hours_per_day
            even = "always provisioned" if hours is None else f"{hours:.1f}"
            rows.append(
                [name, _rate(rate), f"{found.on_demand_usd:,.2f}", f"{found.provisioned_usd:,.2f}", even]
            )
    return table(["capacity of", "at", "on demand", "provisioned", "even at hours a day"], rows)


def stops() -> str:
    """Return the rate beyond which each part stops, and what to change there."""
    rows = []
    for name, (part, change, rate) in sorted(first_stops().items(), key=lambda item: item[1][2]):
        source = f"[published]({limits()[name].source})" if name in limits() else "Nearcast's own, arithmetic"
        rows.append([part, f"{_rounded(rate):,.0f}", source, change])
    return table(["part", "stops beyond rows/s", "limit", "change"], rows)


def schedules() -> str:
    """Return what job and crawler cost while no row comes, at several schedules."""
    rows = []
    for job_minutes, crawl_hours in SCHEDULES:
        made = estimate(Workload(0, job_minutes=job_minutes, crawl_hours=crawl_hours))
        job, crawls = made.part("Glue job").usd, made.part("Glue crawler").usd
        rows.append(
            [
                _every(job_minutes),
                _every(crawl_hours * 60),
                f"{job:,.2f}",
                f"{crawls:,.2f}",
                f"{made.usd:,.2f}",
            ]
        )
    return table(["job", "crawler", "job, USD", "crawler, USD", "all idle, USD"], rows)


def first_stops() -> dict[str, tuple[str, str, float]]:
    """Return, by stop, its part, what to change, and the largest rate (rows a second) that is not beyond it."""
    found: dict[str, tuple[str, str, float]] = {}
    for exponent in range(8):
        for part in estimate(Workload(10.0**exponent)).parts:
            for stop in part.stops:
                if stop.name not in found:
                    found[stop.name] = (part.name, stop.change, _last_rate(stop.name, 10.0**exponent))
    return found


def _last_rate(name: str, beyond: float) -> float:
    low, high = beyond / 10, beyond
    for _ in range(40):
        middle = (low + high) / 2
        stopped = any(stop.name == name for part in estimate(Workload(middle)).parts for stop in part.stops)
        low, high = (low, middle) if stopped else (middle, high)
    return low


def _rounded(rate: float) -> float:
    """Return the rate with two digits, rounded to the nearest."""
    digits = math.floor(math.log10(rate)) - 1
    return round(rate, -digits)


def _names(made: Sequence[Estimate]) -> list[str]:
    return [part.name for part in made[0].parts]


def _rate(rate: float) -> str:
    return "idle" if rate == 0 else f"{rate:,} row{'s' * (rate != 1)}/s"


def _every(minutes: float) -> str:
    return f"every {minutes:g} minutes" if minutes < 60 else f"every {minutes / 60:g} h"


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    lines = [list(heading), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


TABLES = {
    "sizes": sizes,
    "costs": costs,
    "settings": settings,
    "modes": modes,
    "stops": stops,
    "schedules": schedules,
}


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{PAGE} has the tables of {price_table().compiled}")


if __name__ == "__main__":
    main()
