"""Windows end with the as-of day, targets are the day after, and no part of the split overlaps another."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.errors import ForecastError
from nearcast.forecast.features import MINIMUM_HISTORY, SCALED_RETURN, features
from nearcast.forecast.recipes import QUANTILE
from nearcast.forecast.windows import chronological_split, right_aligned, samples, samples_of_symbol


def test_a_window_holds_the_last_scaled_returns_with_zeros_before_the_first_bar(
    netflix: pd.DataFrame,
) -> None:
    table = features(netflix)
    made = samples_of_symbol(netflix, table, QUANTILE)
    returns = table[SCALED_RETURN].to_numpy()
    assert (made.windows[-1, 0] == returns[-64:]).all()
    assert (made.windows[0, 0] == np.r_[np.zeros(4), returns[:60]]).all()


def test_the_target_is_the_return_from_the_as_of_close_to_the_next_close(all_bars: pd.DataFrame) -> None:
    made = samples(all_bars, QUANTILE)
    closes = all_bars.set_index(["stock_symbol", "date"])["close_price"]
    for row in (0, 5000, len(made) - 1):
        mine = closes[str(made.symbol[row])]
        place = mine.index.get_loc(pd.Timestamp(made.date[row]))
        assert isinstance(place, int)
        assert made.last_close[row] == mine.iloc[place]
        assert made.last_close[row] * np.exp(made.log_return[row]) == pytest.approx(mine.iloc[place + 1])


def test_no_sample_is_lost_or_made_up(all_bars: pd.DataFrame) -> None:
    counts = all_bars.groupby("stock_symbol").size()
    assert len(samples(all_bars, QUANTILE)) == (counts - MINIMUM_HISTORY).sum()


def test_too_short_a_history_is_refused(netflix: pd.DataFrame) -> None:
    short = netflix[: MINIMUM_HISTORY - 1]
    with pytest.raises(ForecastError, match="needs 60 daily bars"):
        samples_of_symbol(short, features(short), QUANTILE)
    with pytest.raises(ForecastError, match="more than 60"):
        samples(short, QUANTILE)


@given(st.lists(st.integers(0, 2000), min_size=30, max_size=300))
def test_the_split_keeps_every_row_once_and_every_day_in_one_part_in_order(offsets: list[int]) -> None:
    dates = np.datetime64("2013-01-02", "D") + np.array(offsets)
    parts = chronological_split(dates, 0.8, 0.1)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(dates)))
    for earlier, later in pairwise(parts):
        if len(earlier) and len(later):
            assert dates[earlier].max() < dates[later].min()


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50), st.integers(1, 40))
def test_right_aligned_windows_end_with_their_own_value(values: list[float], window: int) -> None:
    windows = right_aligned(np.array(values), window)
    assert windows.shape == (len(values), window)
    for row in range(len(values)):
        past = values[max(0, row + 1 - window) : row + 1]
        assert windows[row].tolist() == [0.0] * (window - len(past)) + past
