"""Background values: never waited for, renewed when due."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from nearcast.dashboard.background import Background


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, at most 5 s."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_nobody_waits_for_the_computation() -> None:
    finish = threading.Event()
    value = Background(lambda: finish.wait(5), every_s=60)
    assert value.latest() is None
    finish.set()
    until(lambda: value.latest() is True)


def test_it_is_renewed_only_when_what_it_depends_on_changed() -> None:
    counter = itertools.count(1)
    value = Background(lambda: next(counter), every_s=0)
    until(lambda: value.latest("a") == 1)
    for _ in range(20):
        assert value.latest("a") == 1
    until(lambda: value.latest("b") == 2)


def test_it_is_not_renewed_more_often_than_asked() -> None:
    counter = itertools.count(1)
    value = Background(lambda: next(counter), every_s=60)
    until(lambda: value.latest() == 1)
    time.sleep(0.05)
    assert [value.latest() for _ in range(5)] == [1] * 5
    assert next(counter) == 2


def test_a_failure_is_tried_again_and_keeps_the_last_value() -> None:
    counter = itertools.count(1)

    def compute() -> int:
        result = next(counter)
        if result == 2:
            raise ValueError("broken")
        return result

    value = Background(compute, every_s=0)
    until(lambda: value.latest("a") == 1)
    seen: list[int | None] = []

    def third() -> bool:
        seen.append(value.latest("b"))
        return seen[-1] == 3

    until(third)
    assert set(seen) == {1, 3}
