"""docs/scale.md has the figures that the command prints."""

from __future__ import annotations

from nearcast.cost.bill import Estimate
from nearcast.cost.estimate import estimate
from nearcast.cost.workload import Workload
from tools.scale_tables import BLOCK, PAGE, RATES, TABLES, first_stops, renewed


def test_the_pages_tables_are_the_models() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page, "Renew it: python tools/scale_tables.py"
    assert [found[2] for found in BLOCK.finditer(page)] == list(TABLES)


def test_it_has_the_total_of_every_rate() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for rate in RATES:
        assert f"**{estimate(Workload(rate)).usd:,.2f}**" in page


def test_a_part_stops_beyond_the_rate_that_is_given_and_not_below() -> None:
    def stopped(made: Estimate) -> set[str]:
        return {stop.name for part in made.parts for stop in part.stops}

    found = first_stops()
    assert "dynamodb-table-writes" in found and "nearcast-job-memory" in found
    for name, (_, _, rate) in found.items():
        assert name not in stopped(estimate(Workload(rate * 0.999)))
        assert name in stopped(estimate(Workload(rate * 1.001)))
