"""`nearcast train` and `nearcast forecast` say what scripts rely on."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from nearcast.cli import cli
from nearcast.errors import ForecastError
from nearcast.forecast import recipes
from nearcast.schema import QUANTILE_LEVELS, SESSIONS_AHEAD
from nearcast.settings import Settings
from tests.forecast.conftest import TINY
from tests.forecast.hudi_table import HudiTable

COMMIT, LATER = "20230925200000000", "20230925200001000"


@pytest.fixture
def environment(mlflow_home: Settings, table: HudiTable, monkeypatch: pytest.MonkeyPatch) -> HudiTable:
    """The home's settings in the environment, and a small network."""
    monkeypatch.setenv("NEARCAST_HOME", str(mlflow_home.home))
    monkeypatch.setenv("NEARCAST_MLFLOW_TRACKING_URI", mlflow_home.need("mlflow_tracking_uri"))
    monkeypatch.setenv("NEARCAST_HUDI_BUCKET", mlflow_home.need("hudi_bucket"))
    monkeypatch.setitem(recipes.RECIPES, "quantile", TINY)
    return table


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=True)


def test_train_then_forecast_print_one_document_with_the_promised_fields(
    environment: HudiTable, all_bars: pd.DataFrame
) -> None:
    two = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX"])].groupby("stock_symbol").head(420)
    environment.commit(COMMIT, two.groupby("stock_symbol").head(419))
    environment.commit(LATER, two)
    trained = run("train", "--symbol", "NFLX", "--commit", COMMIT, "--json")
    report = json.loads(trained.stdout)
    assert set(report) == {
        "run_id",
        "model_version",
        "metrics",
        "commit",
        "training_set_sha256",
        "seconds",
        "promotion",
        "again",
    }
    assert report["promotion"]["decision"] == "promoted"
    assert report["again"] is None
    assert report["commit"] == COMMIT

    one = json.loads(run("forecast", "--symbol", "NFLX", "--json").stdout)
    last = two[two["stock_symbol"] == "NFLX"].iloc[-1]
    assert one["symbol"] == "NFLX"
    assert one["last_close"] == last["close_price"]
    assert one["date"] > str(last["date"].date()) == one["as_of_date"]
    assert list(one["quantiles"]) == [str(level) for level in QUANTILE_LEVELS]
    assert one["commit"] == LATER
    assert [ahead["horizon"] for ahead in one["horizons"]] == list(range(1, SESSIONS_AHEAD + 1))
    assert one["horizons"][0] == {"horizon": 1, "date": one["date"], "quantiles": one["quantiles"]}
    assert one["marks"] == []
    assert one["model_version"].endswith(f"/{report['model_version']}")

    both = json.loads(run("forecast", "--json").stdout)
    assert [document["symbol"] for document in both["forecasts"]] == ["AAPL", "NFLX"]
    assert both["forecasts"][1] == one
    assert both["forecasts"][0]["marks"] == ["the model was not trained on AAPL"]
    assert "Next close" in run("forecast").stdout


def test_an_empty_lake_and_an_unknown_recipe_fail_with_what_to_do(environment: HudiTable) -> None:
    for arguments in (("forecast",), ("train",), ("train", "--recipe", "levels"), ("train", "--recipe", "x")):
        error = run(*arguments).exception
        assert isinstance(error, ForecastError)
        assert error.todo


@pytest.mark.parametrize("command", ["train", "forecast"])
def test_help_has_examples(command: str) -> None:
    assert "Examples:" in run(command, "--help").output
