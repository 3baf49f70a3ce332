"""A training leaves a model whose forecasts are the same after storing, and a verdict on later days."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, mean_pinball_loss  # type: ignore[import-untyped]

from nearcast.errors import ForecastError
from nearcast.forecast.baselines import last_close_bands
from nearcast.forecast.champion_state import champion_state
from nearcast.forecast.recipes import recipe_named
from nearcast.forecast.reference import measure
from nearcast.forecast.registry import CHAMPION_MODEL, load_champion, load_forecaster
from nearcast.forecast.scale_mixture import SCALE_FEATURES
from nearcast.forecast.service import forecast_next
from nearcast.forecast.train import Fitted, fit_and_judge, train
from nearcast.schema import PRICE_COLUMNS, QUANTILE_COLUMNS, QUANTILE_LEVELS, SESSIONS_AHEAD
from nearcast.settings import Settings
from tests.forecast.conftest import TINY
from tests.forecast.hudi_table import HudiTable

COMMIT = "20230925200000000"
BARS, LEARNED = 500, 450
"""Bars of NFLX, and those of them before the test."""


@pytest.fixture(scope="module")
def fitted(netflix: pd.DataFrame) -> Fitted:
    """A fit on the first 450 of 500 bars."""
    return fit_and_judge(netflix[:BARS], TINY)


def test_a_run_is_registered_and_its_champion_forecasts_what_the_logged_model_says(
    mlflow_home: Settings, table: HudiTable, netflix: pd.DataFrame
) -> None:
    with pytest.raises(ForecastError, match="no champion"):
        load_champion(mlflow_home)
    assert champion_state(mlflow_home) is None
    table.commit(COMMIT, netflix[:BARS])
    report = train(mlflow_home, TINY, ["NFLX"])

    run = mlflow.get_run(report.run_id)
    assert run.data.tags["hudi_commit"] == report.commit == COMMIT
    assert run.data.tags["training_set_sha256"] == report.training_set_sha256
    assert run.data.params["symbols"] == "1"
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/symbols.txt") == "NFLX"
    assert run.data.metrics["pinball_ratio"] == report.metrics["pinball_ratio"]
    epochs = mlflow.MlflowClient().get_metric_history(report.run_id, "epoch_train_loss")
    assert len(epochs) == TINY.epochs * TINY.network_seeds
    names = {file.path for file in mlflow.MlflowClient().list_artifacts(report.run_id)}
    assert {"fan.png", "calibration.png", "training.png"} <= names
    assert run.inputs.dataset_inputs[0].dataset.name == f"prices@{COMMIT}"

    champion = load_champion(mlflow_home)
    assert champion.model_version == f"{CHAMPION_MODEL}/{report.model_version}"
    forecasts = forecast_next(netflix[:BARS], champion)
    served = mlflow.pyfunc.load_model(f"models:/{CHAMPION_MODEL}@champion").predict(netflix[:BARS])
    mine = np.array([forecast.quantiles for forecast in forecasts])
    assert served[list(QUANTILE_COLUMNS)].to_numpy() == pytest.approx(mine)
    assert served["horizon"].tolist() == list(range(1, SESSIONS_AHEAD + 1))
    assert load_champion(mlflow_home) == champion  # the same forecaster: downloaded once
    assert champion.symbols == frozenset({"NFLX"})
    assert {forecast.marks for forecast in forecasts} == {()}
    state = champion_state(mlflow_home)
    assert state is not None and state.version == champion.model_version
    assert state.reference == measure(netflix[:BARS])
    assert {"reference.json"} <= names


def test_a_file_of_report_dates_is_logged_with_the_run_and_reaches_the_features(
    mlflow_home: Settings, table: HudiTable, netflix: pd.DataFrame, tmp_path: Path
) -> None:
    days = netflix["date"].to_numpy().astype("datetime64[D]")
    past, announced = days[60:BARS:63], days[BARS]
    dates = tmp_path / "reports.csv"
    rows = [f"NFLX,{day}" for day in [*past, announced]] + ["AAPL,2014-01-02"]
    dates.write_text("\n".join(["symbol,date", *rows]))
    table.commit(COMMIT, netflix[:BARS])
    report = train(mlflow_home.model_copy(update={"report_dates": dates}), TINY)

    uri = mlflow.get_run(report.run_id).info.artifact_uri
    logged = mlflow.artifacts.load_dict(f"{uri}/report_dates.json")
    assert logged == {"NFLX": [str(day) for day in [*past, announced]], "AAPL": ["2014-01-02"]}
    forecaster = load_forecaster(CHAMPION_MODEL, report.model_version)
    assert {symbol: known.tolist() for symbol, known in forecaster.schedule.items()} == {
        "NFLX": [*past.tolist(), announced.item()],
        "AAPL": [pd.Timestamp("2014-01-02").date()],
    }
    # what the networks saw of the calendar: no kernels of inferred days, the days of the file as they are
    kernels = forecaster.neural.scaler.mean[len(SCALE_FEATURES) : len(SCALE_FEATURES) + 9]
    learned = days[59 : LEARNED - 1]
    tomorrow = np.isin(days[60:LEARNED], past)
    assert kernels[:8].tolist() == [0.0] * 8
    assert kernels[8] == pytest.approx(tomorrow.sum() / len(learned)) and tomorrow.any()

    # a report is announced for the next session
    unaware = replace(forecaster, schedule={"NFLX": past})
    told, untold = (np.ptp(model.predict(netflix[:BARS])[0]) for model in (forecaster, unaware))
    assert told > untold


def test_the_verdict_is_that_of_the_days_after_the_training(fitted: Fitted, netflix: pd.DataFrame) -> None:
    closes = netflix["close_price"].to_numpy(float)[:BARS]
    days = netflix["date"].to_numpy().astype("datetime64[D]")
    assert fitted.forecaster.trained_until == days[LEARNED - 1].item()
    assert fitted.test.date.tolist() == days[LEARNED - 1 : BARS - 1].tolist()
    returns = np.diff(np.log(closes))
    actual, bands = returns[LEARNED - 1 :], last_close_bands(returns)[LEARNED - 2 : -1]
    days_asked = np.arange(BARS) >= LEARNED - 1
    quantiles = fitted.forecaster.quantiles(netflix[:BARS], days_asked)[:-1, 0]

    def loss(forecasts: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        levels = enumerate(QUANTILE_LEVELS)
        return float(np.mean([mean_pinball_loss(actual, forecasts[:, k], alpha=a) for k, a in levels]))

    metrics = fitted.metrics
    assert metrics["test_days"] == len(actual) == BARS - LEARNED
    assert metrics["pinball_loss"] == pytest.approx(loss(quantiles))
    assert metrics["pinball_ratio"] == pytest.approx(loss(quantiles) / loss(bands))
    still = mean_absolute_error(actual, np.zeros(len(actual)))
    assert metrics["mae_ratio"] == pytest.approx(mean_absolute_error(actual, quantiles[:, 3]) / still)
    inside = (quantiles[:, 1] <= actual) & (actual <= quantiles[:, 5])
    assert metrics["coverage80"] == inside.mean()


def test_days_after_the_training_part_do_not_reach_the_fit_and_the_same_days_give_the_same(
    fitted: Fitted, netflix: pd.DataFrame, tmp_path: Path
) -> None:
    other = netflix[:BARS].copy()
    other.loc[LEARNED:, [*PRICE_COLUMNS, "volume"]] *= 1.5
    again = fit_and_judge(other, TINY)
    fitted.forecaster.save(tmp_path / "one")
    again.forecaster.save(tmp_path / "other")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) == 5
    for name in files:
        mine, theirs = ((tmp_path / folder / name).read_bytes() for folder in ("one", "other"))
        assert mine == theirs, name
    assert again.history == fitted.history
    assert again.metrics != fitted.metrics


def test_too_little_history_an_unknown_recipe_and_a_silent_mlflow_are_named(
    home: Settings, netflix: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ForecastError, match="300 days"):
        fit_and_judge(netflix[:200], TINY)
    with pytest.raises(ForecastError, match="no recipe 'other'"):
        recipe_named("other")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    silent = home.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
    with pytest.raises(ForecastError, match="MLflow at"):
        train(silent, TINY)
