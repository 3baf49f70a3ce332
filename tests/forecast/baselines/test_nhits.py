"""What is ours of the NHITS baseline: the series it is given, the sums over days, and the missing extra."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nearcast.errors import ForecastError
from nearcast.forecast.baselines import baseline_named
from nearcast.forecast.baselines.nhits import Nhits, cumulated
from nearcast.schema import QUANTILE_LEVELS
from tests.forecast.baselines.conftest import first_sessions


class NormalNetwork:
    """In the place of NHITS: normal quantiles with the mean and deviation of a series, the same each day."""

    def fit(self, table: pd.DataFrame) -> None:
        """Note what was trained on."""
        self.trained = table

    def predict(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return ten rows a series, in the order of their names, as neuralforecast does."""
        rows = []
        for name, series in table.groupby("unique_id"):
            quantiles = stats.norm.ppf(QUANTILE_LEVELS, series["y"].mean(), series["y"].std(ddof=0))
            rows += [(name, ahead, *quantiles) for ahead in range(10)]
        return pd.DataFrame(rows, columns=["unique_id", "ds", *map(str, QUANTILE_LEVELS)])


@pytest.fixture
def nhits(monkeypatch: pytest.MonkeyPatch) -> Nhits:
    """The baseline with the normal network."""
    monkeypatch.setitem(sys.modules, "neuralforecast", type(sys)("neuralforecast"))
    monkeypatch.setattr(Nhits, "_network", lambda self: NormalNetwork())
    return Nhits()


def test_each_day_is_forecast_from_its_own_last_60_returns_and_no_later_one(
    nhits: Nhits, two: pd.DataFrame
) -> None:
    nhits.fit(first_sessions(two, 100))
    wanted = two.groupby("stock_symbol").cumcount().isin([59, 60, 200]).to_numpy()
    quantiles = nhits.quantiles(two, wanted)
    assert np.isnan(quantiles[[0, 3]]).all()
    returns = np.diff(np.log(two.loc[two["stock_symbol"] == "NFLX", "close_price"].to_numpy(float)))
    past = returns[140:200]
    for horizon in (1, 4):
        expected = stats.norm.ppf(QUANTILE_LEVELS, horizon * past.mean(), past.std() * np.sqrt(horizon))
        assert quantiles[5, horizon - 1] == pytest.approx(expected)
    session = two.groupby("stock_symbol").cumcount()
    changed = two.assign(close_price=two["close_price"].where(session <= 200, 1.0))
    assert np.array_equal(nhits.quantiles(changed, wanted), quantiles, equal_nan=True)


def test_a_symbol_that_is_too_short_is_not_trained_on(nhits: Nhits, two: pd.DataFrame) -> None:
    session = two.groupby("stock_symbol").cumcount()
    mixed = two[(two["stock_symbol"] == "AAPL") | (session < 70)].reset_index(drop=True)
    nhits.fit(mixed)
    fitted: Any = nhits._fitted
    assert set(fitted.trained["unique_id"]) == {"AAPL"}
    short = first_sessions(two, 70)
    nhits.fit(short)
    assert np.isnan(nhits.quantiles(short, np.ones(len(short), bool))).all()


def test_independent_normal_days_add_up_exactly() -> None:
    days = np.stack([stats.norm.ppf(QUANTILE_LEVELS, mean, sigma) for mean, sigma in ((0.1, 1), (0.2, 2))])
    expected = stats.norm.ppf(QUANTILE_LEVELS, 0.3, np.sqrt(5))
    assert cumulated(days[None])[0, 1] == pytest.approx(expected)
    assert cumulated(days[None])[0, 0] == pytest.approx(days[0])


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "neuralforecast", None)
    with pytest.raises(ForecastError, match="neuralforecast") as error:
        baseline_named("nhits")
    assert "--extra neural" in error.value.todo
