"""Real daily bars, and a lake of them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nearcast.forecast.model import QuantileForecaster
from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY
from nearcast.forecast.recipes import QUANTILE
from nearcast.forecast.windows import Samples, samples
from nearcast.schema import PRICE_COLUMNS
from nearcast.settings import Settings
from tests.forecast.hudi_table import HudiTable
from tests.lake.folder_s3 import BUCKET, folder_s3

TINY = replace(QUANTILE, channels=(4, 8, 4), hidden=(8, 4), head=4, epochs=1, network_seeds=2)
"""A recipe that is fitted in seconds."""

TRAINED = 600
"""Bars of NFLX that `tiny_forecaster` has learned from."""


@pytest.fixture(scope="session")
def all_bars() -> pd.DataFrame:
    """The bundled prices as bars, by symbol and date; versions count the rows."""
    path = Path(__file__).parents[2] / "data" / "stocks_daily.csv"
    raw = pd.read_csv(path, parse_dates=["date"]).rename(columns={"symbol": "stock_symbol"})
    raw = raw.rename(columns={name.removesuffix("_price"): name for name in PRICE_COLUMNS})
    bars = raw.drop(columns="adjusted").sort_values(["stock_symbol", "date"], ignore_index=True)
    bars["date"] = bars["date"].astype("datetime64[ns]")
    return bars.assign(version=bars.index.to_numpy() + 1)


@pytest.fixture(scope="session")
def netflix(all_bars: pd.DataFrame) -> pd.DataFrame:
    """The 2,699 bars of NFLX."""
    return all_bars[all_bars["stock_symbol"] == "NFLX"].reset_index(drop=True)


@pytest.fixture(scope="session")
def tiny_forecaster(netflix: pd.DataFrame) -> QuantileForecaster:
    """A forecaster of the recipe `TINY`, fitted on the first 600 bars of NFLX; to be read only."""
    return QuantileForecaster.fit(netflix[:TRAINED], TINY)


@pytest.fixture(scope="session")
def tiny_samples(tiny_forecaster: QuantileForecaster, netflix: pd.DataFrame) -> Samples:
    """The samples of the first 900 bars of NFLX, as the forecaster's parts take them; to be read only."""
    made = samples(netflix[:900], TINY.window)
    return made.with_feature(EXPECTED_VOLATILITY, tiny_forecaster.volatility.predict(made.features))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a home of its own, the current folder, with a bucket and the path of an MLflow database."""
    monkeypatch.chdir(tmp_path)  # where MLflow puts the artifacts of such a database
    return Settings(home=tmp_path, hudi_bucket=BUCKET, mlflow_tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")


@pytest.fixture
def mlflow_home(home: Settings, empty_mlflow: Path) -> Settings:
    """As `home`, with the MLflow database there."""
    shutil.copy(empty_mlflow, home.home / "mlflow.db")
    return home


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HudiTable:
    """An empty Hudi table on S3, which is a folder for this test."""
    folder_s3(tmp_path / "s3", monkeypatch)
    return HudiTable(tmp_path / "s3" / "prices")


@pytest.fixture
def lake(home: Settings) -> HudiTable:
    """An empty local copy of the lake in the home."""
    return HudiTable(home.home / "lake" / "prices")
