"""Whether a newly trained version takes the champion's place: judged on days that neither learned from."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from nearcast.forecast.bootstrap import Interval, ratio_interval
from nearcast.forecast.losses import pinball_loss
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

MINIMUM_DAYS = 60
"""Common days below which a comparison says nothing."""

SIMPLER = 0.9
"""A model is simpler when it has at most this share of the other's parameters."""


class Forecaster(Protocol):
    """What a comparison asks of a trained model."""

    @property
    def trained_until(self) -> datetime.date:
        """The newest day whose outcome it learned from."""

    @property
    def complexity(self) -> int:
        """How much there was to learn: its number of parameters."""

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Forecast; see `nearcast.forecast.backtest.model.Model.quantiles`."""


@dataclass(frozen=True)
class Comparison:
    """Two models on the same days.

    Parameters
    ----------
    days
        Days from which both forecast.
    ratio
        Pinball loss of the one over that of the other, of the next session; None without days.
    unanswered
        Forecasts that the other made and the one did not.
    """

    days: int
    ratio: Interval | None
    unanswered: int


@dataclass(frozen=True)
class Decision:
    """What became of a version.

    Parameters
    ----------
    version
        The version that wanted to be champion.
    champion
        The champion that it was compared with; None when there was none.
    decision
        "promoted"; "challenger" when the champion stays; "champion" when it is that already.
    reason
        Why, for people.
    days, ratio, low, high
        Common days, and the ratio of its pinball loss to the champion's with the 95 % interval; None: not compared.
    complexity, champion_complexity
        Numbers of parameters.
    """

    version: str
    champion: str | None
    decision: Literal["promoted", "challenger", "champion"]
    reason: str
    days: int
    ratio: float | None
    low: float | None
    high: float | None
    complexity: int
    champion_complexity: int | None


def compare(challenger: Forecaster, champion: Forecaster, bars: pd.DataFrame) -> Comparison:
    """Let both forecast the next session from every day since the later end of their trainings.

    Their outcomes are days that neither learned from.

    Parameters
    ----------
    challenger, champion
        Two models that say until when they learned.
    bars
        Daily bars of every symbol that is forecast, by symbol and date.
    """
    since = np.datetime64(max(challenger.trained_until, champion.trained_until), "D")
    following = bars.groupby("stock_symbol")["close_price"].shift(-1)
    outcome = np.log((following / bars["close_price"]).to_numpy(float))
    dates = bars["date"].to_numpy().astype("datetime64[D]")
    wanted = (dates >= since) & np.isfinite(outcome)
    mine, theirs = (model.quantiles(bars, wanted) for model in (challenger, champion))
    made, needed = (np.asarray(np.isfinite(quantiles).all(axis=2)) for quantiles in (mine, theirs))
    common = min(made.shape[1], needed.shape[1])
    unanswered = int((needed[:, :common] & ~made[:, :common]).sum() + needed[:, common:].sum())
    both = made[:, 0] & needed[:, 0]
    if not both.any():
        return Comparison(0, None, unanswered)
    levels, actual, days = np.array(QUANTILE_LEVELS), outcome[wanted][both], dates[wanted][both]
    loss = pinball_loss(actual, mine[both, 0], levels)
    reference = pinball_loss(actual, theirs[both, 0], levels)
    return Comparison(len(np.unique(days)), ratio_interval(loss, reference, days), unanswered)


def decide(
    version: str, complexity: int, champion: str, champion_complexity: int, comparison: Comparison
) -> Decision:
    """Apply the rule: better with the whole interval, or equal and simpler.

    Parameters
    ----------
    version, complexity
        The version that wants to be champion, and its number of parameters.
    champion, champion_complexity
        The champion and its own.
    comparison
        How they did on the same days.
    """
    ratio, days = comparison.ratio, comparison.days
    decision: Literal["promoted", "challenger"] = "challenger"
    if comparison.unanswered:
        reason = f"gives no answer to {comparison.unanswered} forecasts that version {champion} makes"
    elif ratio is None or days < MINIMUM_DAYS:
        reason = (
            f"only {days} days that neither it nor version {champion} learned from; {MINIMUM_DAYS} are needed"
        )
    else:
        promoted, verdict = _verdict(ratio, complexity, champion_complexity)
        decision = "promoted" if promoted else "challenger"
        interval = f"{ratio.low:.4f} to {ratio.high:.4f}, {days} days"
        reason = f"{verdict}: pinball loss {ratio.value:.4f} of version {champion}'s ({interval})"
    return Decision(
        version,
        champion,
        decision,
        reason,
        days,
        ratio.value if ratio else None,
        ratio.low if ratio else None,
        ratio.high if ratio else None,
        complexity,
        champion_complexity,
    )


def _verdict(ratio: Interval, mine: int, theirs: int) -> tuple[bool, str]:
    """Return whether to promote, and what a model is that has this ratio and number of parameters."""
    if ratio.high < 1:
        return True, "better"
    if ratio.low > 1:
        return False, "worse"
    sizes = f"{mine} parameters against {theirs}"
    if mine <= SIMPLER * theirs:
        return True, f"equal and simpler ({sizes})"
    return False, f"equal and not simpler ({sizes})"
