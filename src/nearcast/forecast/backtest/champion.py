"""The shipped recipe and its parts, as models of a backtest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nearcast.forecast.boosting import QuantileBoosting
from nearcast.forecast.features import MINIMUM_HISTORY
from nearcast.forecast.model import QuantileForecaster
from nearcast.forecast.neural import NeuralQuantiles, fit_networks, skip_features, to_onnx
from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY, RangeVolatility
from nearcast.forecast.recipes import QUANTILE
from nearcast.forecast.scale_mixture import SCALE_FEATURES, ScaleMixture
from nearcast.forecast.windows import Samples, samples
from nearcast.schema import QUANTILE_LEVELS, SESSIONS_AHEAD

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.forecast.backtest.model import Array, Mask
    from nearcast.forecast.fit import Epoch


class Champion:
    """The recipe ``quantile``: all parts and the conformal bands, fitted anew in each fold."""

    name = "champion"
    horizons = SESSIONS_AHEAD

    def __init__(self) -> None:
        self.history: list[Epoch] = []

    def fit(self, bars: pd.DataFrame) -> None:
        """Fit every part."""
        self._forecaster = QuantileForecaster.fit(bars, QUANTILE)
        self.history = self._forecaster.history

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Return the calibrated quantiles."""
        return self._forecaster.quantiles(bars, wanted)


class FineTunedChampion(Champion):
    """The same, the networks fitted in its first fold and tuned further in each after it."""

    name = "champion_fine_tuned"

    def fit(self, bars: pd.DataFrame) -> None:
        """Fit every part; the networks begin from those of the years before."""
        before = bars[bars["date"] < bars["date"].max() - np.timedelta64(365, "D")].reset_index(drop=True)
        start = QuantileForecaster.fit(before, QUANTILE)
        self._forecaster = QuantileForecaster.fit(bars, QUANTILE, start=start)
        self.history = self._forecaster.history


class _Part:
    """One part on its own, with the expected volatility and without the conformal bands."""

    horizons = SESSIONS_AHEAD

    def fit(self, bars: pd.DataFrame) -> None:
        """Fit the expected volatility, then the part."""
        learn = samples(bars, QUANTILE.window)
        learn = learn.take(np.isfinite(learn.log_return[:, 0]))
        self._volatility, expected = RangeVolatility.fit(learn, QUANTILE.seed)
        self._fit(learn.with_feature(EXPECTED_VOLATILITY, expected))

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Return the part's quantiles."""
        answers = np.full((len(bars), self.horizons, len(QUANTILE_LEVELS)), np.nan)
        old_enough = bars.groupby("stock_symbol").cumcount().to_numpy() >= MINIMUM_HISTORY - 1
        mine = samples(bars, QUANTILE.window, wanted)
        mine = mine.with_feature(EXPECTED_VOLATILITY, self._volatility.predict(mine.features))
        answers[wanted & old_enough] = self._part.quantiles(mine)
        return answers[wanted]

    _part: ScaleMixture | QuantileBoosting | NeuralQuantiles

    def _fit(self, learn: Samples) -> None:
        raise NotImplementedError


class Mixture(_Part):
    """The scale mixture."""

    name = "scale_mixture"

    def _fit(self, learn: Samples) -> None:
        self._part = ScaleMixture.fit(learn)


class HarMix(_Part):
    """The scale mixture of measured volatilities alone, without the expected one: HAR with report days."""

    name = "har_mix"

    def _fit(self, learn: Samples) -> None:
        self._part = ScaleMixture.fit(learn, SCALE_FEATURES)


class Boosting(_Part):
    """The boosted trees."""

    name = "lightgbm"

    def _fit(self, learn: Samples) -> None:
        self._part = QuantileBoosting.fit(learn, QUANTILE.seed)


class Networks(_Part):
    """The CNN-BiLSTM."""

    name = "cnn_bilstm"

    def __init__(self) -> None:
        self.history: list[Epoch] = []

    def _fit(self, learn: Samples) -> None:
        scaler, networks, self.history = fit_networks(learn, QUANTILE)
        self._part = NeuralQuantiles(scaler, to_onnx(networks, QUANTILE, skip_features(learn).shape[1]))
