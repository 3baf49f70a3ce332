"""One model in one fold: fit on what came before, then forecast from each of its days."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.backtest.answers import Answer
from nearcast.forecast.backtest.days import fold_start, fold_years
from nearcast.schema import QUANTILE_LEVELS, SESSIONS_AHEAD

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.forecast.backtest.model import Array, Mask, Model

ROUNDING = 1e-12
"""By how much a quantile may lie below the one before it."""


def seen_in_fold(bars: pd.DataFrame, year: int, first: np.datetime64) -> tuple[pd.DataFrame, Mask]:
    """Return the bars up to the last day that a fold forecasts from, and which of them it forecasts from."""
    wanted = fold_years(bars, first) == year
    seen = (bars["date"] <= bars.loc[wanted, "date"].max()).to_numpy()
    return bars[seen].reset_index(drop=True), wanted[seen]


def answer(model: Model, bars: pd.DataFrame, year: int, first: np.datetime64) -> Answer:
    """Fit a model on the bars before a fold and return its quantiles for the fold's days.

    Parameters
    ----------
    bars
        All bars of the backtest, by symbol and date.
    year
        The fold.
    first
        The first day of the backtest.

    Raises
    ------
    ForecastError
        When the model fails, or what it returns is no set of ascending quantiles.
    """
    started = time.monotonic()
    seen, wanted = seen_in_fold(bars, year, first)
    try:
        model.fit(seen[seen["date"] < fold_start(year, first)].reset_index(drop=True))
        quantiles = model.quantiles(seen, wanted)
    except Exception as error:
        raise ForecastError(
            f"The model {model.name} failed in the fold {year}: {type(error).__name__}: {error}",
            todo="Leave it out with --model, or choose another --from.",
        ) from error
    padded = _checked(model, quantiles, int(wanted.sum()), year)
    return Answer(padded, time.monotonic() - started, list(getattr(model, "history", None) or []))


def _checked(model: Model, quantiles: Array, days: int, year: int) -> Array:
    """Return the quantiles with NaN for the horizons that the model does not forecast."""
    expected = (days, model.horizons, len(QUANTILE_LEVELS))
    if quantiles.shape != expected:
        wrong = f"an array of {quantiles.shape} where {expected} is meant"
    elif (np.diff(quantiles, axis=2) < -ROUNDING).any():
        wrong = "quantiles that cross"
    elif (np.isfinite(quantiles).any(axis=2) != np.isfinite(quantiles).all(axis=2)).any():
        wrong = "days with some of the quantiles only"
    else:
        padded = np.full((days, SESSIONS_AHEAD, len(QUANTILE_LEVELS)), np.nan)
        padded[:, : model.horizons] = quantiles[:, :SESSIONS_AHEAD]
        return padded
    raise ForecastError(
        f"The model {model.name} returned {wrong} in the fold {year}.", todo="Mend the model."
    )
