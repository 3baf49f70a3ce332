"""The classic method: its windows, its two splits, and what the shuffled one hides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score  # type: ignore[import-untyped]

from nearcast.errors import ForecastError
from nearcast.forecast.levels.baseline import Levels, bands
from nearcast.forecast.levels.evaluate import evaluate
from nearcast.forecast.levels.model import LevelForecaster
from nearcast.forecast.levels.network import ClassicCnnBiLstm
from nearcast.forecast.levels.recipe import CHRONOLOGICAL, SHUFFLED, LevelsRecipe
from nearcast.forecast.levels.train import fit_and_judge
from nearcast.forecast.levels.windows import level_windows, split
from nearcast.schema import PRICE_COLUMNS

SMALL = LevelsRecipe(window=24, channels=(4, 8, 4), hidden=(8, 4), epochs=1)


def test_a_window_ends_with_its_day_and_its_target_is_the_next_close_over_the_first(
    all_bars: pd.DataFrame,
) -> None:
    two = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX"])].reset_index(drop=True)
    windows = level_windows(two, 100)
    assert len(windows) == 2 * (2699 - 99)
    for at in (0, 1500, 2599, 2600, 4000):
        closes = two["close_price"][windows.row[at] - 99 : windows.row[at] + 1].to_numpy()
        assert windows.closes[at].tolist() == closes.tolist()
        assert windows.normalised[at] == pytest.approx(closes / closes[0] - 1)
        assert windows.date[at] == two["date"][windows.row[at]].to_datetime64().astype("datetime64[D]")
        assert windows.last_close[at] == closes[-1]
        if at != 2599:
            following = two["close_price"][windows.row[at] + 1]
            assert windows.actual[at] == following
            assert windows.target[at] == pytest.approx(following / closes[0] - 1)
    assert np.flatnonzero(np.isnan(windows.actual)).tolist() == [2599, 5199]


def test_the_chronological_split_keeps_days_apart_and_the_shuffled_one_does_not(
    netflix: pd.DataFrame,
) -> None:
    windows = level_windows(netflix, 100)
    windows = windows.take(np.flatnonzero(np.isfinite(windows.actual)))
    for kind in (CHRONOLOGICAL, SHUFFLED):
        train, test = split(windows, LevelsRecipe(split=kind))
        assert sorted([*train, *test]) == list(range(len(windows)))
        assert len(test) == pytest.approx(0.2 * len(windows), abs=1)
        apart = windows.date[train].max() < windows.date[test].min()
        assert apart == (kind == CHRONOLOGICAL)
    with pytest.raises(ForecastError, match="no split 'random'"):
        LevelsRecipe(split="random")
    with pytest.raises(ForecastError, match="100 windows of 100 closes; there are 50"):
        fit_and_judge(netflix[:150], LevelsRecipe())


def test_the_network_is_the_classic_one() -> None:
    network = ClassicCnnBiLstm(LevelsRecipe())
    convolutions = 3 * 64 + 64 + 64 * 128 * 3 + 128 + 128 * 64 * 3 + 64
    lstms = 2 * 4 * (64 * 128 + 128 * 128 + 2 * 128) + 2 * 4 * (256 * 64 + 64 * 64 + 2 * 64)
    assert sum(weights.numel() for weights in network.parameters()) == convolutions + lstms + 128 + 1
    assert network.convolutions(torch.zeros(2, 1, 100)).shape == (2, 64, 10)
    assert network(torch.zeros(2, 100)).shape == (2,)


def test_the_figures_are_scikit_learns_and_the_last_close_has_a_ratio_of_one(netflix: pd.DataFrame) -> None:
    windows = level_windows(netflix, 100)
    windows = windows.take(np.flatnonzero(np.isfinite(windows.actual)))
    noisy = windows.last_close + np.random.default_rng(2).normal(0, 5, len(windows))
    metrics = evaluate(windows, noisy)
    assert metrics["price_r2"] == pytest.approx(r2_score(windows.actual, noisy))
    assert metrics["mae"] == pytest.approx(mean_absolute_error(windows.actual, noisy))
    naive = mean_absolute_error(windows.actual, windows.last_close)
    assert metrics["mae_ratio"] == pytest.approx(metrics["mae"] / naive)
    assert metrics["mae_ratio_low"] < metrics["mae_ratio"] < metrics["mae_ratio_high"]
    itself = evaluate(windows, windows.last_close)
    assert [itself[name] for name in ("mae_ratio", "rmse_ratio")] == [1, 1]
    assert itself["price_r2"] == itself["last_close_price_r2"] > 0.99


def test_on_real_prices_a_shuffled_split_looks_better_and_neither_beats_the_last_close(
    netflix: pd.DataFrame,
) -> None:
    recipe = replace(SMALL, window=32, channels=(8, 16, 8), hidden=(16, 8), batch_size=64, epochs=3)
    honest = fit_and_judge(netflix, recipe).metrics
    leaking = fit_and_judge(netflix, replace(recipe, split=SHUFFLED)).metrics
    assert all(name.startswith("leaking_") for name in leaking)
    assert {name.removeprefix("leaking_") for name in leaking} == set(honest)
    assert leaking["leaking_mae_ratio"] < 0.9 * honest["mae_ratio"]
    assert leaking["leaking_price_r2"] > honest["price_r2"]
    assert leaking["leaking_mae_ratio_low"] > 1
    assert honest["mae_ratio_low"] > 1


def test_the_fit_learns_repeats_itself_and_is_stored_bit_by_bit(
    netflix: pd.DataFrame, tmp_path: Path
) -> None:
    recipe = replace(SMALL, epochs=3)
    first, second = (fit_and_judge(netflix[:300], recipe) for _ in range(2))
    assert first.history[-1]["train_loss"] < first.history[0]["train_loss"]
    assert first.forecast.tolist() == second.forecast.tolist()
    first.forecaster.save(tmp_path)
    again = LevelForecaster.load(tmp_path)
    assert again.recipe == recipe
    assert again.next_closes(first.test).tolist() == first.forecast.tolist()


def test_the_training_part_alone_reaches_the_weights(netflix: pd.DataFrame) -> None:
    other = netflix.copy()
    # the last training window's outcome is the close of the first test day
    windows = level_windows(netflix[:299], SMALL.window)  # that of row 299 has no outcome among 300 bars
    later = other["date"] > windows.date[split(windows, SMALL)[1]].min()
    other.loc[later, list(PRICE_COLUMNS)] *= 1.5
    mine, theirs = (fit_and_judge(bars[:300], SMALL).forecaster.network for bars in (netflix, other))
    assert torch.equal(mine.output.weight, theirs.output.weight)


def test_a_backtests_bands_are_quantiles_of_absolute_errors_out_of_sample(netflix: pd.DataFrame) -> None:
    model = Levels(SMALL)
    model.fit(netflix[:400])
    fitted = fit_and_judge(netflix[:400], SMALL)
    day, window = 600, SMALL.window
    forecaster = fitted.forecaster
    windows = forecaster.windows(netflix)
    point = np.log(forecaster.next_closes(windows) / windows.last_close)  # of row window - 1 and on
    quantiles = model.quantiles(netflix, np.arange(len(netflix)) == day)[0, 0]
    returns = np.diff(np.log(netflix["close_price"].to_numpy(float)))
    first = int(np.flatnonzero(netflix["date"].to_numpy() == fitted.test.date.min())[0])
    errors = [abs(returns[at] - point[at - window + 1]) for at in range(max(first, day - 500), day)]
    median = point[day - window + 1]
    wide, middle, narrow = np.quantile(errors, [0.95, 0.8, 0.5])
    expected = median + np.array([-wide, -middle, -narrow, 0, narrow, middle, wide])
    assert quantiles == pytest.approx(expected, abs=1e-6)


def test_bands_need_60_errors_and_a_backtest_refuses_a_leaking_split() -> None:
    distances = bands(np.r_[np.nan, np.ones(100)])
    assert np.isnan(distances[:60]).all()
    assert distances[60].tolist() == [-1, -1, -1, 0, 1, 1, 1]
    with pytest.raises(ForecastError, match="no leaking split"):
        Levels(replace(SMALL, split=SHUFFLED))
