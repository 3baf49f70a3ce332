"""The figures that papers quote beside the one that says something: errors over those of the last close."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearcast.forecast.bootstrap import ratio_interval

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearcast.forecast.levels.windows import LevelWindows

    Array = npt.NDArray[np.float64]


def evaluate(test: LevelWindows, forecast: Array) -> dict[str, float]:
    """Return the metrics of point forecasts of the next close.

    Parameters
    ----------
    test
        n windows with known outcomes.
    forecast
        (n,) forecast closes in US dollars.

    Returns
    -------
    dict
        R² of the price (the mean over symbols) of the forecasts and of the last close, MAE and RMSE in
        US dollars, and their ratios to the last close's, the MAE's with its 95 % interval.
    """
    error, naive = np.abs(test.actual - forecast), np.abs(test.actual - test.last_close)
    ratio = ratio_interval(error, naive, test.date)
    return {
        "price_r2": mean_r2(test, forecast),
        "last_close_price_r2": mean_r2(test, test.last_close),
        "mae": float(error.mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "mae_ratio": ratio.value,
        "mae_ratio_low": ratio.low,
        "mae_ratio_high": ratio.high,
        "rmse_ratio": float(np.sqrt((error**2).sum() / (naive**2).sum())),
        "test_windows": float(len(test)),
    }


def mean_r2(test: LevelWindows, forecast: Array) -> float:
    """Return the coefficient of determination of the price within each symbol, averaged over symbols."""
    shares = []
    for symbol in np.unique(test.symbol):
        mine = test.symbol == symbol
        actual = test.actual[mine]
        shares.append(1 - ((actual - forecast[mine]) ** 2).sum() / ((actual - actual.mean()) ** 2).sum())
    return float(np.mean(shares))
