"""The quantile forecaster: a scale mixture, boosted trees and networks, their mean, and conformal bands on top."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.boosting import QuantileBoosting
from nearcast.forecast.conformal import Adapter
from nearcast.forecast.features import MINIMUM_HISTORY
from nearcast.forecast.neural import NeuralQuantiles, fit_networks, skip_features, to_onnx
from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY, RangeVolatility
from nearcast.forecast.recipes import Recipe, recipe_of
from nearcast.forecast.scale_mixture import ScaleMixture
from nearcast.forecast.windows import CHANNELS, NO_SCHEDULE, Samples, Schedule, samples, samples_of_symbol
from nearcast.schema import PRICE_COLUMNS, QUANTILE_LEVELS, SESSIONS_AHEAD

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from nearcast.forecast.fit import Epoch
    from nearcast.forecast.network import CnnBiLstm

    Array = npt.NDArray[np.float64]
    Days = npt.NDArray[np.datetime64]
    Indices = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

DOCUMENT = "forecaster.json"
VOLATILITY_FILE = "range_volatility.txt"
BOOSTING_FILE = "boosting.json"
WEIGHTS_FILE = "weights.pt"

CALIBRATION_SESSIONS = 500
"""Sessions before the end of the training from which the conformal bands have learned at least."""

Progress = Callable[[str], None]


@dataclass
class QuantileForecaster:
    """What a registered model holds.

    Parameters
    ----------
    recipe
        The recipe it was trained with.
    symbols
        The symbols it learned from.
    trained_until
        The newest day whose outcome it learned from.
    volatility
        Forecasts the next session's range volatility, which the parts take as a feature and scale.
    mixture, boosting, neural
        The parts; each has a third of the say.
    networks
        The networks behind the ONNX model, to be tuned further; none in a forecaster that was loaded to answer.
    complexity
        Number of parameters: coefficients, leaves and weights.
    calibrated_from
        The first day that the conformal bands learn from.
    schedule
        Sessions that react to a symbol's reports, where they are known.
    history
        Losses of each epoch of the training, network after network.
    """

    recipe: Recipe
    symbols: tuple[str, ...]
    trained_until: datetime.date
    volatility: RangeVolatility
    mixture: ScaleMixture
    boosting: QuantileBoosting
    neural: NeuralQuantiles
    networks: list[CnnBiLstm]
    complexity: int
    calibrated_from: datetime.date
    schedule: dict[str, Days] = field(default_factory=dict)
    history: list[Epoch] = field(default_factory=list)
    _memories: dict[str, _Memory] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def fit(
        cls,
        bars: pd.DataFrame,
        recipe: Recipe,
        *,
        schedule: Schedule = NO_SCHEDULE,
        start: QuantileForecaster | None = None,
        workers: int = 1,
        home: Path | None = None,
        say: Progress = lambda step: None,
    ) -> QuantileForecaster:
        """Fit every part on bars whose every row is known.

        Parameters
        ----------
        bars
            Daily bars of one or more symbols, by symbol and date.
        recipe
            Sizes and settings.
        schedule
            Sessions that react to a symbol's reports, where they are known.
        start
            A forecaster, with its networks, whose networks are tuned further instead of fitted from nothing.
        workers, home
            More than one worker: the networks are fitted by processes of Ray Train, whose files lie in NEARCAST_HOME.
        say
            Is told each step as it begins.

        Raises
        ------
        ForecastError
            When no symbol has 60 bars, or a price is not a positive number.
        """
        import torch

        say("Features")
        learn = samples(bars, recipe.window, schedule=schedule)
        learn = learn.take(np.isfinite(learn.log_return[:, 0]))
        say("Range volatility (LightGBM)")
        volatility, expected = RangeVolatility.fit(learn, recipe.seed)
        learn = learn.with_feature(EXPECTED_VOLATILITY, expected)
        say("Scale mixture")
        torch.set_num_threads(1)  # tensors this small are not worth sharing
        mixture = ScaleMixture.fit(learn)
        say("Quantiles (LightGBM)")
        boosting = QuantileBoosting.fit(learn, recipe.seed)
        say("Networks (CNN-BiLSTM)")
        tuned = None if start is None else copy.deepcopy(start.networks)
        scaler, networks, history = fit_networks(learn, recipe, start=tuned, workers=workers, home=home)
        neural = NeuralQuantiles(scaler, to_onnx(networks, recipe, skip_features(learn).shape[1]))
        days = np.unique(bars["date"].to_numpy().astype("datetime64[D]"))
        return cls(
            recipe=recipe,
            symbols=tuple(np.unique(learn.symbol).tolist()),
            trained_until=days[-1].item(),
            volatility=volatility,
            mixture=mixture,
            boosting=boosting,
            neural=neural,
            networks=networks,
            complexity=_parameters(volatility, mixture, boosting, networks),
            calibrated_from=days[-min(CALIBRATION_SESSIONS, len(days))].item(),
            schedule=dict(schedule),
            history=history,
        )

    def uncalibrated(self, mine: Samples) -> Array:
        """Return (n, 10, 7) ascending quantiles of the samples' log returns, before the conformal bands."""
        expected = mine.with_feature(EXPECTED_VOLATILITY, self.volatility.predict(mine.features))
        parts = (self.mixture, self.boosting, self.neural)
        mean: Array = np.mean([part.quantiles(expected) for part in parts], axis=0)
        return mean

    def quantiles(self, bars: pd.DataFrame, wanted: Mask) -> Array:
        """Forecast from some days of one or more symbols, each from its own bars up to that day.

        Parameters
        ----------
        bars
            n daily bars, by symbol and date.
        wanted
            (n,) the rows to forecast from.

        Returns
        -------
        numpy.ndarray
            (wanted rows, 10, 7) ascending quantiles of log(close[t + h] / close[t]); NaN before a symbol's 60th bar.
        """
        answers = np.full((len(bars), SESSIONS_AHEAD, len(QUANTILE_LEVELS)), np.nan)
        for rows in bars.groupby("stock_symbol", sort=False).indices.values():
            asked = np.flatnonzero(wanted[rows])
            asked = asked[asked >= MINIMUM_HISTORY - 1]
            if len(asked):
                answers[rows[asked]] = self._answers(bars.iloc[rows[: asked[-1] + 1]], asked)
        return np.asarray(answers[wanted])

    def use_schedule(self, schedule: Schedule) -> None:
        """Take newer dates of reports than those of the training; what is remembered of other dates is forgotten."""
        if dict(schedule).keys() != self.schedule.keys() or any(
            not np.array_equal(days, self.schedule[symbol]) for symbol, days in schedule.items()
        ):
            self.schedule = dict(schedule)
            self._memories.clear()

    def predict(self, bars: pd.DataFrame) -> Array:
        """Return the (10, 7) quantiles of the closes ahead in US dollars, from one symbol's bars by date.

        Raises
        ------
        ForecastError
            When there are too few bars, a price is not a positive number, or a volume not a number.
        """
        if len(bars) < MINIMUM_HISTORY:
            raise ForecastError(
                f"A forecast needs {MINIMUM_HISTORY} daily bars of a symbol; there are {len(bars)}.",
                todo="Load and publish more of its history.",
            )
        newest = np.arange(len(bars)) == len(bars) - 1
        quantiles = self.quantiles(bars, newest)[0]
        prices: Array = float(bars["close_price"].iloc[-1]) * np.exp(quantiles)
        return prices

    def _answers(self, bars: pd.DataFrame, asked: Indices) -> Array:
        """Return the quantiles of one symbol's rows ``asked``, of which the newest bar's is the last.

        The conformal bands go through every day since `calibrated_from`; days before it get none.
        """
        dates = bars["date"].to_numpy().astype("datetime64[D]")
        start = max(int(np.searchsorted(dates, np.datetime64(self.calibrated_from))), MINIMUM_HISTORY - 1)
        symbol = str(bars["stock_symbol"].iloc[-1])
        memory = self._memories.get(symbol)
        values = bars[[*PRICE_COLUMNS, "volume"]].to_numpy(float)
        # a memory that began with other bars, such as none yet of the days to learn from, is of another start
        if memory is None or memory.start != start or not memory.holds(dates, values):
            memory = self._memories[symbol] = _Memory(start)
        new = np.arange(len(bars)) >= max(start, memory.end)
        early = asked[asked < start]
        new[early] = True
        if new.any():
            mine = samples_of_symbol(bars, self.recipe.window, new, self.schedule.get(symbol))
            quantiles = self.uncalibrated(mine)
            memory.extend(dates, values, quantiles[len(early) :])
            before = quantiles[: len(early)]
        else:
            before = np.empty((0, SESSIONS_AHEAD, len(QUANTILE_LEVELS)))
        return np.concatenate([before, memory.adapted[asked[asked >= start] - start]])

    def save(self, folder: Path) -> None:
        """Write the forecaster to ``folder``."""
        import torch

        folder.mkdir(parents=True, exist_ok=True)
        document = {
            "recipe": dataclasses.asdict(self.recipe),
            "symbols": self.symbols,
            "trained_until": self.trained_until.isoformat(),
            "complexity": self.complexity,
            "calibrated_from": self.calibrated_from.isoformat(),
            "schedule": {
                symbol: np.datetime_as_string(days).tolist() for symbol, days in self.schedule.items()
            },
            "mixture": self.mixture.document(),
            "neural": self.neural.document(),
            "base": [network.head.base.tolist() for network in self.networks],
        }
        (folder / DOCUMENT).write_text(json.dumps(document, indent=1))
        (folder / VOLATILITY_FILE).write_text(self.volatility.document())
        (folder / BOOSTING_FILE).write_text(json.dumps(self.boosting.documents()))
        self.neural.save(folder)
        torch.save([network.state_dict() for network in self.networks], folder / WEIGHTS_FILE)

    @classmethod
    def load(cls, folder: Path, with_networks: bool = False) -> QuantileForecaster:
        """Read what `save` wrote; the networks only on demand, as ONNX Runtime answers, without PyTorch."""
        document = json.loads((folder / DOCUMENT).read_text())
        return cls(
            recipe=recipe_of(document["recipe"]),
            symbols=tuple(document["symbols"]),
            trained_until=datetime.date.fromisoformat(document["trained_until"]),
            volatility=RangeVolatility.of_document((folder / VOLATILITY_FILE).read_text()),
            mixture=ScaleMixture.of_document(document["mixture"]),
            boosting=QuantileBoosting.of_documents(json.loads((folder / BOOSTING_FILE).read_text())),
            neural=NeuralQuantiles.load(folder, document["neural"]),
            networks=_read_networks(folder, document) if with_networks else [],
            complexity=document["complexity"],
            calibrated_from=datetime.date.fromisoformat(document["calibrated_from"]),
            schedule={
                symbol: np.array(days, "datetime64[D]") for symbol, days in document["schedule"].items()
            },
        )


@dataclass
class _Memory:
    """What the conformal bands of one symbol have been through.

    Parameters
    ----------
    start
        The row of the symbol's bars that they began with.
    """

    start: int
    dates: Days = field(default_factory=lambda: np.zeros(0, "datetime64[D]"))
    values: Array = field(default_factory=lambda: np.zeros((0, 5)))
    adapters: list[Adapter] = field(
        default_factory=lambda: [Adapter(h) for h in range(1, SESSIONS_AHEAD + 1)]
    )
    adapted: Array = field(default_factory=lambda: np.zeros((0, SESSIONS_AHEAD, len(QUANTILE_LEVELS))))

    @property
    def end(self) -> int:
        """The row of the bars that comes next."""
        return self.start + len(self.adapted)

    def holds(self, dates: Days, values: Array) -> bool:
        """Return whether the bars seen before are still the same, as far as these reach."""
        both = min(len(dates), len(self.dates))
        same = np.array_equal(dates[:both], self.dates[:both])
        return same and np.array_equal(values[:both], self.values[:both])

    def extend(self, dates: Days, values: Array, quantiles: Array) -> None:
        """Take in the rows that are new, with their quantiles (rows, 10, 7)."""
        if not len(quantiles):
            return
        close = np.log(values[:, PRICE_COLUMNS.index("close_price")])
        rows = []
        for row, forecasts in enumerate(quantiles.tolist(), start=self.end):
            past = [row - adapter.horizon for adapter in self.adapters]
            came = [close[row] - close[one] if one >= self.start else np.nan for one in past]
            steps = zip(self.adapters, forecasts, came, strict=True)
            rows.append([adapter.step(one, outcome) for adapter, one, outcome in steps])
        self.adapted = np.concatenate([self.adapted, np.array(rows)])
        self.dates, self.values = dates, values


def _parameters(
    volatility: RangeVolatility, mixture: ScaleMixture, boosting: QuantileBoosting, networks: list[CnnBiLstm]
) -> int:
    """Return the number of coefficients, leaves and weights."""
    trees = [volatility.booster, *(booster for levels in boosting.boosters for booster in levels)]
    leaves = sum(tree["num_leaves"] for booster in trees for tree in booster.dump_model()["tree_info"])
    coefficients = sum(value.size for one in mixture.horizons for value in one.values())
    return int(leaves + coefficients + sum(p.numel() for one in networks for p in one.parameters()))


def _read_networks(folder: Path, document: dict[str, Any]) -> list[CnnBiLstm]:
    import torch

    from nearcast.forecast.network import CnnBiLstm

    recipe, skip = recipe_of(document["recipe"]), len(document["neural"]["mean"])
    networks = [CnnBiLstm(recipe, len(CHANNELS), skip, base) for base in document["base"]]
    weights = torch.load(folder / WEIGHTS_FILE, weights_only=True)
    for network, state in zip(networks, weights, strict=True):
        network.load_state_dict(state)
    return networks
