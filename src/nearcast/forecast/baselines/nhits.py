"""NHITS of neuralforecast: a neural network of the field to compare with (the optional extra ``neural``)."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.baselines.baseline import MINIMUM_RETURNS, Baseline, rows_by_symbol
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

STEPS = 75
"""Training steps of 1,024 windows: on six symbols, 25 learnt less and 150 fitted noise (July 2016 to 2017)."""

INPUT_DAYS = MINIMUM_RETURNS

LOGGERS = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric")


class Nhits(Baseline):
    """One NHITS for all symbols: quantiles of each of the next daily log returns, from the last 60.

    Each window is scaled by its own mean and deviation. Over several sessions the medians add up, and the
    distances of the quantiles from them add up in squares, as those of independent days would.

    Source: Challu et al., AAAI 37 (2023) 6989.

    Parameters
    ----------
    steps
        Training steps.
    seed
        Of the weights and of the order of the windows.

    Raises
    ------
    ForecastError
        When neuralforecast is not installed.
    """

    name = "nhits"
    summary = "NHITS, one network for all symbols (neuralforecast; needs the extra `neural`)"

    def __init__(self, steps: int = STEPS, seed: int = 1) -> None:
        try:
            import neuralforecast  # noqa: F401
        except ImportError as error:
            raise ForecastError(
                f"The baseline nhits needs neuralforecast, which is not installed ({error}).",
                todo="Install the extra `neural`: `uv sync --extra neural`, or leave nhits out.",
            ) from error
        self.steps, self.seed = steps, seed
        self._fitted: Any = None

    def fit(self, bars: pd.DataFrame) -> None:
        """Train on every symbol with enough returns for one window; with none, give no answers."""
        import pandas as pd

        parts = []
        for rows in rows_by_symbol(bars):
            returns = _log_returns(bars.iloc[rows])
            if len(returns) >= INPUT_DAYS + self.horizons:
                parts.append(_series(str(bars["stock_symbol"].iloc[rows[0]]), returns))
        self._fitted = None
        if parts:
            with _quiet():
                self._fitted = self._network()
                self._fitted.fit(pd.concat(parts, ignore_index=True))

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Answer from the 60 returns up to each day, which is all that the network is given of a day."""
        import pandas as pd

        answers = np.full((len(bars), self.horizons, len(QUANTILE_LEVELS)), np.nan)
        days: list[int] = []
        parts = []
        for rows in rows_by_symbol(bars):
            returns = _log_returns(bars.iloc[rows])
            for row in np.flatnonzero(wanted[rows]):
                if row >= INPUT_DAYS:  # a series of its own, so that it ends with this day
                    parts.append(_series(f"{len(days):09d}", returns[row - INPUT_DAYS : row]))
                    days.append(rows[row])
        if days and self._fitted is not None:
            with _quiet():
                table = self._fitted.predict(pd.concat(parts, ignore_index=True))
            daily = table.drop(columns=["unique_id", "ds"]).to_numpy(float)
            answers[days] = cumulated(np.sort(daily, axis=1).reshape(len(days), self.horizons, -1))
        return answers[wanted]

    def _network(self) -> Any:
        """Return the network before its training; it writes no files and shows no progress."""
        from neuralforecast import NeuralForecast
        from neuralforecast.losses.pytorch import MQLoss
        from neuralforecast.models import NHITS

        network = NHITS(
            h=self.horizons,
            input_size=INPUT_DAYS,
            loss=MQLoss(quantiles=list(QUANTILE_LEVELS)),
            scaler_type="standard",
            max_steps=self.steps,
            val_check_steps=self.steps,
            random_seed=self.seed,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
        )
        return NeuralForecast(models=[network], freq=1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's notes and advice off the terminal (its loggers set their own level when imported)."""
    import neuralforecast  # noqa: F401

    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def cumulated(daily: Array) -> Array:
    """Return (n, horizons, 7) quantiles of cumulated returns from those of each day."""
    middle = daily.shape[-1] // 2
    median = daily[..., middle : middle + 1]
    distance = daily - median
    spread: Array = np.sign(distance) * np.sqrt(np.cumsum(distance**2, axis=1))
    return np.cumsum(median, axis=1) + spread


def _log_returns(bars: pd.DataFrame) -> Array:
    return np.diff(np.log(bars["close_price"].to_numpy(float)))


def _series(name: str, returns: Array) -> pd.DataFrame:
    """Return a series as neuralforecast takes it."""
    import pandas as pd

    return pd.DataFrame({"unique_id": name, "ds": np.arange(len(returns)), "y": returns})
