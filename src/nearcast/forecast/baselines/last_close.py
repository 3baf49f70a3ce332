"""The last close, with bands from the returns of the past: what every forecast is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearcast.forecast.baselines.baseline import PerSymbol, horizon_return
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.int64]

BAND_WINDOW = 500


class LastClose(PerSymbol):
    """The last close; its bands are the quantiles of the last 500 returns over as many sessions.

    Returns over several sessions overlap.
    """

    name = "last_close"
    summary = "the last close, with quantiles of the last 500 returns over as many sessions"

    def of_symbol(self, log_close: Array, days: Indices) -> Array:
        """Return the empirical quantiles of the past returns of each horizon."""
        horizons = range(1, self.horizons + 1)
        return np.stack([rolling_quantiles(horizon_return(log_close, h), days) for h in horizons], axis=1)


def last_close_bands(log_returns: Array, window: int = BAND_WINDOW) -> Array:
    """Return quantiles of the next log return: the empirical ones of the last ``window`` returns.

    Row t uses the returns up to t only (all of them while there are fewer than ``window``).

    Parameters
    ----------
    log_returns
        (n,) daily log returns of one symbol, the first of its second bar.

    Returns
    -------
    numpy.ndarray
        (n, 7) log returns at `nearcast.schema.QUANTILE_LEVELS`; the last close itself is 0.
    """
    return rolling_quantiles(log_returns, np.arange(len(log_returns)), window)


def rolling_quantiles(values: Array, days: Indices, window: int = BAND_WINDOW) -> Array:
    """Return (days, 7) quantiles of the ``window`` values up to each day; NaN among them do not count.

    Parameters
    ----------
    values
        (n,) past values, such as returns or errors, each known on its day.
    days
        Rows to answer for, ascending.
    """
    import pandas as pd

    if not len(days):
        return np.empty((0, len(QUANTILE_LEVELS)))
    first = max(0, int(days[0]) - window + 1)
    past = pd.Series(values[first : days[-1] + 1]).rolling(window, min_periods=1)
    return np.stack([past.quantile(level).to_numpy()[days - first] for level in QUANTILE_LEVELS], axis=1)
