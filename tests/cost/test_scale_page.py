"""docs/scale.md has the figures that the command prints."""

from __future__ import annotations

import runpy
from pathlib import Path

from nearcast.cost.bill import Estimate
from nearcast.cost.estimate import estimate
from nearcast.cost.workload import Workload

ROOT = Path(__file__).parents[2]
TOOL = runpy.run_path(str(ROOT / "tools" / "scale_tables.py"))
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


def test_the_pages_tables_are_the_models() -> None:
    assert TOOL["renewed"](PAGE) == PAGE, "Renew it: python tools/scale_tables.py"
    assert [found[2] for found in TOOL["BLOCK"].finditer(PAGE)] == list(TOOL["TABLES"])


def test_it_has_the_total_of_every_rate() -> None:
    totals = [f"**{estimate(Workload(rate)).usd:,.2f}**" for rate in (0, 1, 500, 5000, 50_000)]
    assert f"| **all** | {' | '.join(totals)} |" in PAGE


def test_a_part_stops_beyond_the_rate_that_is_given_and_not_below() -> None:
    def stopped(made: Estimate) -> set[str]:
        return {stop.name for part in made.parts for stop in part.stops}

    found = TOOL["first_stops"]()
    assert "dynamodb-table-writes" in found and "nearcast-job-memory" in found
    for name, (_, _, rate) in found.items():
        assert name not in stopped(estimate(Workload(rate * 0.999)))
        assert name in stopped(estimate(Workload(rate * 1.001)))
