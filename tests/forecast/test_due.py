"""When the champion's live record asks for a new model."""

from __future__ import annotations

from dataclasses import replace
from math import comb

import pytest

from nearcast.forecast.bootstrap import Interval
from nearcast.forecast.due import BAND, SIGNIFICANCE, drift
from nearcast.forecast.scores import Scores

GOOD = Scores(
    made=100,
    scored=100,
    early=0,
    pinball_ratio=0.98,
    interval=Interval(0.98, 0.95, 1.01),
    coverage80=0.8,
    coverage95=0.95,
)


def two_sided(inside: int, days: int) -> float:
    """Return the exact two-sided binomial p-value by summing the outcomes that are at most as likely."""
    chance = [comb(days, k) * BAND**k * (1 - BAND) ** (days - k) for k in range(days + 1)]
    return sum(p for p in chance if p <= chance[inside] * (1 + 1e-7))


def test_a_champion_that_keeps_its_promises_has_not_drifted() -> None:
    assert drift(GOOD) is None


def test_too_few_days_say_nothing() -> None:
    assert drift(replace(GOOD, scored=20, coverage80=0.0)) is None


def test_a_loss_above_the_last_closes_with_its_whole_interval_is_drift() -> None:
    assert drift(replace(GOOD, pinball_ratio=1.05, interval=Interval(1.05, 0.99, 1.1))) is None
    assert "pinball" in str(drift(replace(GOOD, pinball_ratio=1.05, interval=Interval(1.05, 1.01, 1.1))))


@pytest.mark.parametrize("inside", range(60, 101))
def test_coverage_is_drift_where_an_exact_binomial_test_rejects_it(inside: int) -> None:
    drifted = drift(replace(GOOD, coverage80=inside / 100)) is not None
    assert drifted == (two_sided(inside, 100) < SIGNIFICANCE)
