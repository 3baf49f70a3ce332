"""Bars of two symbols, and baselines that are small enough for a property test."""

from __future__ import annotations

import pandas as pd
import pytest

from nearcast.forecast.baselines import Baseline, baseline_named, baselines
from nearcast.forecast.levels.baseline import Levels
from nearcast.forecast.levels.recipe import LevelsRecipe

SESSIONS = 270
FITTED = 100
"""Sessions that a fold is fitted on."""

SMALL = LevelsRecipe(window=24, channels=(4, 4, 4), hidden=(4, 4), epochs=1)

NAMES = [name for name in baselines() if name != "nhits"]
"""nhits is an optional extra; what is ours of it is tested in test_nhits.py."""


def small_baseline(name: str) -> Baseline:
    """Return the baseline, with a small network where it has one."""
    return Levels(SMALL) if name == "levels" else baseline_named(name)


@pytest.fixture(scope="session")
def two(all_bars: pd.DataFrame) -> pd.DataFrame:
    """270 sessions of AAPL and NFLX."""
    chosen = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX"])]
    return chosen.groupby("stock_symbol").head(SESSIONS).reset_index(drop=True)


def first_sessions(bars: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the first sessions of each symbol."""
    return bars.groupby("stock_symbol").head(count).reset_index(drop=True)
