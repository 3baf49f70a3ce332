"""Whether it is time to train: a day has passed since the last training, or the champion has drifted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nearcast.forecast.scores import MINIMUM_DAYS, Scores, scores

if TYPE_CHECKING:
    from nearcast.settings import Settings

LARGEST_AGE_S = 86_400.0
SIGNIFICANCE = 0.01
BAND = 0.8


def training_due(settings: Settings) -> str | None:
    """Return why a model should be trained now; None when the champion will do.

    The champion may be older than a day: what counts is when a model was last trained, be it promoted or not.
    Drift asks for one training; while its model stays a challenger, the next one is a day later.

    Raises
    ------
    ForecastError
        MLflow does not answer.
    """
    from nearcast.forecast.registry import CHAMPION_MODEL, champion_version, newest_version
    from nearcast.source.database import connect

    champion, newest = champion_version(settings), newest_version(settings)
    if champion is None or newest is None:
        return "there is no champion"
    version, trained_at = newest
    age = time.time() - trained_at
    if age > LARGEST_AGE_S:
        return f"the last training, of version {version}, was {age / 3600:.0f} hours ago"
    if version != champion:
        return None
    with connect(settings.need("postgres_dsn")) as connection:
        return drift(scores(connection, f"{CHAMPION_MODEL}/{version}"))


def drift(score: Scores) -> str | None:
    """Return how live forecasts have drifted from what was promised; None while nothing speaks for it.

    Two signs, each at a level at which chance rarely gives it: a pinball loss that is worse than the last close's
    with its whole bootstrap interval, and a share of outcomes in the 80 % band that an exact two-sided binomial
    test rejects (Clopper and Pearson, 1934).
    """
    if score.scored < MINIMUM_DAYS or score.coverage80 is None:
        return None
    if score.interval is not None and score.interval.low > 1:
        return f"pinball loss {score.pinball_ratio:.3f} of the last close's, interval from {score.interval.low:.3f}"
    from scipy.stats import binomtest

    inside = round(score.coverage80 * score.scored)
    if binomtest(inside, score.scored, BAND).pvalue < SIGNIFICANCE:
        return f"{score.coverage80:.1%} of {score.scored} outcomes within the 80 % band"
    return None
