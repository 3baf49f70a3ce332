"""The live record: how good the stored forecasts were, now that their days have come."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.baselines import BAND_WINDOW, last_close_bands
from nearcast.forecast.bootstrap import BLOCK_DAYS, Interval, ratio_interval
from nearcast.forecast.losses import pinball_loss
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
class Choice:
    """Which stored forecasts are looked at; None and an empty tuple: all of them.

    Parameters
    ----------
    model_version
        Those of this model.
    horizon
        Those of this many sessions ahead.
    symbols
        Those of these symbols.
    since
        Those of this day and later ones.
    early_only
        Only those stored before their day was first published.
    """

    model_version: str | None = None
    horizon: int | None = 1
    symbols: tuple[str, ...] = ()
    since: datetime.date | None = None
    early_only: bool = False

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the statements."""
        return {
            "model_version": self.model_version,
            "horizon": self.horizon,
            "symbols": list(self.symbols) or None,
            "since": self.since,
        }


@dataclass(frozen=True)
class Scores:
    """What stored forecasts were worth on the days whose outcome has been published.

    Parameters
    ----------
    made
        Forecasts stored.
    scored
        Those with an outcome and a baseline.
    early, late
        Those with an outcome that were stored before their day was first published, and those that were not.
    pinball_loss, baseline_pinball_loss
        Mean pinball loss of the log return, of the forecasts and of the last close with rolling-500 bands.
    pinball_ratio
        Their ratio; None while nothing is scored.
    interval
        Its block-bootstrap 95 % interval; None below 60 days.
    coverage80, coverage95
        Share of outcomes within the bands.
    direction
        Share of the medians off the last close that lie on the side to which it went, with its exact binomial
        95 % interval (Clopper and Pearson, Biometrika 26 (1934) 404); None where there is none.
    """

    made: int
    scored: int
    early: int
    late: int = 0
    pinball_loss: float | None = None
    baseline_pinball_loss: float | None = None
    pinball_ratio: float | None = None
    interval: Interval | None = None
    coverage80: float | None = None
    coverage95: float | None = None
    direction: Interval | None = None


@dataclass(frozen=True)
class Record:
    """Forecasts with an outcome and a baseline.

    Parameters
    ----------
    rows
        n forecasts: their key, whether they were ``early``, ``actual`` and ``median`` (log returns since the last
        close), ``loss`` and ``baseline_loss`` (pinball losses), ``bin`` (how many of the quantiles lie below the
        outcome) and whether it lies in the bands, ``inside80`` and ``inside95``.
    made, early, late
        As in `Scores`.
    """

    rows: pd.DataFrame
    made: int
    early: int
    late: int

    def scores(self) -> Scores:
        """Return the scores of all rows."""
        return _scores(self.rows, self.made, self.early, self.late)

    def scores_by(self, column: str) -> dict[Any, Scores]:
        """Return the scores of the rows with each value of a column; ``made`` counts those with an outcome."""
        return {
            value: _scores(rows, len(rows), int(rows["early"].sum()), int((~rows["early"]).sum()))
            for value, rows in self.rows.groupby(column)
        }


def scores(connection: Any, choice: Choice = Choice()) -> Scores:
    """Score the stored forecasts against their outcomes and against the last close on the same days.

    Parameters
    ----------
    connection
        A psycopg connection; the reader's rights suffice.
    choice
        Which forecasts (default: every one of a next session).
    """
    return record(connection, choice).scores()


def record(connection: Any, choice: Choice = Choice()) -> Record:
    """Return the stored forecasts whose day has come, each with what it was worth."""
    made = connection.execute(statement("made"), choice.parameters()).fetchone()[0]
    stored = frame(connection.execute(statement("stored"), choice.parameters()))
    stored["early"] = stored["early"].astype(bool)
    early = int(stored["early"].sum())
    late = len(stored) - early
    if choice.early_only:
        stored = stored[stored["early"]].reset_index(drop=True)
    return Record(_judge(stored, _baseline(connection, stored)), made, early, late)


def _judge(stored: pd.DataFrame, baseline: Array) -> pd.DataFrame:
    """Return the rows that have a baseline, with their losses and where the outcome fell."""
    known = np.isfinite(baseline).all(axis=1)
    rows = stored[known].reset_index(drop=True)
    last_close = rows["last_close"].to_numpy(float)
    actual = np.log(rows["actual"].to_numpy(float) / last_close)
    quantiles = np.log(rows[list(QUANTILE_COLUMNS)].to_numpy(float) / last_close[:, None])
    levels = np.array(QUANTILE_LEVELS)
    middle = len(levels) // 2
    return rows.drop(columns=[*QUANTILE_COLUMNS, "last_close"]).assign(
        actual=actual,
        median=quantiles[:, middle],
        loss=pinball_loss(actual, quantiles, levels),
        baseline_loss=pinball_loss(actual, baseline[known], levels),
        bin=(quantiles < actual[:, None]).sum(axis=1),
        inside80=(actual >= quantiles[:, 1]) & (actual <= quantiles[:, 5]),
        inside95=(actual >= quantiles[:, 0]) & (actual <= quantiles[:, 6]),
    )


def _scores(rows: pd.DataFrame, made: int, early: int, late: int) -> Scores:
    if rows.empty:
        return Scores(made, 0, early, late)
    loss, reference = rows["loss"].to_numpy(float), rows["baseline_loss"].to_numpy(float)
    days = rows["date"].to_numpy().astype("datetime64[D]")
    enough = len(np.unique(days)) >= MINIMUM_DAYS
    return Scores(
        made=made,
        scored=len(rows),
        early=early,
        late=late,
        pinball_loss=float(loss.mean()),
        baseline_pinball_loss=float(reference.mean()),
        pinball_ratio=float(loss.sum() / reference.sum()),
        interval=ratio_interval(loss, reference, days) if enough else None,
        coverage80=float(rows["inside80"].mean()),
        coverage95=float(rows["inside95"].mean()),
        direction=_direction(rows["median"].to_numpy(float), rows["actual"].to_numpy(float)),
    )


def _direction(median: Array, actual: Array) -> Interval | None:
    """Return the share of medians on the right side, of those on a side at all, with its exact interval."""
    sides = median != 0
    if not sides.any():
        return None
    from scipy.stats import binomtest

    right = binomtest(int((np.sign(median[sides]) == np.sign(actual[sides])).sum()), int(sides.sum()))
    interval = right.proportion_ci(0.95, "exact")
    return Interval(float(right.statistic), float(interval.low), float(interval.high))


def _baseline(connection: Any, stored: pd.DataFrame) -> Array:
    """Return each forecast's baseline: quantiles of the last 500 returns over as many sessions, up to its as-of day.

    NaN where fewer than 60 of them are known.
    """
    quantiles = np.full((len(stored), len(QUANTILE_LEVELS)), np.nan)
    for symbol, mine in stored.groupby("stock_symbol"):
        until = mine["as_of_date"].max()
        prices = frame(connection.execute(statement("closes"), {"symbol": symbol, "until": until}))
        days = prices["date"].to_numpy().astype("datetime64[D]")
        log_price = np.log(prices["close_price"].to_numpy(float))
        for horizon, rows in mine.groupby("horizon"):
            as_of = rows["as_of_date"].to_numpy().astype("datetime64[D]")
            ahead = int(str(horizon))
            quantiles[rows.index] = _bands(log_price, np.searchsorted(days, as_of, side="right") - 1, ahead)
    return quantiles


def _bands(log_price: Array, as_of: npt.NDArray[np.int64], horizon: int) -> Array:
    """Return (n, 7) quantiles of the newest returns over ``horizon`` sessions, as of n positions."""
    returns = log_price[horizon:] - log_price[:-horizon]
    newest = as_of - horizon
    bands = np.full((len(as_of), len(QUANTILE_LEVELS)), np.nan)
    known = newest + 1 >= MINIMUM_RETURNS
    full = newest + 1 >= BAND_WINDOW
    if full.any():
        past = np.lib.stride_tricks.sliding_window_view(returns, BAND_WINDOW)
        places, again = np.unique(newest[full] - BAND_WINDOW + 1, return_inverse=True)
        bands[full] = np.quantile(past[places], QUANTILE_LEVELS, axis=1).T[again]
    if (short := known & ~full).any():
        bands[short] = last_close_bands(returns[: newest[short].max() + 1])[newest[short]]
    return bands


def frame(cursor: Any) -> pd.DataFrame:
    """Return the rows of a cursor under its columns' names."""
    import pandas as pd

    return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])
