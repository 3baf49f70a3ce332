"""Windows end with the as-of day, targets are the days after it, and nothing later reaches a sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearcast.errors import ForecastError
from nearcast.forecast.features import MINIMUM_HISTORY, features
from nearcast.forecast.recipes import QUANTILE
from nearcast.forecast.windows import CHANNELS, channels, right_aligned, samples, samples_of_symbol
from nearcast.schema import PRICE_COLUMNS, SESSIONS_AHEAD

WINDOW = QUANTILE.window


def test_a_window_holds_the_last_days_of_every_channel_with_zeros_before_the_first_bar(
    netflix: pd.DataFrame,
) -> None:
    table = features(netflix)
    made, days = samples_of_symbol(netflix, WINDOW), channels(table)
    assert made.windows.shape == (len(made), len(CHANNELS), WINDOW) and WINDOW > MINIMUM_HISTORY
    assert (made.windows[-1] == days[-WINDOW:].T).all()
    before = np.zeros((len(CHANNELS), WINDOW - MINIMUM_HISTORY))
    assert (made.windows[0] == np.c_[before, days[:MINIMUM_HISTORY].T]).all()
    returns = table["return_1"].clip(-6, 6).to_numpy(np.float32)
    assert (made.windows[-1, CHANNELS.index("return")] == returns[-WINDOW:]).all()
    assert np.abs(days).max() < 10


def test_the_targets_are_the_returns_from_the_as_of_close_to_the_closes_after_it(
    all_bars: pd.DataFrame,
) -> None:
    made = samples(all_bars, WINDOW)
    closes = all_bars.set_index(["stock_symbol", "date"])["close_price"]
    for row in (0, 5000, len(made) - 1 - SESSIONS_AHEAD, len(made) - 4, len(made) - 1):
        mine = closes[str(made.symbol[row])]
        place = mine.index.get_loc(pd.Timestamp(made.date[row]))
        assert isinstance(place, int)
        assert made.last_close[row] == mine.iloc[place]
        following = mine.iloc[place + 1 : place + 1 + SESSIONS_AHEAD].to_numpy()
        known = made.last_close[row] * np.exp(made.log_return[row, : len(following)])
        assert known == pytest.approx(following)
        assert np.isnan(made.log_return[row, len(following) :]).all()


def test_no_sample_is_lost_or_made_up(all_bars: pd.DataFrame) -> None:
    rows = np.flatnonzero(all_bars.groupby("stock_symbol").cumcount() >= MINIMUM_HISTORY - 1)
    every = samples(all_bars, WINDOW)
    assert every.last_close.tolist() == all_bars["close_price"].to_numpy()[rows].tolist()
    wanted = np.zeros(len(all_bars), bool)
    wanted[[10, 59, 3000, 3001]] = True  # the first of them is too early
    some, same = samples(all_bars, WINDOW, wanted), every.take(np.searchsorted(rows, [59, 3000, 3001]))
    assert (some.windows == same.windows).all()
    assert (some.log_return == same.log_return).all()
    assert (some.date.tolist(), some.symbol.tolist()) == (same.date.tolist(), same.symbol.tolist())
    expected = same.features.reset_index(drop=True)
    pd.testing.assert_frame_equal(some.features, expected, check_exact=True)


def test_too_short_a_history_is_refused(netflix: pd.DataFrame) -> None:
    short = netflix[: MINIMUM_HISTORY - 1]
    assert len(samples_of_symbol(short, WINDOW)) == 0
    assert len(samples(netflix[:MINIMUM_HISTORY], WINDOW)) == 1
    with pytest.raises(ForecastError, match="needs 60 daily bars"):
        samples(short, WINDOW)


def test_another_future_changes_no_sample_but_its_unknown_outcomes(netflix: pd.DataFrame) -> None:
    other = netflix.copy()
    other.loc[1500:, [*PRICE_COLUMNS, "volume"]] *= 2
    mine, theirs = (samples(bars, WINDOW).take(np.arange(1500 - 59)) for bars in (netflix, other))
    pd.testing.assert_frame_equal(mine.features, theirs.features, check_exact=True)
    assert (mine.windows == theirs.windows).all()
    for horizon in range(1, SESSIONS_AHEAD + 1):
        same = mine.log_return[:, horizon - 1] == theirs.log_return[:, horizon - 1]
        assert same[:-horizon].all() and not same[-horizon:].any()


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50), st.integers(1, 40))
def test_right_aligned_windows_end_with_their_own_value(values: list[float], window: int) -> None:
    windows = right_aligned(np.array(values, np.float32), window)
    assert windows.shape == (len(values), window)
    for row in range(len(values)):
        past = values[max(0, row + 1 - window) : row + 1]
        expected = [0.0] * (window - len(past)) + past
        assert windows[row].tolist() == np.array(expected, np.float32).tolist()
