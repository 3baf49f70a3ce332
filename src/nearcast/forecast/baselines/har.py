"""Log-HAR volatility from the range of each day, with Student-t returns, by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearcast.forecast.baselines.baseline import (
    MINIMUM_RETURNS,
    Baseline,
    horizon_return,
    rows_by_symbol,
)
from nearcast.forecast.features import VARIANCE_FLOOR, daily_variance
from nearcast.forecast.smoothing import rolling_mean
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

WINDOWS = (1, 5, 22, 66)
"""Days over which the variance is averaged: a day, a week, a month, a quarter."""

SMALLEST_LOG_SCALE = np.log(1e-6)
"""Prices that never move would drive the likelihood to infinity."""


@dataclass(frozen=True)
class LogScaleT:
    """A Student-t return whose log scale is linear in features: y = s (μ + T), log s = b₀ + b·x.

    Parameters
    ----------
    intercept, slopes
        b₀, and b of shape (k,).
    location
        μ, in units of the scale.
    freedom
        Degrees of freedom, above 2.
    """

    intercept: float
    slopes: Array
    location: float
    freedom: float

    @classmethod
    def fit(cls, features: Array, outcomes: Array) -> LogScaleT:
        """Maximise the likelihood of (n,) outcomes given (n, k) features."""
        from scipy.optimize import minimize

        mean, deviation = features.mean(axis=0), features.std(axis=0)
        deviation = np.where(deviation > 1e-12, deviation, 1.0)
        design = np.c_[np.ones(len(features)), (features - mean) / deviation]
        typical = np.log(0.8 * outcomes.std() + np.exp(SMALLEST_LOG_SCALE))
        start = np.r_[typical, np.zeros(features.shape[1]), 0.0, 1.5]
        bounds = [(SMALLEST_LOG_SCALE, None), *[(None, None)] * (features.shape[1] + 1), (-5.0, 5.0)]
        best = minimize(
            negative_log_likelihood, start, (design, outcomes), "L-BFGS-B", jac=True, bounds=bounds
        ).x
        slopes = best[1:-2] / deviation
        return cls(float(best[0] - slopes @ mean), slopes, float(best[-2]), float(2 + np.exp(best[-1])))

    def quantiles(self, features: Array) -> Array:
        """Return (n, 7) quantiles from (n, k) features."""
        from scipy import stats

        scale = np.exp(self.intercept + features @ self.slopes)
        answers: Array = scale[:, None] * (self.location + stats.t.ppf(QUANTILE_LEVELS, self.freedom))
        return answers


def negative_log_likelihood(parameters: Array, design: Array, outcomes: Array) -> tuple[float, Array]:
    """Return the mean negative log likelihood of `LogScaleT`, and its gradient.

    Parameters
    ----------
    parameters
        Coefficients of the log scale, then μ, then log(ν − 2).
    design
        (n, k) columns of the log scale's coefficients.
    """
    from scipy.special import digamma, gammaln

    *slopes, location, log_freedom = parameters
    freedom = 2 + np.exp(log_freedom)
    log_scale = design @ np.array(slopes)
    scaled = outcomes * np.exp(-log_scale)
    error = scaled - location
    spread = np.log1p(error**2 / freedom)
    constant = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * np.log(np.pi * freedom)
    loss = float(np.mean(log_scale + (freedom + 1) / 2 * spread) - constant)
    pull = (freedom + 1) * error / (freedom + error**2)  # of the loss, by the error
    by_slopes = design.T @ (1 - pull * scaled) / len(outcomes)
    by_freedom = (
        np.mean(spread) / 2
        - np.mean(pull * error) / (2 * freedom)
        - (digamma((freedom + 1) / 2) - digamma(freedom / 2) - 1 / freedom) / 2
    )
    return loss, np.r_[by_slopes, -np.mean(pull), by_freedom * np.exp(log_freedom)]


class HarT(Baseline):
    """Student-t returns with a log-HAR scale, one fit for all symbols and one for each horizon.

    Source: Corsi, J. Financ. Econometrics 7 (2009) 174, here on logarithms of range-based variances.
    """

    name = "har_t"
    summary = "log-HAR volatility of 1 to 66 days with Student-t returns, one fit for all symbols"

    def __init__(self) -> None:
        self._fits: list[LogScaleT] = []

    def fit(self, bars: pd.DataFrame) -> None:
        """Fit each horizon to the days whose outcome lies within the bars; with none, give no answers."""
        groups = [bars.iloc[rows] for rows in rows_by_symbol(bars)]
        features = [log_volatilities(group) for group in groups]
        closes = [np.log(group["close_price"].to_numpy(float)) for group in groups]
        self._fits = []
        for horizon in range(1, self.horizons + 1):
            pairs = [
                (
                    table[MINIMUM_RETURNS:-horizon],
                    horizon_return(log_close, horizon)[MINIMUM_RETURNS + horizon :],
                )
                for table, log_close in zip(features, closes, strict=True)
            ]
            known, outcomes = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
            if len(outcomes) < MINIMUM_RETURNS:
                self._fits = []
                return
            self._fits.append(LogScaleT.fit(known, outcomes))

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Answer from the volatilities of each day; NaN for days with fewer than 60 past returns."""
        answers = np.full((len(bars), self.horizons, len(QUANTILE_LEVELS)), np.nan)
        for rows in rows_by_symbol(bars):
            features = log_volatilities(bars.iloc[rows])[MINIMUM_RETURNS:]
            for position, fitted in enumerate(self._fits):
                answers[rows[MINIMUM_RETURNS:], position] = fitted.quantiles(features)
        return answers[wanted]


def log_volatilities(bars: pd.DataFrame) -> Array:
    """Return (n, 4) logarithms of one symbol's range-based volatility over 1, 5, 22 and 66 days."""
    variance = daily_variance(bars)
    means = [rolling_mean(variance, window) for window in WINDOWS]
    return 0.5 * np.log(np.stack(means, axis=1) + VARIANCE_FLOOR)
