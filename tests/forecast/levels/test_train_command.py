"""`nearcast train --recipe levels` says where its figures leak, and leaves the champion alone."""

from __future__ import annotations

import json

import mlflow
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from nearcast.cli import cli
from nearcast.errors import ForecastError
from nearcast.forecast.levels import recipe
from nearcast.forecast.levels.train import REGISTERED_MODEL
from nearcast.forecast.registry import load_champion
from nearcast.forecast.tracking import connect
from nearcast.settings import Settings
from tests.forecast.hudi_table import HudiTable

COMMIT = "20230925200000000"


@pytest.fixture
def environment(mlflow_home: Settings, table: HudiTable, monkeypatch: pytest.MonkeyPatch) -> HudiTable:
    """The home's settings in the environment."""
    monkeypatch.setenv("NEARCAST_HOME", str(mlflow_home.home))
    monkeypatch.setenv("NEARCAST_MLFLOW_TRACKING_URI", mlflow_home.need("mlflow_tracking_uri"))
    monkeypatch.setenv("NEARCAST_HUDI_BUCKET", mlflow_home.need("hudi_bucket"))
    return table


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["train", *arguments], catch_exceptions=False)


def test_a_leaking_run_says_so_wherever_its_figures_appear_and_is_no_champion(
    environment: HudiTable, mlflow_home: Settings, netflix: pd.DataFrame
) -> None:
    environment.commit(COMMIT, netflix[:260])
    options = ("--recipe", "levels", "--epochs", "1", "--split", recipe.SHUFFLED)
    report = json.loads(run(*options, "--symbol", "NFLX", "--json").stdout)
    assert (report["split"], report["leaking"], report["commit"]) == ("shuffled", True, COMMIT)
    assert all(name.startswith("leaking_") for name in report["metrics"])
    assert report["metrics"]["leaking_mae_ratio"] > 0

    logged = mlflow.get_run(report["run_id"])
    assert logged.info.run_name == "levels (LEAKING)"
    assert (logged.data.tags["split"], logged.data.tags["leaking"]) == ("shuffled", "true")
    assert logged.data.tags["training_set_sha256"] == report["training_set_sha256"]
    assert logged.data.params["epochs"] == "1"
    assert {name for name in logged.data.metrics if "mae" in name} == {
        f"leaking_{name}" for name in ("mae", "mae_ratio", "mae_ratio_low", "mae_ratio_high")
    }
    names = {file.path for file in mlflow.MlflowClient().list_artifacts(report["run_id"])}
    assert {"forecasts.png", "errors.png", "training.png", "symbols.txt"} <= names

    version = connect(mlflow_home).get_model_version(REGISTERED_MODEL, report["model_version"])
    assert (version.tags["leaking"], version.aliases) == ("true", [])
    with pytest.raises(ForecastError, match="no champion"):
        load_champion(mlflow_home)
    model = mlflow.pyfunc.load_model(f"models:/{REGISTERED_MODEL}/{report['model_version']}")
    assert model.input_example is not None
    assert model.metadata.signature.outputs.input_names() == ["stock_symbol", "as_of_date", "close_price"]
    answer = model.predict(netflix[:260])
    forecaster = model.unwrap_python_model().forecaster
    windows = forecaster.windows(netflix[:260])
    assert answer["close_price"].tolist() == forecaster.next_closes(windows.take(np.array([-1]))).tolist()
    assert answer["as_of_date"].tolist() == [netflix["date"].iloc[259]]

    printed = run(*options).stdout
    assert "LEAKING (shuffled split)" in " ".join(printed.split())
    assert "leaking_price_r2" in printed


def test_its_options_belong_to_no_other_recipe(environment: HudiTable) -> None:
    for option in (("--split", "shuffled"), ("--epochs", "2")):
        result = CliRunner().invoke(cli, ["train", *option])
        assert result.exit_code == 2
        assert "belong to the recipe levels" in result.output
