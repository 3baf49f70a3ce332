"""The record on the page equals the record computed by hand from the file of prices."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nearcast.dashboard.score import Score, compute_score, horizons_html
from nearcast.forecast.bootstrap import Interval
from nearcast.forecast.scores import Scores
from nearcast.schema import QUANTILE_LEVELS
from tests.conftest import free_port
from tests.dashboard.conftest import World

FIRST, LAST, HORIZONS = 72, 86, 4
OFFSETS = (-0.05, -0.02, -0.01, 0.0, 0.01, 0.02, 0.05)


@pytest.fixture
def judged(world: World) -> World:
    """Forecasts from 14 days of NFLX, four sessions ahead, each stored 15 s after a push every 10 s."""
    days = world.days()
    for index, day in enumerate(days):
        world.publish("NFLX", day, at=10.0 * index)
    for index in range(FIRST, LAST):
        world.forecast_ahead("NFLX", days[index], horizons=HORIZONS, at=10.0 * index + 15)
    return world


def pinball(outcome: float, quantiles: list[float]) -> float:
    """Return the mean pinball loss, from its definition."""
    losses = [
        level * (outcome - quantile) if outcome >= quantile else (1 - level) * (quantile - outcome)
        for level, quantile in zip(QUANTILE_LEVELS, quantiles, strict=True)
    ]
    return sum(losses) / len(losses)


def expected(world: World, horizon: int) -> tuple[str, ...]:
    """Return a line of the table, computed with loops."""
    close = [world.close("NFLX", day) for day in world.days()]
    ours, theirs, inside80, inside95 = [], [], [], []
    for index in range(FIRST, LAST):
        if index + horizon >= len(close):
            continue
        outcome = np.log(close[index + horizon] / close[index])
        quantiles = [float(np.log1p(horizon**0.5 * off)) for off in OFFSETS]
        past = [np.log(close[k + horizon] / close[k]) for k in range(index - horizon + 1)]
        ours.append(pinball(outcome, quantiles))
        theirs.append(pinball(outcome, np.quantile(past, QUANTILE_LEVELS).tolist()))
        inside80.append(quantiles[1] <= outcome <= quantiles[5])
        inside95.append(quantiles[0] <= outcome <= quantiles[6])
    scored = len(ours)
    # stored 1.5 pushes after its as-of day: late for the next session, early for those after it
    late = scored if horizon == 1 else 0
    return (
        str(horizon),
        str(scored),
        str(late),
        f"{sum(ours) / sum(theirs):.3f}",
        f"{sum(inside80) / scored:.1%}",
        f"{sum(inside95) / scored:.1%}",
    )


def lines(score: Score | None) -> list[tuple[str, ...]]:
    """Return the lines of the table."""
    rows = re.findall(r"<tr>(<td>.*?)</tr>", horizons_html(score))
    return [tuple(re.findall(r"<td>(.*?)</td>", row)) for row in rows]


def test_the_record_by_horizon_is_the_one_computed_by_hand(judged: World) -> None:
    shown = lines(compute_score(judged.reader_dsn))
    assert shown == [expected(judged, horizon) for horizon in range(1, HORIZONS + 1)]
    assert [line[1:3] for line in shown] == [("14", "14"), ("14", "0"), ("14", "0"), ("14", "0")]


def test_an_interval_is_shown_where_there_is_one() -> None:
    few = Scores(9, 9, 2, 7, pinball_ratio=0.9, coverage80=0.8, coverage95=1.0)
    enough = Scores(900, 900, 2, 7, 1.0, 2.0, 0.5, Interval(0.5, 0.4, 0.6), 0.75, 0.95)
    assert lines(Score({10: enough, 2: few})) == [
        ("2", "9", "7", "0.900", "80.0%", "100.0%"),
        ("10", "900", "7", "0.500 (0.400 to 0.600)", "75.0%", "95.0%"),
    ]


def test_without_a_record_there_is_no_table() -> None:
    away = compute_score(f"postgresql://nobody:none@127.0.0.1:{free_port()}/nearcast")
    assert "cannot be reached" in away.problem
    assert [horizons_html(one) for one in (None, away, Score({}))] == ["", "", ""]
