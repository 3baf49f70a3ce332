"""What a model was trained on, in a few numbers beside it: its symbols, and how its prices were distributed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.stability import stability_index

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    Array = npt.NDArray[np.float64]

FILE = "reference.json"
"""The artifact of a training's run."""

RECENT_DAYS = 250
"""Days that are compared with the training."""

STEP_DAYS = 25
"""Days between the starts of two stretches of the training."""

MINIMUM_DAYS = 4 * RECENT_DAYS
"""Days of training below which it is not known how far one year lies from the others."""

BINS = 10
USUAL_SESSIONS = 60
SMALLEST_RANGE = 1e-4
"""Log range of a day, below which it counts as this: 0.01 %."""


@dataclass(frozen=True)
class Distribution:
    """How a quantity was distributed over the days and symbols of a training.

    Parameters
    ----------
    edges
        The inner edges of its bins.
    shares
        The share of values in each bin.
    usual
        The largest stability index of 250 days of the training against all of it. Volatility comes in clusters: a
        year differs from the others by more than chance, and only one that differs by more than this is news.
        None: the training is too short to know.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    usual: float | None

    def counts(self, values: Array) -> npt.NDArray[np.int64]:
        """Return how many values lie in each bin; those that are not known in none."""
        known = values[np.isfinite(values)]
        return np.bincount(np.searchsorted(self.edges, known, side="right"), minlength=len(self.shares))


@dataclass(frozen=True)
class Reference:
    """What a model was trained on.

    Parameters
    ----------
    symbols
        Its symbols, in order.
    distributions
        How each quantity of `quantities` was distributed.
    """

    symbols: tuple[str, ...]
    distributions: dict[str, Distribution]

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def parse(document: dict[str, Any]) -> Reference:
    """Return what `Reference.document` was made of."""
    distributions = {
        name: Distribution(tuple(values["edges"]), tuple(values["shares"]), values["usual"])
        for name, values in document["distributions"].items()
    }
    return Reference(tuple(document["symbols"]), distributions)


def quantities(bars: pd.DataFrame) -> pd.DataFrame:
    """Return what is watched of each bar: return, range and volume, in units that no price level changes.

    Parameters
    ----------
    bars
        n usable bars of one or more symbols, by symbol and date.

    Returns
    -------
    pandas.DataFrame
        n rows: ``date``, ``log_return`` of the close, ``log_range`` (logarithm of the day's log range; Parkinson,
        J. Business 53 (1980) 61) and ``relative_volume`` (logarithm of the shares over their median of 60 sessions).
        NaN before a symbol's 60th bar.
    """
    import pandas as pd

    symbols = bars["stock_symbol"]
    returns = np.log(bars["close_price"]).groupby(symbols).diff()
    log_range = np.log(np.maximum(np.log(bars["high_price"] / bars["low_price"]), SMALLEST_RANGE))
    shares = bars["volume"].clip(lower=1).astype(float)
    median = shares.groupby(symbols).rolling(USUAL_SESSIONS).median().droplevel(0).reindex(bars.index)
    table = pd.DataFrame(
        {"log_return": returns, "log_range": log_range, "relative_volume": np.log(shares / median)}
    )
    return table.where(median.notna()).assign(date=bars["date"])


def measure(bars: pd.DataFrame) -> Reference:
    """Return the reference of a training on these bars, by symbol and date."""
    table = quantities(bars)
    days = np.unique(table["date"])
    names = [name for name in table.columns if name != "date"]
    found = {name: _distribution(table, name, days) for name in names}
    return Reference(tuple(sorted(map(str, bars["stock_symbol"].unique()))), found)


def _distribution(table: pd.DataFrame, name: str, days: npt.NDArray[Any]) -> Distribution:
    values = table[name].to_numpy(float)
    known = values[np.isfinite(values)]
    # ties, such as returns of zero, may take a whole bin
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
    bins = np.searchsorted(edges, known, side="right")
    counts = np.bincount(bins, minlength=len(edges) + 1)
    shares = np.maximum(counts, 1) / np.maximum(counts, 1).sum()
    usual = None
    if len(days) >= MINIMUM_DAYS:
        position = np.searchsorted(days, table["date"].to_numpy()[np.isfinite(values)])
        by_day = np.zeros((len(days), len(counts)), np.int64)
        np.add.at(by_day, (position, bins), 1)
        total = np.vstack([np.zeros_like(counts), by_day.cumsum(axis=0)])
        ends = np.arange(len(days), USUAL_SESSIONS + RECENT_DAYS, -STEP_DAYS)
        usual = max(stability_index(shares, total[end] - total[end - RECENT_DAYS]) for end in ends)
    return Distribution(tuple(edges.tolist()), tuple(shares.tolist()), usual)


def load_reference(client: Any, run_id: str) -> Reference | None:
    """Return the reference that a training's run logged; None when it is from before there was one.

    Parameters
    ----------
    client
        MLflow's.
    run_id
        The run of the training.
    """
    return _load(client.tracking_uri, run_id)


@lru_cache(maxsize=4)
def _load(tracking_uri: str, run_id: str) -> Reference | None:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri)
    if FILE not in {artifact.path for artifact in client.list_artifacts(run_id)}:
        return None
    run = client.get_run(run_id)
    return parse(mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/{FILE}"))
