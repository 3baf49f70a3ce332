"""How good forecasts of the next log return are: always as a ratio to the last close on the same days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nearcast.forecast.baselines import last_close_bands
from nearcast.forecast.bootstrap import ratio_interval
from nearcast.forecast.features import MINIMUM_HISTORY
from nearcast.forecast.losses import coverage, pinball_loss
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

LEVELS = np.array(QUANTILE_LEVELS)


@dataclass(frozen=True)
class HeldOut:
    """Days that a model did not learn from, with what came the next session.

    Parameters
    ----------
    rows
        (bars,) which of the bars they are: n of them.
    symbol, date, last_close, log_return
        (n,) stock symbol, as-of day, its close in US dollars and the next session's log return.
    """

    rows: Mask
    symbol: npt.NDArray[np.str_]
    date: npt.NDArray[np.datetime64]
    last_close: Array
    log_return: Array


def held_out(bars: pd.DataFrame, since: np.datetime64) -> HeldOut:
    """Return the days from ``since`` on whose next session is known, of symbols with 60 bars up to the day."""
    following = bars.groupby("stock_symbol")["close_price"].shift(-1)
    outcome = np.log((following / bars["close_price"]).to_numpy(float))
    dates = bars["date"].to_numpy().astype("datetime64[D]")
    old_enough = bars.groupby("stock_symbol").cumcount().to_numpy() >= MINIMUM_HISTORY - 1
    rows = np.asarray((dates >= since) & np.isfinite(outcome) & old_enough)
    symbol = bars["stock_symbol"].to_numpy().astype(str)
    return HeldOut(rows, symbol[rows], dates[rows], bars["close_price"].to_numpy(float)[rows], outcome[rows])


def baseline_quantiles(bars: pd.DataFrame, rows: Mask) -> Array:
    """Return the last close's bands for the bars ``rows``, from each symbol's returns up to the day.

    Returns
    -------
    numpy.ndarray
        (n, 7) quantiles of the next log return.
    """
    quantiles = np.full((len(bars), len(LEVELS)), np.nan)
    for mine in bars.groupby("stock_symbol").indices.values():
        close = bars["close_price"].to_numpy(float)[mine]
        quantiles[mine[1:]] = last_close_bands(np.diff(np.log(close)))
    return quantiles[rows]


def evaluate(test: HeldOut, quantiles: Array, baseline: Array) -> dict[str, float]:
    """Return the metrics of quantiles of the next log return over the test days.

    Parameters
    ----------
    test
        n days.
    quantiles, baseline
        (n, 7) forecasts of the model and of the last close.

    Returns
    -------
    dict
        Pinball losses, their ratio with its 95 % interval, the ratio of absolute errors of the medians,
        and the coverage of the 80 % and 95 % bands.
    """
    actual = test.log_return
    model_loss = pinball_loss(actual, quantiles, LEVELS)
    baseline_loss = pinball_loss(actual, baseline, LEVELS)
    ratio = ratio_interval(model_loss, baseline_loss, test.date)
    middle = len(LEVELS) // 2
    return {
        "pinball_loss": float(model_loss.mean()),
        "baseline_pinball_loss": float(baseline_loss.mean()),
        "pinball_ratio": ratio.value,
        "pinball_ratio_low": ratio.low,
        "pinball_ratio_high": ratio.high,
        # the last close's own point forecast is a return of zero
        "mae_ratio": float(np.abs(actual - quantiles[:, middle]).sum() / np.abs(actual).sum()),
        "coverage80": coverage(actual, quantiles[:, 1], quantiles[:, 5]),
        "coverage95": coverage(actual, quantiles[:, 0], quantiles[:, 6]),
        "test_days": float(len(np.unique(test.date))),
    }
