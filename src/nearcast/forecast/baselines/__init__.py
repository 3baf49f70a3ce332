"""What the champion is compared with, each a model of `nearcast.forecast.backtest.model`."""

from __future__ import annotations

from nearcast.errors import ForecastError
from nearcast.forecast.baselines.baseline import Baseline
from nearcast.forecast.baselines.last_close import BAND_WINDOW, last_close_bands

__all__ = ["BAND_WINDOW", "Baseline", "baseline_named", "baselines", "last_close_bands"]


def baselines() -> dict[str, type[Baseline]]:
    """Return the baselines by name; ``summary`` of each is a line for a list of them."""
    from nearcast.forecast.baselines.drift import Drift
    from nearcast.forecast.baselines.ewma import Ewma
    from nearcast.forecast.baselines.garch import EgarchT, GarchT
    from nearcast.forecast.baselines.har import HarT
    from nearcast.forecast.baselines.last_close import LastClose
    from nearcast.forecast.baselines.nhits import Nhits
    from nearcast.forecast.baselines.statistical import Arima, Ets, Theta
    from nearcast.forecast.levels.baseline import Levels

    kinds = (LastClose, Drift, Ewma, GarchT, EgarchT, HarT, Arima, Ets, Theta, Nhits, Levels)
    return {kind.name: kind for kind in kinds}


def baseline_named(name: str) -> Baseline:
    """Return a fresh baseline.

    Raises
    ------
    ForecastError
        When there is none of this name, or it needs an extra that is not installed.
    """
    kinds = baselines()
    if name not in kinds:
        raise ForecastError(f"There is no baseline {name!r}.", todo=f"Choose one of {', '.join(kinds)}.")
    return kinds[name]()
