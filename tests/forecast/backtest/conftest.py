"""A backtest of tiny models on real prices, run once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nearcast.forecast.backtest.judge import judge
from nearcast.forecast.backtest.run import Run, walk_forward
from tests.forecast.backtest import tiny

FIRST = np.datetime64("2021-06-01")
NAMES = [f"{tiny.HERE}:{name}" for name in ("Normal", "Short", "Leaking")]


@pytest.fixture(scope="session")
def two(all_bars: pd.DataFrame) -> pd.DataFrame:
    """The bars of AAPL and NFLX from 2017 to March 2023; NFLX begins in 2018."""
    late = (all_bars["stock_symbol"] == "NFLX") & (all_bars["date"] < "2018-01-01")
    there = all_bars["stock_symbol"].isin(["AAPL", "NFLX"]) & all_bars["date"].between("2017", "2023-03-31")
    return all_bars[there & ~late].reset_index(drop=True)


@pytest.fixture(scope="session")
def prices_csv(two: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same bars as a CSV file."""
    path = tmp_path_factory.mktemp("csv") / "prices.csv"
    named = two.drop(columns="version").rename(columns=lambda name: name.removesuffix("_price"))
    named.rename(columns={"stock_symbol": "symbol"}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def home_of_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home in which `run` keeps its folds."""
    return tmp_path_factory.mktemp("backtest")


@pytest.fixture(scope="session")
def run(two: pd.DataFrame, home_of_run: Path) -> Run:
    """The tiny models and the last close from June 2021 on, in two processes."""
    return walk_forward(home_of_run, two, NAMES, FIRST, jobs=2)


@pytest.fixture(scope="session")
def verdict(run: Run) -> dict[str, Any]:
    """The verdict on `run`."""
    return judge(run)
