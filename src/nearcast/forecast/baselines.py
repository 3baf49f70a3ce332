"""What every forecast is compared with: the last close, with bands from the returns of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

BAND_WINDOW = 500


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
    padded = np.r_[np.full(window - 1, np.nan), log_returns]
    past = np.lib.stride_tricks.sliding_window_view(padded, window)
    bands = np.empty((len(log_returns), len(QUANTILE_LEVELS)))
    full = min(window - 1, len(log_returns))
    if len(log_returns) > full:
        bands[full:] = np.quantile(past[full:], QUANTILE_LEVELS, axis=1).T
    if full:
        bands[:full] = np.nanquantile(past[:full], QUANTILE_LEVELS, axis=1).T
    return bands
