"""How good the stored forecasts were, now that their days have come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.baselines import BAND_WINDOW
from nearcast.forecast.bootstrap import BLOCK_DAYS, Interval, ratio_interval
from nearcast.forecast.losses import coverage, pinball_loss
from nearcast.forecast.store import statement
from nearcast.schema import QUANTILE_COLUMNS, QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]

MINIMUM_DAYS = 3 * BLOCK_DAYS
"""Days below which a bootstrap over blocks of 20 days says nothing."""

MINIMUM_RETURNS = 60
"""Returns of the past below which the baseline has no bands."""


@dataclass(frozen=True)
class Scores:
    """What the stored forecasts were worth on the days whose outcome has been published.

    Parameters
    ----------
    made
        Forecasts stored.
    scored
        Those with an outcome and a baseline.
    early
        Those stored before their day was first published.
    pinball_loss, baseline_pinball_loss
        Mean pinball loss of the log return, of the forecasts and of the last close with rolling-500 bands.
    pinball_ratio
        Their ratio; None while nothing is scored.
    interval
        Its block-bootstrap 95 % interval; None below 60 days.
    coverage80, coverage95
        Share of outcomes within the bands.
    """

    made: int
    scored: int
    early: int
    pinball_loss: float | None = None
    baseline_pinball_loss: float | None = None
    pinball_ratio: float | None = None
    interval: Interval | None = None
    coverage80: float | None = None
    coverage95: float | None = None


def scores(connection: Any, model_version: str | None = None, early_only: bool = False) -> Scores:
    """Score the stored forecasts against their outcomes and against the last close on the same days.

    Parameters
    ----------
    connection
        A psycopg connection; the reader's rights suffice.
    model_version
        Score only this model's forecasts (default: all).
    early_only
        Score only forecasts that were stored before their day was published.
    """
    made = connection.execute(
        "SELECT count(*) FROM nearcast.forecasts WHERE %(m)s::text IS NULL OR model_version = %(m)s",
        {"m": model_version},
    ).fetchone()[0]
    stored = _frame(connection.execute(statement("stored"), {"model_version": model_version}))
    early = int(stored["early"].sum())
    if early_only:
        stored = stored.loc[stored["early"].astype(bool)]
    baseline = _baseline(connection, stored)
    known = np.flatnonzero(np.isfinite(baseline).all(axis=1))
    return _score(stored.iloc[known], baseline[known], made, early)


def _score(stored: pd.DataFrame, baseline: Array, made: int, early: int) -> Scores:
    if stored.empty:
        return Scores(made, 0, early)
    last_close = stored["last_close"].to_numpy(float)
    actual = np.log(stored["actual"].to_numpy(float) / last_close)
    quantiles = np.log(stored[list(QUANTILE_COLUMNS)].to_numpy(float) / last_close[:, None])
    levels = np.array(QUANTILE_LEVELS)
    loss, reference = pinball_loss(actual, quantiles, levels), pinball_loss(actual, baseline, levels)
    days = stored["date"].to_numpy().astype("datetime64[D]")
    enough = len(np.unique(days)) >= MINIMUM_DAYS
    return Scores(
        made=made,
        scored=len(stored),
        early=early,
        pinball_loss=float(loss.mean()),
        baseline_pinball_loss=float(reference.mean()),
        pinball_ratio=float(loss.sum() / reference.sum()),
        interval=ratio_interval(loss, reference, days) if enough else None,
        coverage80=coverage(actual, quantiles[:, 1], quantiles[:, 5]),
        coverage95=coverage(actual, quantiles[:, 0], quantiles[:, 6]),
    )


def _baseline(connection: Any, stored: pd.DataFrame) -> Array:
    """Return each forecast's baseline from the closes up to its own as-of day; NaN with too few."""
    quantiles = np.full((len(stored), len(QUANTILE_LEVELS)), np.nan)
    for symbol in stored["stock_symbol"].unique():
        prices = _frame(
            connection.execute(
                "SELECT date, close_price FROM nearcast.prices WHERE stock_symbol = %s ORDER BY date",
                (symbol,),
            )
        )
        days = prices["date"].to_numpy().astype("datetime64[D]")
        returns = np.diff(np.log(prices["close_price"].to_numpy(float)))
        for row in np.flatnonzero(stored["stock_symbol"] == symbol):
            as_of = np.datetime64(stored["as_of_date"].iloc[row], "D")
            past = returns[: np.searchsorted(days, as_of, side="right") - 1][-BAND_WINDOW:]
            if len(past) >= MINIMUM_RETURNS:
                quantiles[row] = np.quantile(past, QUANTILE_LEVELS)
    return quantiles


def _frame(cursor: Any) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])
