"""The figures of a paced run, from ticks whose lateness is known."""

from __future__ import annotations

import pytest

from nearcast.bench.airflow import judge
from nearcast.bench.airflow_world import quantile


def test_rows_made_up_at_a_border_are_told_from_those_within_a_run() -> None:
    on_time = [(float(tick), tick + 0.001 * (tick + 1)) for tick in range(10)]
    made_up = [(10.0, 12.5), (11.0, 12.5), (12.0, 12.5)]
    after = [(13.0, 13.001)]
    figures = judge([*on_time, *made_up, *after], first_of_run={12.5})
    assert (figures["rows"], figures["borders"]) == (14, 1)
    assert figures["lateness_at_border_s"] == {"rows": 3, "max": 2.5}
    assert figures["lateness_within_s"]["max"] == pytest.approx(0.01)
    assert figures["tick_s"] == {"min": 1.0, "max": 1.0}


def test_a_tick_that_was_left_out_or_came_twice_shows_in_the_distances() -> None:
    figures = judge([(0.0, 0.0), (1.0, 1.0), (1.0, 1.1), (3.0, 3.0)], first_of_run=set())
    assert figures["tick_s"] == {"min": 0.0, "max": 2.0}


def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [quantile(values, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
