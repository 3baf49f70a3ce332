"""The shipped recipe and its parts, as models of a backtest."""

from __future__ import annotations

from collections.abc import Callable
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
    """The same, with networks that were fitted to all but the newest year and are tuned further on all."""

    name = "champion_fine_tuned"

    def fit(self, bars: pd.DataFrame) -> None:
        """Fit every part; the networks begin from those of the years before, where there are any."""
        before = bars[bars["date"] < bars["date"].max() - np.timedelta64(365, "D")].reset_index(drop=True)
        enough = len(before) and before["stock_symbol"].value_counts().max() > MINIMUM_HISTORY
        start = QuantileForecaster.fit(before, QUANTILE) if enough else None
        self._forecaster = QuantileForecaster.fit(bars, QUANTILE, start=start)
        self.history = self._forecaster.history


class Uncalibrated(Champion):
    """The champion without its conformal bands."""

    name = "uncalibrated"

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Return the mean of the parts."""
        return _answers(bars, wanted, self._forecaster.uncalibrated)


class Part:
    """One part on its own, without the conformal bands."""

    horizons = SESSIONS_AHEAD
    part: ScaleMixture | QuantileBoosting | NeuralQuantiles

    def fit(self, bars: pd.DataFrame) -> None:
        """Fit the part on the days whose next session is known."""
        learn = samples(bars, QUANTILE.window)
        self.fit_part(self.fit_expected(learn.take(np.isfinite(learn.log_return[:, 0]))))

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Return the part's quantiles."""
        return _answers(bars, wanted, lambda mine: self.part.quantiles(self.with_expected(mine)))

    def fit_expected(self, learn: Samples) -> Samples:
        """Fit the expected volatility, and return the samples with it."""
        self._volatility, expected = RangeVolatility.fit(learn, QUANTILE.seed)
        return learn.with_feature(EXPECTED_VOLATILITY, expected)

    def with_expected(self, mine: Samples) -> Samples:
        """Return samples with their expected volatility."""
        return mine.with_feature(EXPECTED_VOLATILITY, self._volatility.predict(mine.features))

    def fit_part(self, learn: Samples) -> None:
        """Fit what is left."""
        raise NotImplementedError


def _answers(bars: pd.DataFrame, wanted: Mask, forecast: Callable[[Samples], Array]) -> Array:
    """Return the quantiles of the rows ``wanted``: NaN before a symbol's 60th bar."""
    answers = np.full((len(bars), SESSIONS_AHEAD, len(QUANTILE_LEVELS)), np.nan)
    old_enough = bars.groupby("stock_symbol").cumcount().to_numpy() >= MINIMUM_HISTORY - 1
    asked = wanted & old_enough
    if asked.any():
        answers[asked] = forecast(samples(bars, QUANTILE.window, asked))
    return answers[wanted]


class Mixture(Part):
    """The scale mixture."""

    name = "scale_mixture"

    def fit_part(self, learn: Samples) -> None:
        """Fit the mixture."""
        self.part = ScaleMixture.fit(learn)


class Trees(Part):
    """The boosted trees."""

    name = "boosted_trees"

    def fit_part(self, learn: Samples) -> None:
        """Fit the trees."""
        self.part = QuantileBoosting.fit(learn, QUANTILE.seed)


class Networks(Part):
    """The CNN-BiLSTM."""

    name = "cnn_bilstm"

    def __init__(self) -> None:
        self.history: list[Epoch] = []

    def fit_part(self, learn: Samples) -> None:
        """Fit the networks."""
        scaler, networks, self.history = fit_networks(learn, QUANTILE)
        self.part = NeuralQuantiles(scaler, to_onnx(networks, QUANTILE, skip_features(learn).shape[1]))


class HarMix(Part):
    """A baseline: the scale mixture of measured volatilities alone, HAR with report days."""

    name = "har_mix"

    def fit_expected(self, learn: Samples) -> Samples:
        """Leave the expected volatility out."""
        return learn

    def with_expected(self, mine: Samples) -> Samples:
        """Leave it out."""
        return mine

    def fit_part(self, learn: Samples) -> None:
        """Fit the mixture."""
        self.part = ScaleMixture.fit(learn, SCALE_FEATURES)


class LightGbm(Trees):
    """A baseline: the boosted trees with an average of measured volatilities as their scale."""

    name = "lightgbm"

    def fit_expected(self, learn: Samples) -> Samples:
        """Take the average for the expected volatility."""
        return self.with_expected(learn)

    def with_expected(self, mine: Samples) -> Samples:
        """Take the average for the expected volatility."""
        measured = mine.features[["log_ewma_volatility_85", "log_winsorised_volatility_22"]]
        return mine.with_feature(EXPECTED_VOLATILITY, measured.mean(axis=1).to_numpy())


KINDS: tuple[type[Champion] | type[Mixture] | type[Trees] | type[Networks] | type[HarMix], ...] = (
    Champion,
    Uncalibrated,
    FineTunedChampion,
    Mixture,
    Trees,
    Networks,
    HarMix,
    LightGbm,
)
