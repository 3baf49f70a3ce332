"""The whole forecaster: nothing from after its day, the same answer however it is asked, and sane on bad prices."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nearcast.errors import ForecastError
from nearcast.forecast.model import QuantileForecaster
from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY
from nearcast.forecast.train import fit_and_judge
from nearcast.forecast.windows import samples, samples_of_symbol
from nearcast.schema import PRICE_COLUMNS, QUANTILE_LEVELS, SESSIONS_AHEAD
from tests.forecast.conftest import TINY, TRAINED

Array = npt.NDArray[np.float64]

SESSIONS = 700
ADAPTED_FROM = 380
"""Row of the first bars from which on every horizon's conformal bands move."""

COLUMNS = (*PRICE_COLUMNS, "volume")
KINDS = (*COLUMNS, "all", "shuffled", "standing still")


def fresh(forecaster: QuantileForecaster) -> QuantileForecaster:
    """Return the forecaster without what it remembers of earlier calls."""
    return replace(forecaster)


def with_another_future(bars: pd.DataFrame, day: int, kind: str, seed: int) -> pd.DataFrame:
    """Return one symbol's bars with other values after row ``day``: of a column, of all, or in another order."""
    values = bars[list(COLUMNS)].to_numpy(float, copy=True)
    random, ahead = np.random.default_rng(seed), len(bars) - day - 1
    if kind == "shuffled":
        values[day + 1 :] = random.permutation(values[day + 1 :])
    elif kind == "standing still":
        values[day + 1 :] = values[day]
    else:
        columns = range(5) if kind == "all" else [COLUMNS.index(kind)]
        for column in columns:
            values[day + 1 :, column] *= np.exp(random.normal(0, 1, ahead))
    changed = bars.copy()
    changed[list(COLUMNS)] = values
    return changed


@pytest.fixture(scope="module")
def bars(netflix: pd.DataFrame) -> pd.DataFrame:
    """The bars that the forecaster learned from, and 100 more."""
    return netflix[:SESSIONS]


@pytest.fixture(scope="module")
def answers(tiny_forecaster: QuantileForecaster, bars: pd.DataFrame) -> Array:
    """(700, 10, 7) quantiles of all of them."""
    return fresh(tiny_forecaster).quantiles(bars, np.ones(SESSIONS, bool))


futures = {
    "day": st.integers(59, SESSIONS - 2),
    "kind": st.sampled_from(KINDS),
    "seed": st.integers(0, 1000),
    "left": st.integers(1, SESSIONS),
}


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(**futures)
@example(day=400, kind="all", seed=1, left=SESSIONS)
@example(day=SESSIONS - 2, kind="close_price", seed=1, left=1)
def test_no_later_bar_changes_a_sample_or_an_uncalibrated_quantile_by_a_bit(
    tiny_forecaster: QuantileForecaster, bars: pd.DataFrame, day: int, kind: str, seed: int, left: int
) -> None:
    """The future is changed, and cut off ``left`` bars after the day."""
    before = samples_of_symbol(bars, TINY.window)
    other = with_another_future(bars, day, kind, seed)[: day + 1 + left]
    after = samples_of_symbol(other, TINY.window)
    until = day + 1 - 59  # samples of days up to `day`
    pd.testing.assert_frame_equal(after.features[:until], before.features[:until], check_exact=True)
    np.testing.assert_array_equal(after.windows[:until], before.windows[:until])
    for horizon in range(1, SESSIONS_AHEAD + 1):  # what came is known up to the day
        known = max(until - horizon, 0)
        np.testing.assert_array_equal(after.log_return[:known, :horizon], before.log_return[:known, :horizon])
    known = until - 1
    np.testing.assert_array_equal(after.range_volatility[:known], before.range_volatility[:known])
    expected = tiny_forecaster.volatility.predict(before.features[:until])
    np.testing.assert_array_equal(tiny_forecaster.volatility.predict(after.features[:until]), expected)
    newest = np.arange(max(until - 3, 0), until)
    mine = tiny_forecaster.uncalibrated(before.take(newest))
    np.testing.assert_array_equal(tiny_forecaster.uncalibrated(after.take(newest)), mine)


@settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow])
@given(**futures | {"day": st.integers(ADAPTED_FROM, SESSIONS - 2)})
@example(day=500, kind="all", seed=2, left=SESSIONS)
@example(day=500, kind="shuffled", seed=2, left=SESSIONS)
def test_no_later_bar_changes_a_calibrated_quantile_by_a_bit(
    tiny_forecaster: QuantileForecaster,
    bars: pd.DataFrame,
    answers: Array,
    day: int,
    kind: str,
    seed: int,
    left: int,
) -> None:
    other = with_another_future(bars, day, kind, seed)[: day + 1 + left]
    asked = np.arange(len(other)) >= ADAPTED_FROM - 20
    after = fresh(tiny_forecaster).quantiles(other, asked)
    np.testing.assert_array_equal(after[: day - ADAPTED_FROM + 21], answers[ADAPTED_FROM - 20 : day + 1])


def test_those_days_had_conformal_bands_that_moved_and_later_bars_that_matter(
    tiny_forecaster: QuantileForecaster, bars: pd.DataFrame, answers: Array
) -> None:
    mine = samples_of_symbol(bars, TINY.window, np.arange(SESSIONS) >= ADAPTED_FROM)
    moved = tiny_forecaster.uncalibrated(mine) != answers[ADAPTED_FROM:]
    assert moved.any(axis=2).all()
    other = with_another_future(bars, 650, "all", 3)
    later = fresh(tiny_forecaster).quantiles(other, np.arange(SESSIONS) > 650)
    assert (later != answers[651:]).any(axis=(1, 2)).all()


def test_bars_after_the_training_part_do_not_reach_the_fit(
    tiny_forecaster: QuantileForecaster, netflix: pd.DataFrame
) -> None:
    """A training with another future is the fit on the known bars alone, tree by tree and weight by weight."""
    bars = netflix[: TRAINED + 67]
    assert int((1 - TINY.test_share) * len(bars)) == TRAINED
    other = fit_and_judge(with_another_future(bars, TRAINED - 1, "all", 4), TINY).forecaster
    assert other.volatility.document() == tiny_forecaster.volatility.document()
    assert other.boosting.documents() == tiny_forecaster.boosting.documents()
    assert other.mixture.document() == tiny_forecaster.mixture.document()
    assert other.neural.document() == tiny_forecaster.neural.document()
    for one, two in zip(other.networks, tiny_forecaster.networks, strict=True):
        for name, weights in one.state_dict().items():
            np.testing.assert_array_equal(weights.numpy(), two.state_dict()[name].numpy(), err_msg=name)
    assert other.trained_until == tiny_forecaster.trained_until == netflix["date"][TRAINED - 1].date()
    assert other.calibrated_from == tiny_forecaster.calibrated_from == netflix["date"][TRAINED - 500].date()
    assert other.complexity == tiny_forecaster.complexity


def test_what_it_remembers_changes_no_answer(
    tiny_forecaster: QuantileForecaster, bars: pd.DataFrame, answers: Array
) -> None:
    """Asked bar by bar, for an earlier day again, after a correction, or for a day before its calibration."""
    used = fresh(tiny_forecaster)

    def prices(count: int, of: QuantileForecaster = used, known: pd.DataFrame = bars) -> Array:
        return of.predict(known[:count])

    for count in (80, 650, 651, 652, 600, 660, 100, 101, 655):  # it has calibrated from the 101st bar on
        expected = float(bars["close_price"][count - 1]) * np.exp(answers[count - 1])
        np.testing.assert_array_equal(prices(count), expected)
    corrected = altered(bars, "close_price", 640, 1.01 * float(bars["close_price"][640]))
    again = prices(655, fresh(tiny_forecaster), corrected)
    np.testing.assert_array_equal(prices(655, used, corrected), again)
    assert (again != prices(655)).any()
    np.testing.assert_array_equal(prices(640, used, corrected), prices(640))


def test_each_symbol_is_answered_on_its_own_and_not_before_its_60th_bar(
    tiny_forecaster: QuantileForecaster, all_bars: pd.DataFrame, answers: Array
) -> None:
    """AAPL, too, of which it knows nothing."""
    two = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX"])].groupby("stock_symbol").head(420)
    two = two.reset_index(drop=True)
    quantiles = fresh(tiny_forecaster).quantiles(two, np.ones(len(two), bool))
    assert quantiles.shape == (840, SESSIONS_AHEAD, len(QUANTILE_LEVELS))
    session = two.groupby("stock_symbol").cumcount().to_numpy()
    assert (np.isnan(quantiles).all(axis=(1, 2)) == (session < 59)).all()
    assert (np.isnan(quantiles).any(axis=(1, 2)) == (session < 59)).all()
    assert (np.diff(quantiles[session >= 59], axis=2) >= 0).all()
    np.testing.assert_array_equal(quantiles[two["stock_symbol"] == "NFLX"], answers[:420])
    aapl = two[two["stock_symbol"] == "AAPL"].reset_index(drop=True)
    expected = float(aapl["close_price"].iloc[-1]) * np.exp(quantiles[419])
    np.testing.assert_array_equal(fresh(tiny_forecaster).predict(aapl), expected)
    assert fresh(tiny_forecaster).quantiles(two, np.zeros(len(two), bool)).shape == (0, 10, 7)


def test_a_saved_forecaster_answers_the_same_to_the_bit_without_pytorch(
    tiny_forecaster: QuantileForecaster, bars: pd.DataFrame, answers: Array, tmp_path: Path
) -> None:
    """Loaded in another process, that never imports it."""
    days = {"NFLX": np.array(["2014-01-23", "2014-04-22"], "datetime64[D]")}
    saved = replace(fresh(tiny_forecaster), schedule={"AAPL": days["NFLX"]})
    saved.save(tmp_path / "model")
    bars.to_pickle(tmp_path / "bars")
    code = """if True:
        import sys
        from pathlib import Path
        import numpy, pandas
        from nearcast.forecast.model import QuantileForecaster
        folder = Path(sys.argv[1])
        forecaster = QuantileForecaster.load(folder / "model")
        bars = pandas.read_pickle(folder / "bars")
        numpy.save(folder / "prices.npy", forecaster.predict(bars))
        print([name for name in ("torch", "lightning", "mlflow") if name in sys.modules])
    """
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
    expected = float(bars["close_price"].iloc[-1]) * np.exp(answers[-1])
    np.testing.assert_array_equal(np.load(tmp_path / "prices.npy"), expected)
    loaded = QuantileForecaster.load(tmp_path / "model", with_networks=True)
    for one, two in zip(loaded.networks, tiny_forecaster.networks, strict=True):
        for name, weights in one.state_dict().items():
            np.testing.assert_array_equal(weights.numpy(), two.state_dict()[name].numpy())
    for name in ("recipe", "symbols", "trained_until", "complexity", "calibrated_from"):
        assert getattr(loaded, name) == getattr(tiny_forecaster, name)
    assert loaded.schedule["AAPL"].tolist() == days["NFLX"].tolist()
    assert loaded.networks[0].head.base.shape == (SESSIONS_AHEAD, len(QUANTILE_LEVELS))


@pytest.mark.parametrize("factor", [0.01, 3.0, 1000.0])
def test_a_unit_of_money_changes_no_quantile_of_any_part(
    tiny_forecaster: QuantileForecaster, bars: pd.DataFrame, answers: Array, factor: float
) -> None:
    other = bars.assign(**{name: factor * bars[name] for name in PRICE_COLUMNS})
    wanted = np.arange(SESSIONS) >= SESSIONS - 40
    mine = [samples_of_symbol(one, TINY.window, wanted) for one in (bars, other)]
    mine = [
        one.with_feature(EXPECTED_VOLATILITY, tiny_forecaster.volatility.predict(one.features))
        for one in mine
    ]
    for part in (tiny_forecaster.mixture, tiny_forecaster.boosting, tiny_forecaster.neural):
        before, after = (part.quantiles(one) for one in mine)
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-9, err_msg=type(part).__name__)
    quantiles = fresh(tiny_forecaster).quantiles(other, wanted)
    np.testing.assert_allclose(quantiles, answers[wanted], rtol=0, atol=1e-9)


def test_a_forecast_is_the_mean_of_its_parts(tiny_forecaster: QuantileForecaster, bars: pd.DataFrame) -> None:
    mine = samples(bars, TINY.window, np.arange(SESSIONS) >= SESSIONS - 5)
    expected = mine.with_feature(EXPECTED_VOLATILITY, tiny_forecaster.volatility.predict(mine.features))
    parts = (tiny_forecaster.mixture, tiny_forecaster.boosting, tiny_forecaster.neural)
    mean = sum((part.quantiles(expected) for part in parts), start=np.zeros((5, 10, 7))) / 3
    np.testing.assert_allclose(tiny_forecaster.uncalibrated(mine), mean, rtol=1e-12)


def test_the_bands_hold_what_they_promise_on_the_days_after_the_training(
    tiny_forecaster: QuantileForecaster, netflix: pd.DataFrame
) -> None:
    """800 sessions of NFLX that it has not learned from: 80 and 95 % within 5 points, at all ends of the horizons."""
    until = TRAINED + 800
    asked = np.arange(until) >= TRAINED
    quantiles = fresh(tiny_forecaster).quantiles(netflix[:until], asked)
    close = np.log(netflix["close_price"].to_numpy(float))
    for horizon in (1, 5, 10):
        came = close[TRAINED + horizon : until + horizon] - close[TRAINED:until]
        q = quantiles[:, horizon - 1]
        for low, high, promised in ((1, 5, 0.8), (0, 6, 0.95)):
            inside = ((came >= q[:, low]) & (came <= q[:, high])).mean()
            assert inside == pytest.approx(promised, abs=0.05), (horizon, promised)
        assert (q[:, 6] - q[:, 0]).mean() < 8 * came.std()


def altered(bars: pd.DataFrame, column: str, row: int, value: float) -> pd.DataFrame:
    """Return the bars with one value replaced."""
    other = bars.astype({"volume": float})
    other.loc[row, column] = value
    return other


@pytest.mark.parametrize("count", [0, 1, 2, 30, 59])
def test_fewer_than_60_bars_are_no_forecast(
    tiny_forecaster: QuantileForecaster, bars: pd.DataFrame, count: int
) -> None:
    with pytest.raises(ForecastError, match=f"needs 60 daily bars of a symbol; there are {count}"):
        fresh(tiny_forecaster).predict(bars[:count])
    with pytest.raises(ForecastError, match="no symbol has as many"):
        QuantileForecaster.fit(bars[:count], TINY)


@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0, np.inf])
@pytest.mark.parametrize("column", [*PRICE_COLUMNS, "volume"])
@pytest.mark.parametrize("row", [0, 300, SESSIONS - 1])
def test_a_bar_that_is_none_is_refused_also_by_a_forecaster_that_was_used(
    tiny_forecaster: QuantileForecaster, bars: pd.DataFrame, column: str, row: int, value: float
) -> None:
    broken = altered(bars, column, row, value)
    if column == "volume" and np.isfinite(value):  # no share changed hands
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            quantiles = samples_of_symbol(broken, TINY.window)
        assert np.isfinite(quantiles.features.to_numpy()).all()
        return
    with pytest.raises(ForecastError, match=r"not a positive number|not a number"):
        tiny_forecaster.predict(broken)


def gap(bars: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """Return the bars without those of some months."""
    return pd.concat([bars[:first], bars[last:]], ignore_index=True)


def standing_still(bars: pd.DataFrame, first: int, volume: int) -> pd.DataFrame:
    """Return the bars with one price from a row on."""
    still = bars.copy()
    still.loc[first:, list(PRICE_COLUMNS)] = 50.0
    still.loc[first:, "volume"] = volume
    return still


STRANGE: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "a price that never moved": lambda bars: standing_still(bars, 0, 1000),
    "a share that is not traded": lambda bars: standing_still(bars, 0, 0),
    "a price that has come to a stand": lambda bars: standing_still(bars, 400, 0),
    "a gap of half a year": lambda bars: gap(bars, 300, 425),
    "a gap up to the last days": lambda bars: gap(bars, 300, 695),
    "a split by a hundred": lambda bars: bars.assign(
        **{name: bars[name].where(bars.index < 690, bars[name] / 100) for name in PRICE_COLUMNS}
    ),
    "an unknown symbol": lambda bars: bars.assign(stock_symbol="ZZZZ"),
    "just enough bars": lambda bars: bars[:60],
}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", STRANGE)
def test_strange_prices_give_finite_ascending_quantiles_without_a_warning(
    tiny_forecaster: QuantileForecaster, bars: pd.DataFrame, name: str
) -> None:
    strange = STRANGE[name](bars)
    prices = fresh(tiny_forecaster).predict(strange)
    assert prices.shape == (SESSIONS_AHEAD, len(QUANTILE_LEVELS))
    assert np.isfinite(prices).all()
    assert (np.diff(prices, axis=1) >= 0).all()
    last = float(strange["close_price"].iloc[-1])
    assert (prices[0, 0] <= 1.05 * last) & (prices[0, -1] >= 0.95 * last)
