"""Whether the champion still holds what it promised, and whether its world is still the one that it learned.

Four signs, each at a level at which chance rarely gives it: the pinball loss, the coverage, where outcomes fall among
the quantiles, and how returns, ranges and volumes are distributed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.reference import RECENT_DAYS, USUAL_SESSIONS, Reference, quantities
from nearcast.forecast.scores import MINIMUM_DAYS, Choice, Scores, frame, record
from nearcast.forecast.stability import LIMIT, limit_by_chance, stability_index
from nearcast.forecast.store import statement
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.settings import Settings

SIGNIFICANCE = 0.01
BAND = 0.8


@dataclass(frozen=True)
class Sign:
    """What one measure says.

    Parameters
    ----------
    name
        ``pinball_ratio``, ``coverage80``, ``outcomes`` or one of `nearcast.forecast.reference.quantities`.
    value
        The measure; None while too little is known.
    limit
        What it is held to.
    drifted
        Whether it speaks for another model.
    words
        The same, for people.
    """

    name: str
    value: float | None
    limit: float | None
    drifted: bool
    words: str


def champion_signs(settings: Settings, dsn: str) -> list[Sign]:
    """Return every sign of the champion; none while there is no champion.

    Parameters
    ----------
    settings
        Names MLflow.
    dsn
        Connection string of PostgreSQL; the reader's rights suffice.

    Raises
    ------
    ForecastError
        MLflow does not answer.
    SourceError
        PostgreSQL does not.
    """
    from nearcast.forecast.champion_state import champion_state
    from nearcast.source.database import connect

    champion = champion_state(settings)
    if champion is None:
        return []
    with connect(dsn) as connection:
        return signs(connection, champion.version, champion.reference)


def signs(connection: Any, model_version: str, reference: Reference | None) -> list[Sign]:
    """Return every sign of a model, from its forecasts of the symbols that it learned from.

    It promises nothing of others: their forecasts are marked, and the next training learns from them too.

    Parameters
    ----------
    connection
        A psycopg connection; the reader's rights suffice.
    model_version
        ``<registered model>/<version>``.
    reference
        What it was trained on; None: that was not noted, and is not judged.
    """
    live = record(connection, Choice(model_version, symbols=reference.symbols if reference else ()))
    found = [*kept_promises(live.scores()), outcomes(live.rows)]
    if reference is not None:
        wanted = {"symbols": list(reference.symbols), "days": RECENT_DAYS + USUAL_SESSIONS}
        found += inputs(reference, frame(connection.execute(statement("recent_bars"), wanted)))
    return found


def reason(found: list[Sign]) -> str | None:
    """Return why a model should be trained; None while no sign speaks for it."""
    return "; ".join(sign.words for sign in found if sign.drifted) or None


def kept_promises(score: Scores) -> list[Sign]:
    """Return whether the pinball loss and the coverage are as promised.

    The loss has drifted when it is worse than the last close's with its whole bootstrap interval, the coverage when an
    exact two-sided binomial test rejects it (Clopper and Pearson, Biometrika 26 (1934) 404).
    """
    if score.scored < MINIMUM_DAYS or score.coverage80 is None or score.pinball_ratio is None:
        few = f"{score.scored} outcomes: too few yet"
        return [Sign("pinball_ratio", None, 1.0, False, few), Sign("coverage80", None, BAND, False, few)]
    from scipy.stats import binomtest

    low = score.interval.low if score.interval is not None else None
    since = f", interval from {low:.3f}" if low is not None else ""
    loss = f"pinball loss {score.pinball_ratio:.3f} of the last close's{since}"
    covered = f"{score.coverage80:.1%} of {score.scored} outcomes within the 80 % band"
    inside = round(score.coverage80 * score.scored)
    rejected = binomtest(inside, score.scored, BAND).pvalue < SIGNIFICANCE
    return [
        Sign("pinball_ratio", score.pinball_ratio, 1.0, low is not None and low > 1, loss),
        Sign("coverage80", score.coverage80, BAND, bool(rejected), covered),
    ]


def outcomes(rows: pd.DataFrame) -> Sign:
    """Return whether the outcomes of the last 250 days fall among the quantiles as often as promised.

    Symbols of one day move together: the guard against chance counts days.

    Parameters
    ----------
    rows
        As of `nearcast.forecast.scores.Record`, of one horizon.
    """
    days = np.unique(rows["date"])[-RECENT_DAYS:]
    if len(days) < MINIMUM_DAYS:
        return Sign("outcomes", None, LIMIT, False, f"outcomes of {len(days)} days: too few yet")
    recent = rows[rows["date"] >= days[0]]
    expected = np.diff([0.0, *QUANTILE_LEVELS, 1.0])
    counts = np.bincount(recent["bin"].to_numpy(int), minlength=len(expected))
    index, limit = stability_index(expected, counts), limit_by_chance(len(days), len(expected))
    words = (
        f"outcomes of {len(days)} days among the quantiles: stability index {index:.2f}, limit {limit:.2f}"
    )
    return Sign("outcomes", index, limit, index > limit, words)


def inputs(reference: Reference, bars: pd.DataFrame) -> list[Sign]:
    """Return whether returns, ranges and volumes of the last 250 days are distributed as in the training.

    Parameters
    ----------
    reference
        What the model was trained on.
    bars
        The newest 310 bars of each of its symbols, by symbol and date.
    """
    table = quantities(bars) if len(bars) else bars
    dates = table["date"].to_numpy().astype("datetime64[D]")
    days = np.unique(dates)[-RECENT_DAYS:]
    if len(days) < RECENT_DAYS:
        words = f"prices of {len(days)} days: too few yet"
        return [Sign(name, None, LIMIT, False, words) for name in reference.distributions]
    recent = table[dates >= days[0]]
    return [
        _input(name, distribution.usual, stability_index(np.array(distribution.shares), counts), counts.sum())
        for name, distribution in reference.distributions.items()
        if (counts := distribution.counts(recent[name].to_numpy(float))).any()
    ]


def _input(name: str, usual: float | None, index: float, values: int) -> Sign:
    what = f"{name.replace('_', ' ')} of {values} bars against the training: stability index {index:.2f}"
    if usual is None:
        return Sign(name, index, None, False, f"{what}; the training is too short for a limit")
    limit = max(LIMIT, usual)
    return Sign(name, index, limit, index > limit, f"{what}, limit {limit:.2f}")
