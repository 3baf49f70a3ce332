"""A run is made again from its id and the lake alone: the same recipe, symbols and rows, the same metrics."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from click.testing import CliRunner

from nearcast.cli import cli
from nearcast.errors import ForecastError
from nearcast.forecast import registry
from nearcast.forecast.again import git_revision, origin
from nearcast.forecast.train import train, train_again
from nearcast.forecast.training_set import sha256
from nearcast.settings import Settings
from tests.forecast.conftest import TINY
from tests.forecast.hudi_table import HudiTable

COMMIT, LATER = "20230925200000000", "20230925200001000"
OTHER = replace(TINY, seed=7, window=40)
"""None of the recipes that have a name."""


def test_a_run_made_again_has_the_same_metrics_to_the_bit_and_is_not_promoted(
    mlflow_home: Settings,
    table: HudiTable,
    all_bars: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX"])].groupby("stock_symbol").head(420)
    table.commit(COMMIT, two)
    first = train(mlflow_home, OTHER, ["NFLX"])
    table.commit(LATER, two.assign(close_price=two["close_price"] * 1.01))

    fresh = mlflow_home.model_copy(update={"home": tmp_path / "fresh"})
    monkeypatch.setenv("NEARCAST_HOME", str(fresh.home))
    monkeypatch.setenv("NEARCAST_MLFLOW_TRACKING_URI", mlflow_home.need("mlflow_tracking_uri"))
    monkeypatch.setenv("NEARCAST_HUDI_BUCKET", mlflow_home.need("hudi_bucket"))
    with monkeypatch.context() as other:
        installed = registry.packages() | {"torch": "1.0"}
        other.setattr(registry, "packages", lambda: installed)
        result = CliRunner().invoke(cli, ["train", "--again", first.run_id, "--json"])
    again = json.loads(result.stdout)
    assert again["run_id"] != first.run_id
    assert again["metrics"] == first.metrics
    assert (again["commit"], again["training_set_sha256"]) == (COMMIT, first.training_set_sha256)
    assert again["again"] == {
        "run_id": first.run_id,
        "metrics": {},
        "packages": {"torch": [registry.packages()["torch"], "1.0"]},
    }
    assert again["promotion"]["decision"] == "challenger"
    assert again["promotion"]["ratio"] == 1.0
    assert mlflow.get_run(again["run_id"]).data.tags["again_of"] == first.run_id
    kept = origin(fresh, first.run_id)
    assert (kept.recipe, kept.symbols) == (OTHER, ("NFLX",))
    assert CliRunner().invoke(cli, ["train", "--again", "x", "--symbol", "NFLX"]).exit_code == 2

    monkeypatch.setattr("nearcast.forecast.training_set.sha256", lambda rows: sha256(rows)[::-1])
    with pytest.raises(ForecastError, match="are not those of run"):
        train_again(mlflow_home, first.run_id)
    with pytest.raises(ForecastError, match="failed"):
        train_again(mlflow_home, "0" * 32)
    with mlflow.start_run() as other_run:
        pass
    with pytest.raises(ForecastError, match=r"it has no recipe\.json, symbols\.txt"):
        train_again(mlflow_home, other_run.info.run_id)


def test_the_revision_is_that_of_the_repository_that_holds_the_file(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    installed, code = tmp_path / "installed.py", tmp_path / "code.py"
    code.write_text("")
    assert git_revision(code) is None
    git("init")
    git("add", "code.py")
    git("commit", "-m", "code")
    installed.write_text("")
    assert git_revision(code) == git("rev-parse", "HEAD")
    assert git_revision(installed) is None
