"""Whether it is time to train: a day has passed since the last training, or the champion has drifted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nearcast.settings import Settings

LARGEST_AGE_S = 86_400.0


def training_due(settings: Settings) -> str | None:
    """Return why a model should be trained now; None when the champion will do.

    The champion may be older than a day: what counts is when a model was last trained, be it promoted or not.
    Drift asks for one training; while its model stays a challenger, the next one is a day later.

    Raises
    ------
    ForecastError
        MLflow does not answer.
    """
    from nearcast.forecast.drift import champion_signs, reason
    from nearcast.forecast.registry import champion_version, newest_version

    champion, newest = champion_version(settings), newest_version(settings)
    if champion is None or newest is None:
        return "there is no champion"
    version, trained_at = newest
    age = time.time() - trained_at
    if age > LARGEST_AGE_S:
        return f"the last training, of version {version}, was {age / 3600:.0f} hours ago"
    if version != champion:
        return None
    return reason(champion_signs(settings, settings.need("postgres_dsn")))
