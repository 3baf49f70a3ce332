"""The champion's cards: what MLflow and the drift signs say; their absence is said, never waited for."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nearcast.dashboard.champion import Champion, champion_html, read_champion, signs_html
from nearcast.forecast.drift import Sign, champion_signs
from nearcast.forecast.reference import FILE, measure
from nearcast.forecast.registry import CHAMPION_ALIAS, CHAMPION_MODEL
from nearcast.schema import PRICE_COLUMNS
from nearcast.settings import Settings
from tests.conftest import free_port
from tests.dashboard.conftest import World

PROMOTED = datetime(2024, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def mlflow_settings(tmp_path: Path, empty_mlflow: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an MLflow database without models."""
    monkeypatch.chdir(tmp_path)  # where MLflow puts the artifacts of such a database
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    return Settings(home=tmp_path, mlflow_tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")


def register(settings: Settings, prices: pd.DataFrame) -> Any:
    """Register a champion that was trained on ``prices``; return its version as MLflow has it."""
    import mlflow

    client = mlflow.MlflowClient(settings.need("mlflow_tracking_uri"))
    names = {name.removesuffix("_price"): name for name in PRICE_COLUMNS}
    bars = prices.rename(columns={"symbol": "stock_symbol", **names})
    bars["date"] = pd.to_datetime(bars["date"])
    run = client.create_run("0").info.run_id
    client.log_dict(run, measure(bars).document(), FILE)
    client.create_registered_model(CHAMPION_MODEL)
    made = client.create_model_version(CHAMPION_MODEL, "nowhere", run)
    client.set_model_version_tag(CHAMPION_MODEL, made.version, "decided_at", PROMOTED.isoformat())
    client.set_registered_model_alias(CHAMPION_MODEL, CHAMPION_ALIAS, made.version)
    return made


def test_version_times_and_signs_are_those_of_mlflow_and_of_the_drift_check(
    world: World, mlflow_settings: Settings
) -> None:
    assert read_champion(mlflow_settings, world.reader_dsn) == Champion()
    made = register(mlflow_settings, world.prices)
    found = read_champion(mlflow_settings, world.reader_dsn)
    trained = datetime.fromtimestamp(made.creation_timestamp / 1000, UTC)
    assert (found.version, found.trained_at, found.promoted_at) == (f"{CHAMPION_MODEL}/1", trained, PROMOTED)
    assert list(found.signs) == champion_signs(mlflow_settings, world.reader_dsn)
    assert {sign.name for sign in found.signs} > {"pinball_ratio", "coverage80", "outcomes"}
    shown = champion_html(found)
    assert f"trained {trained:%d %b %Y %H:%M} UTC" in shown and "promoted 03 Feb 2024 04:05 UTC" in shown
    assert f"0 of {len(found.signs)} signs could be judged" in shown


def test_without_postgresql_the_champion_is_still_named(mlflow_settings: Settings, world: World) -> None:
    register(mlflow_settings, world.prices)
    found = read_champion(mlflow_settings, f"postgresql://nobody:none@127.0.0.1:{free_port()}/nearcast")
    assert found.version == f"{CHAMPION_MODEL}/1" and "cannot be reached" in found.problem
    assert f"{CHAMPION_MODEL}/1" in champion_html(found) and "cannot be reached" in champion_html(found)


def test_mlflow_that_is_away_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = f"http://127.0.0.1:{free_port()}"
    found = read_champion(Settings(mlflow_tracking_uri=uri), world.reader_dsn)
    assert f"MLflow at {uri} failed" in found.problem and "nearcast up" in found.problem
    assert "MLflow at" in champion_html(found)
    assert "mlflow" in read_champion(Settings(), world.reader_dsn).problem.lower()


def test_drifted_signs_are_counted_and_said_in_words() -> None:
    signs = (
        Sign("coverage80", 0.5, 0.8, True, "50.0% of <100> outcomes within the 80 % band"),
        Sign("outcomes", 0.01, 0.1, False, "as promised"),
        Sign("log_volume", None, 0.1, False, "prices of 3 days: too few yet"),
    )
    shown = champion_html(Champion("m/1", PROMOTED, PROMOTED, signs))
    assert "1 of 2 signs" in shown and "of &lt;100&gt; outcomes" in shown and "as promised" not in shown
    assert signs_html(signs).count(">drifted<") == 1 and "as promised" in signs_html(signs)
    steady = champion_html(Champion("m/1", PROMOTED, None, signs[1:]))
    assert ">none<" in steady and "1 of 2 signs could be judged" in steady and "a time not noted" in steady
    assert "nearcast train" in champion_html(Champion())
