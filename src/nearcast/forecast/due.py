"""Whether it is time to train: a day has passed, or the champion's forecasts have drifted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nearcast.settings import Settings

LARGEST_AGE_S = 86_400.0


def training_due(settings: Settings) -> str | None:
    """Return why a model should be trained now; None when the champion will do.

    Raises
    ------
    ForecastError
        MLflow does not answer.
    """
    from nearcast.forecast.drift import champion_signs, reason
    from nearcast.forecast.registry import champion_trained_at

    champion = champion_trained_at(settings)
    if champion is None:
        return "there is no champion"
    version, trained_at = champion
    age = time.time() - trained_at
    if age > LARGEST_AGE_S:
        return f"version {version} is {age / 3600:.0f} hours old"
    return reason(champion_signs(settings, settings.need("postgres_dsn")))
