"""Who is better is decided on days that neither model learned from, and the ratio is that of their losses."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from nearcast.forecast.bootstrap import Interval
from nearcast.forecast.promotion import Comparison, compare, decide
from nearcast.schema import QUANTILE_LEVELS

Array = npt.NDArray[np.float64]
SHAPE = np.array([-2.2, -1.2, -0.6, 0.0, 0.6, 1.2, 2.2])


@dataclass(frozen=True)
class Bands:
    """Forecasts the same bands around the last close from every day but the ``silent`` first ones."""

    trained_until: datetime.date
    width: float = 0.02
    horizons: int = 1
    silent: int = 0
    complexity: int = 100

    def quantiles(self, bars: pd.DataFrame, wanted: npt.NDArray[np.bool_]) -> Array:
        answers = np.tile(self.width * SHAPE, (int(wanted.sum()), self.horizons, 1))
        answers[: self.silent] = np.nan
        return answers


CHAMPION = Bands(datetime.date(2018, 3, 1))


def pinball_by_hand(outcomes: list[float], width: float) -> float:
    """Return the summed pinball loss of the bands, one quantile and one day at a time."""
    total = 0.0
    for outcome in outcomes:
        for level, mark in zip(QUANTILE_LEVELS, width * SHAPE, strict=True):
            total += (level if outcome >= mark else 1 - level) * abs(outcome - mark)
    return total


def test_the_ratio_is_that_of_the_losses_on_the_days_after_the_later_training(all_bars: pd.DataFrame) -> None:
    bars = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX"])].reset_index(drop=True)
    challenger = Bands(datetime.date(2022, 5, 10), width=0.03)
    outcomes, days = [], set()
    for _, mine in bars.groupby("stock_symbol"):
        dates, closes = mine["date"].dt.date.tolist(), mine["close_price"].tolist()
        for day in range(len(mine) - 1):
            if dates[day + 1] > datetime.date(2022, 5, 10):  # a day that neither learned from
                outcomes.append(math.log(closes[day + 1] / closes[day]))
                days.add(dates[day])
    by_hand = pinball_by_hand(outcomes, 0.03) / pinball_by_hand(outcomes, 0.02)
    for one, other, expected in ((challenger, CHAMPION, by_hand), (CHAMPION, challenger, 1 / by_hand)):
        found = compare(one, other, bars)
        assert found.days == len(days)
        assert found.unanswered == 0
        assert found.ratio is not None
        assert found.ratio.value == pytest.approx(expected, rel=1e-12)
        assert found.ratio.low < expected < found.ratio.high


def test_a_copy_has_the_ratio_one_and_no_later_day_counts_twice(netflix: pd.DataFrame) -> None:
    assert compare(CHAMPION, CHAMPION, netflix).ratio == Interval(1.0, 1.0, 1.0)
    newest = netflix["date"].iloc[-1].date()
    assert compare(replace(CHAMPION, trained_until=newest), CHAMPION, netflix) == Comparison(0, None, 0)


@pytest.mark.parametrize(("silent", "horizons", "unanswered"), [(5, 2, 10), (0, 1, 200), (0, 3, 0)])
def test_what_the_champion_answers_and_the_challenger_does_not_is_counted(
    netflix: pd.DataFrame, silent: int, horizons: int, unanswered: int
) -> None:
    champion = replace(CHAMPION, trained_until=netflix["date"].iloc[-201].date(), horizons=2)
    challenger = replace(champion, silent=silent, horizons=horizons)
    found = compare(challenger, champion, netflix)
    assert (found.unanswered, found.days) == (unanswered, 200 - silent)
    assert compare(champion, replace(champion, silent=5), netflix).unanswered == 0


@pytest.mark.parametrize(
    ("days", "interval", "unanswered", "complexity", "decision", "reason"),
    [
        (200, (0.97, 0.95, 0.99), 0, 1000, "promoted", "better"),
        (200, (0.97, 0.95, 1.0), 0, 90, "promoted", "equal and simpler"),
        (200, (0.97, 0.95, 1.0), 0, 91, "challenger", "equal and not simpler"),
        (200, (1.0, 1.0, 1.0), 0, 100, "challenger", "equal and not simpler"),
        (200, (1.03, 1.01, 1.05), 0, 1, "challenger", "worse"),
        (60, (0.97, 0.95, 0.99), 0, 100, "promoted", "better"),
        (59, (0.97, 0.95, 0.99), 0, 100, "challenger", "only 59 days"),
        (0, None, 0, 1, "challenger", "only 0 days"),
        (200, (0.97, 0.95, 0.99), 1, 100, "challenger", "gives no answer to 1 forecasts"),
    ],
)
def test_the_rule(
    days: int,
    interval: tuple[float, float, float] | None,
    unanswered: int,
    complexity: int,
    decision: str,
    reason: str,
) -> None:
    ratio = Interval(*interval) if interval else None
    found = decide("7", complexity, "3", 100, Comparison(days, ratio, unanswered))
    assert found.decision == decision
    assert found.reason.startswith(reason)
    assert "version 3" in found.reason
    assert (found.ratio, found.low, found.high) == (interval or (None, None, None))
    assert (found.version, found.champion, found.days) == ("7", "3", days)
    assert (found.complexity, found.champion_complexity) == (complexity, 100)
