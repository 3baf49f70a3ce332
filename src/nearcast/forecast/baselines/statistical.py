"""AutoARIMA, ETS and Theta of statsforecast, on log closes: point forecasts with their own intervals."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.baselines.baseline import PerSymbol, estimation_days
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

SAMPLE = 1000
"""Closes that an estimate rests on: with 2,500 AutoARIMA's search takes ten times as long."""


class Statistical(PerSymbol):
    """A model of statsforecast: chosen and estimated every 63 sessions, then carried on day by day.

    Between two estimates ``forward`` applies the estimated model to the closes so far. The logarithms are
    taken relative to the first close of the sample, so that the unit of the prices does not matter.
    """

    @abstractmethod
    def model(self) -> Any:
        """Return a fresh model of statsforecast."""

    def of_symbol(self, log_close: Array, days: Indices) -> Array:
        """Estimate for each quarter, then carry the estimate to each of its days."""
        answers = np.empty((len(days), self.horizons, len(QUANTILE_LEVELS)))
        estimated = estimation_days(days)
        for known in np.unique(estimated):
            first = max(0, known + 1 - SAMPLE)
            path = log_close[first:] - log_close[first]
            model = self.model().fit(path[: known + 1 - first])
            for position in np.flatnonzero(estimated == known):
                now = days[position] - first
                forecast = model.forward(path[: now + 1], self.horizons, level=interval_levels())
                answers[position] = interval_quantiles(forecast) - path[now]
        return answers


def interval_levels() -> list[int]:
    """Return the widths in per cent of the central intervals that the quantile levels bound."""
    return [round(100 * (1 - 2 * level)) for level in QUANTILE_LEVELS if level < 0.5]


def interval_quantiles(forecast: dict[str, Any]) -> Array:
    """Return (horizons, 7) ascending quantiles from a forecast of statsforecast with its intervals."""
    widths = interval_levels()
    names = [f"lo-{width}" for width in widths] + ["mean"] + [f"hi-{width}" for width in reversed(widths)]
    # Theta's intervals are simulated, in single precision: without spread they may miss its mean by a bit
    return np.sort(np.stack([np.asarray(forecast[name], float) for name in names], axis=1), axis=1)


class Arima(Statistical):
    """ARIMA with its orders chosen by AICc; normal intervals.

    Source: Hyndman and Khandakar, J. Stat. Softw. 27(3) (2008).
    """

    name = "auto_arima"
    summary = "ARIMA of the log close, orders chosen every quarter (statsforecast)"

    def model(self) -> Any:
        """Return AutoARIMA without seasons."""
        from statsforecast.models import AutoARIMA

        return AutoARIMA(season_length=1)


class Ets(Statistical):
    """Exponential smoothing, its form chosen by AICc; normal intervals.

    Source: Hyndman et al., Int. J. Forecast. 18 (2002) 439. Multiplicative forms are out of the question:
    the relative log close passes through zero.
    """

    name = "ets"
    summary = "exponential smoothing of the log close, its form chosen every quarter (statsforecast)"

    def model(self) -> Any:
        """Return AutoETS without seasons."""
        from statsforecast.models import AutoETS

        return AutoETS(season_length=1)


class Theta(Statistical):
    """The standard theta method; its intervals are of 200 simulated paths.

    Sources: Assimakopoulos and Nikolopoulos, Int. J. Forecast. 16 (2000) 521; Fiorucci et al., ibid. 32
    (2016) 1151.
    """

    name = "theta"
    summary = "the standard theta method on the log close, estimated every quarter (statsforecast)"

    def model(self) -> Any:
        """Return Theta without seasons."""
        from statsforecast.models import Theta as StandardTheta

        return StandardTheta(season_length=1)
