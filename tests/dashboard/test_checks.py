"""The section of the data checks: what the newest run found, the runs before it, and the quarantine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from nearcast.dashboard.checks import MOST_ROWS
from nearcast.dashboard.data import Database
from tests.dashboard.conftest import World
from tests.dashboard.test_app import html, page

__all__ = ["page"]


def execute(world: World, statement: str, *parameters: Any) -> Any:
    """Write as the writer; return the first value that comes back."""
    cursor = world.connection.execute(statement.encode(), parameters)
    return cursor.fetchone()[0] if cursor.description else None  # type: ignore[index]


def run(world: World, rows: int = 0, *, warnings: int = 0, differences: int = 0) -> None:
    """Store a run that finds so many rows wrong, the same each time."""
    run_id = execute(
        world,
        "INSERT INTO nearcast.check_runs (started_at, rows, quarantined) VALUES (now(), 180, %s) RETURNING id",
        rows,
    )
    results = {
        ("missing", "failure"): differences,
        ("no_session", "error"): rows,
        ("spike", "error"): rows,
        ("jump", "warning"): warnings,
    }
    for (name, severity), findings in results.items():
        example = f"NFLX <{name}>" if findings else None
        execute(
            world,
            "INSERT INTO nearcast.check_results VALUES (%s, %s, %s, %s, %s)",
            run_id,
            name,
            severity,
            findings,
            example,
        )
    for check in ("spike", "no_session"):
        execute(
            world,
            "INSERT INTO nearcast.quarantine"
            " SELECT 'NFLX', date '2020-01-01' + n, n, %s, 'a <b>reason</b>', now(), now(), %s"
            " FROM generate_series(1, %s) AS n ON CONFLICT (stock_symbol, date, version, check_name)"
            " DO UPDATE SET run_id = excluded.run_id",
            check,
            run_id,
            rows,
        )


def test_before_the_first_run_it_says_how_to_start_one(page: AppTest) -> None:
    page.run()
    assert "none has run yet: nearcast lake check" in html(page)
    assert not page.expander


def test_the_newest_run_is_shown_with_every_result_and_reason_as_text(world: World, page: AppTest) -> None:
    run(world, 3, warnings=1)
    run(world, 2, warnings=4)
    page.run()
    shown = html(page)
    assert "0 of 4" not in shown and "1 of 4" in shown
    order = [shown.index(f"<td>{name}</td>") for name in ("no_session", "spike", "jump", "missing")]
    assert order == sorted(order)
    assert "NFLX &lt;spike&gt;" in shown
    assert shown.count("no_session: a &lt;b&gt;reason&lt;/b&gt;; spike: a") == 2
    assert "NFLX 2020-01-03" in shown and "NFLX 2020-01-04" not in shown
    assert not page.exception


def test_the_runs_are_drawn_in_their_order(world: World, page: AppTest) -> None:
    for rows, warnings, differences in ((0, 4, 0), (2, 3, 1), (1, 4, 0)):
        run(world, rows, warnings=warnings, differences=differences)
    page.run()
    figure = json.loads(page.get("plotly_chart")[1].proto.spec)
    drawn: dict[str, Any] = {trace["name"]: trace["y"] for trace in figure["data"]}
    assert drawn == {"quarantined": [0, 2, 1], "warnings": [4, 3, 4], "differences": [0, 1, 0]}


@pytest.mark.parametrize("rows", [MOST_ROWS, MOST_ROWS + 7])
def test_a_long_quarantine_is_cut_and_counted(world: World, page: AppTest, rows: int) -> None:
    run(world, rows)
    page.run()
    assert f">{rows}</div>" in html(page)
    assert ("7 more: nearcast lake quarantine" in html(page)) == (rows > MOST_ROWS)


def test_a_released_row_is_gone_at_once(world: World) -> None:
    run(world, 1)
    database = Database(world.reader_dsn)
    assert [row.total for row in database.quarantined(9)] == [1]
    execute(world, "UPDATE nearcast.quarantine SET released_at = now()")
    assert database.quarantined(9) == []
