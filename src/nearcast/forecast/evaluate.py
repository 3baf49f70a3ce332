"""How good forecasts of the next log return are: always as a ratio to the last close on the same days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearcast.forecast.baselines import last_close_bands
from nearcast.forecast.bootstrap import ratio_interval
from nearcast.forecast.losses import coverage, pinball_loss
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.windows import Samples

    Array = npt.NDArray[np.float64]

LEVELS = np.array(QUANTILE_LEVELS)


def baseline_quantiles(bars: pd.DataFrame, test: Samples) -> Array:
    """Return the last close's bands for each sample, from its own symbol's returns up to its day.

    Returns
    -------
    numpy.ndarray
        (n, 7) quantiles of the next log return.
    """
    quantiles = np.empty((len(test), len(LEVELS)))
    for symbol, group in bars.groupby("stock_symbol"):
        mine = test.symbol == symbol
        bands = last_close_bands(np.diff(np.log(group["close_price"].to_numpy(float))))
        days = group["date"].to_numpy().astype("datetime64[D]")
        quantiles[mine] = bands[np.searchsorted(days, test.date[mine]) - 1]
    return quantiles


def evaluate(test: Samples, quantiles: Array, baseline: Array) -> dict[str, float]:
    """Return the metrics of quantiles of the next log return over the test days.

    Parameters
    ----------
    test
        n samples with known outcomes.
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
