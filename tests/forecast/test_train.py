"""A training leaves a model whose forecasts are the same after storing, and a verdict on later days."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch

from nearcast.errors import ForecastError
from nearcast.forecast.champion_state import champion_state
from nearcast.forecast.losses import pinball_loss
from nearcast.forecast.model import QuantileForecaster
from nearcast.forecast.recipes import QUANTILE, recipe_named
from nearcast.forecast.reference import measure
from nearcast.forecast.registry import CHAMPION_MODEL, load_champion
from nearcast.forecast.service import forecast_next
from nearcast.forecast.train import fit_and_judge, train
from nearcast.forecast.windows import chronological_split, samples
from nearcast.schema import PRICE_COLUMNS, QUANTILE_COLUMNS
from nearcast.settings import Settings
from tests.forecast.hudi_table import HudiTable

COMMIT = "20230925200000000"
SMALL = replace(QUANTILE, channels=(4, 8, 4), hidden=(8, 4), head=4, epochs=2)


def test_a_run_is_registered_and_its_champion_forecasts_what_the_logged_model_says(
    mlflow_home: Settings, table: HudiTable, netflix: pd.DataFrame
) -> None:
    with pytest.raises(ForecastError, match="no champion"):
        load_champion(mlflow_home)
    assert champion_state(mlflow_home) is None
    table.commit(COMMIT, netflix[:800])
    report = train(mlflow_home, SMALL, ["NFLX"])

    run = mlflow.get_run(report.run_id)
    assert run.data.tags["hudi_commit"] == report.commit == COMMIT
    assert run.data.tags["training_set_sha256"] == report.training_set_sha256
    assert run.data.params["symbols"] == "1"
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/symbols.txt") == "NFLX"
    assert run.data.metrics["pinball_ratio"] == report.metrics["pinball_ratio"]
    names = {file.path for file in mlflow.MlflowClient().list_artifacts(report.run_id)}
    assert {"fan.png", "calibration.png", "training.png"} <= names
    assert run.inputs.dataset_inputs[0].dataset.name == f"prices@{COMMIT}"

    champion = load_champion(mlflow_home)
    assert champion.model_version == f"{CHAMPION_MODEL}/{report.model_version}"
    [forecast] = forecast_next(netflix[:800], champion)
    served = mlflow.pyfunc.load_model(f"models:/{CHAMPION_MODEL}@champion").predict(netflix[:800])
    assert served[list(QUANTILE_COLUMNS)].iloc[0].tolist() == pytest.approx(forecast.quantiles)
    assert served["horizon"].tolist() == [1]
    assert load_champion(mlflow_home) == champion  # the same forecaster: downloaded once
    assert champion.symbols == frozenset({"NFLX"})
    assert forecast.marks == ()
    state = champion_state(mlflow_home)
    assert state is not None and state.version == champion.model_version
    assert state.reference == measure(netflix[:800])
    assert {"reference.json"} <= names


def test_a_stored_forecaster_answers_bit_by_bit_as_before(netflix: pd.DataFrame, tmp_path: Path) -> None:
    forecaster = fit_and_judge(netflix[:800], SMALL).forecaster
    forecaster.save(tmp_path)
    again = QuantileForecaster.load(tmp_path)
    assert again.recipe == forecaster.recipe
    assert again.predict(netflix[:900]).tolist() == forecaster.predict(netflix[:900]).tolist()


def test_the_same_seed_gives_the_same_weights(netflix: pd.DataFrame) -> None:
    first, second = (fit_and_judge(netflix[:600], SMALL).forecaster.network for _ in range(2))
    for mine, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_the_fit_keeps_the_weights_of_its_best_epoch_and_learns(netflix: pd.DataFrame) -> None:
    recipe, bars = replace(SMALL, epochs=4, learning_rate=1e-2), netflix[:1500]
    fitted = fit_and_judge(bars, recipe)
    train_losses = [epoch["train_loss"] for epoch in fitted.history]
    losses = [epoch["validation_loss"] for epoch in fitted.history]
    assert train_losses[-1] < train_losses[0]
    assert min(losses) not in (losses[0], losses[-1])  # or this test would say nothing
    everything = samples(bars, recipe)
    judge = everything.take(chronological_split(everything.date, recipe.train, recipe.validation)[1])
    quantiles = fitted.forecaster.log_return_quantiles(judge) / judge.scale[:, None]
    loss = pinball_loss(judge.log_return / judge.scale, quantiles, np.array(recipe.levels)).mean()
    assert loss == pytest.approx(min(losses), rel=1e-5)


def test_days_after_the_training_part_do_not_reach_the_fit(netflix: pd.DataFrame) -> None:
    """With another future, the weights after each epoch are the same: only the choice of epoch may differ."""
    recipe = replace(SMALL, epochs=1)
    other = netflix.copy()
    later = other.index > 0.95 * len(other)
    other.loc[later, list(PRICE_COLUMNS)] *= 1.5
    mine, theirs = fit_and_judge(netflix, recipe), fit_and_judge(other, recipe)
    assert torch.equal(mine.forecaster.network.output.weight, theirs.forecaster.network.output.weight)
    assert mine.forecaster.scaler == theirs.forecaster.scaler


def test_a_forecast_uses_nothing_after_its_day_and_lies_around_the_last_close(netflix: pd.DataFrame) -> None:
    forecaster = fit_and_judge(netflix[:800], SMALL).forecaster
    [quantiles] = forecaster.predict(netflix[:1000])
    last_close = float(netflix["close_price"].iloc[999])
    assert (np.diff(quantiles) > 0).all()
    assert quantiles[0] < last_close < quantiles[-1]
    assert quantiles / last_close == pytest.approx(1.0, abs=0.2)


def test_too_little_history_an_unknown_recipe_and_a_silent_mlflow_are_named(
    home: Settings, netflix: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ForecastError, match="300 days"):
        fit_and_judge(netflix[:200], SMALL)
    with pytest.raises(ForecastError, match="no recipe 'other'"):
        recipe_named("other")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    silent = home.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
    with pytest.raises(ForecastError, match="MLflow at"):
        train(silent, SMALL)
