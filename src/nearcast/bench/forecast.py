"""A forecast from a new row: the whole of it, and its network part beside PyTorch.

Bars come from a CSV file and no services run: what is measured is what the forecaster service does between a new
commit that it has read and the forecast that it stores.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearcast.forecast.recipes import Recipe

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.forecast.model import QuantileForecaster

ONE_SYMBOL = "NFLX"
WARM_UP = 20
"""Calls of the network that are not counted."""
Note = Callable[[str], None]


def bench_forecast(csv: Path, recipe: Recipe, rows: int, calls: int, note: Note) -> dict[str, Any]:
    """Measure on the newest bars of one symbol of a CSV file.

    Parameters
    ----------
    rows
        New rows, one after the other, each with its forecast.
    calls
        Calls of the network, by ONNX Runtime and by PyTorch in turn.

    Returns
    -------
    dict
        `forecast_ms` {first, p50, p95}: the first one also brings the conformal bands up to date. `parts_ms`: the
        median of each part on one sample. `network_ms` {onnx, pytorch}: p50 of one call; `onnx_to_pytorch`.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import numpy as np

    from nearcast.forecast.csv_bars import bars_of_csv
    from nearcast.forecast.model import QuantileForecaster

    bars = bars_of_csv(csv)
    symbols = set(bars["stock_symbol"])
    bars = bars[bars["stock_symbol"] == (ONE_SYMBOL if ONE_SYMBOL in symbols else min(symbols))]
    bars = bars.reset_index(drop=True)
    note("fitting a forecaster of the recipe's sizes, with one epoch")
    days = int((1 - recipe.test_share) * len(bars))
    fitted = QuantileForecaster.fit(bars[:days], replace(recipe, epochs=1))
    with tempfile.TemporaryDirectory() as folder:
        fitted.save(Path(folder))
        served = QuantileForecaster.load(Path(folder))
    note(f"{rows} new rows")
    histories = [bars[:n] for n in range(len(bars) - rows, len(bars) + 1)]
    taken = [_milliseconds(partial(served.predict, history)) for history in histories]
    note(f"{calls} calls of each part")
    onnx, pytorch = _network(fitted, bars, calls)
    p50, p95 = np.percentile(taken[1:], [50, 95])
    return {
        "forecast_ms": {"first": round(taken[0], 1), "p50": round(p50, 2), "p95": round(p95, 2)},
        "parts_ms": _parts(served, bars, calls),
        "network_ms": {"onnx": round(onnx, 4), "pytorch": round(pytorch, 4)},
        "onnx_to_pytorch": round(onnx / pytorch, 3),
        "rows": rows,
        "bars": len(bars),
        "networks": recipe.network_seeds,
    }


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - began)


def _parts(served: QuantileForecaster, bars: pd.DataFrame, calls: int) -> dict[str, float]:
    """Return the median milliseconds of each step of one forecast."""
    import numpy as np

    from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY
    from nearcast.forecast.windows import samples_of_symbol

    newest = np.arange(len(bars)) == len(bars) - 1
    mine = samples_of_symbol(bars, served.recipe.window, newest)
    expected = mine.with_feature(EXPECTED_VOLATILITY, served.volatility.predict(mine.features))
    steps: dict[str, Callable[[], object]] = {
        "features": lambda: samples_of_symbol(bars, served.recipe.window, newest),
        "range_volatility": lambda: served.volatility.predict(mine.features),
        "scale_mixture": lambda: served.mixture.quantiles(expected),
        "boosted_trees": lambda: served.boosting.quantiles(expected),
        "networks": lambda: served.neural.quantiles(expected),
    }
    return {
        name: round(float(np.median([_milliseconds(work) for _ in range(calls // 10 or 1)])), 3)
        for name, work in steps.items()
    }


def _network(fitted: QuantileForecaster, bars: pd.DataFrame, calls: int) -> tuple[float, float]:
    """Return the median milliseconds of a call of the networks, by ONNX Runtime and by PyTorch."""
    import numpy as np
    import torch

    from nearcast.forecast.network import Mean
    from nearcast.forecast.windows import CHANNELS

    torch.set_num_threads(1)
    recipe, skip = fitted.recipe, len(fitted.neural.scaler.mean)
    random = np.random.default_rng(0)
    windows = random.normal(size=(1, len(CHANNELS), recipe.window)).astype(np.float32)
    inputs = {"windows": windows, "skip": random.normal(size=(1, skip)).astype(np.float32)}
    mean = Mean(fitted.networks).eval()
    tensors = tuple(torch.as_tensor(value) for value in inputs.values())
    session = fitted.neural.session
    taken: tuple[list[float], list[float]] = ([], [])
    with torch.inference_mode():
        for number in range(WARM_UP + calls):
            pair = (
                _milliseconds(lambda: session.run(None, inputs)),
                _milliseconds(lambda: mean(*tensors)),
            )
            if number >= WARM_UP:
                for one, several in zip(pair, taken, strict=True):
                    several.append(one)
    return float(np.median(taken[0])), float(np.median(taken[1]))
