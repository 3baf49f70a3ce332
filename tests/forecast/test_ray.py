"""Ray on this machine: loopback only, gone with its owner; two workers fit what one does; a tuning can be resumed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from torch import Tensor, nn

from nearcast.errors import ForecastError
from nearcast.forecast.csv_bars import bars_of_csv
from nearcast.forecast.evaluate import LEVELS, baseline_quantiles
from nearcast.forecast.features import SLOW_VOLATILITY
from nearcast.forecast.fit import Data, fit
from nearcast.forecast.losses import pinball_loss
from nearcast.forecast.neural import (
    NeuralQuantiles,
    Scaler,
    data,
    fit_settings,
    fresh_networks,
    horizon_loss,
    skip_features,
    to_onnx,
)
from nearcast.forecast.range_volatility import EXPECTED_VOLATILITY
from nearcast.forecast.ray_cluster import ray_cluster
from nearcast.forecast.ray_train import fit_with_workers
from nearcast.forecast.recipes import recipe_named
from nearcast.forecast.search_space import configurations
from nearcast.forecast.trial import fit_and_report, tuning_parts
from nearcast.forecast.tune import resume
from nearcast.forecast.windows import samples
from nearcast.settings import Settings
from tests.forecast.small_tune import RECIPE, SPACE

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PRICES = ROOT / "data" / "stocks_daily.csv"
END_S = 20.0
TEST = "2015-01-01"
"""The first day that no trial may see."""


@pytest.fixture(scope="session")
def ray_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home in which a Ray of this machine's own runs."""
    home = tmp_path_factory.mktemp("ray")
    with ray_cluster(home):
        yield home
    assert not [one for one in psutil.Process().children(recursive=True) if of_ray(one)]


def of_ray(process: psutil.Process) -> bool:
    """Tell whether a process is one of Ray's; others are those of other tests' fixtures."""
    with contextlib.suppress(psutil.Error):
        command = " ".join(process.cmdline())
        return command.startswith("ray::") or "/ray/" in command
    return False


def listening(process: psutil.Process) -> set[str]:
    """Return the addresses at which a process listens."""
    with contextlib.suppress(psutil.Error):
        return {one.laddr.ip for one in process.net_connections("inet") if one.status == "LISTEN"}
    return set()


def test_it_listens_on_loopback_alone_and_has_a_token(ray_home: Path) -> None:
    everyone = [psutil.Process(), *psutil.Process().children(recursive=True)]
    assert {process.name() for process in everyone} >= {"gcs_server", "raylet"}
    addresses = set().union(*map(listening, everyone))
    assert addresses and addresses <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert os.environ["RAY_AUTH_MODE"] == "token"


class Witness(nn.Module):
    """A network that keeps its weights in a file of its process whenever it is judged."""

    def __init__(self, network: nn.Module, folder: Path) -> None:
        super().__init__()
        self.network = network
        self.folder = folder

    def forward(self, *inputs: Tensor) -> Any:
        if not self.training:
            weights = nn.utils.parameters_to_vector(self.network.parameters())
            torch.save(weights, self.folder / f"{os.getpid()}.pt")
        return self.network(*inputs)


@pytest.fixture(scope="module")
def two_sets(netflix: pd.DataFrame) -> tuple[Data, Data]:
    """A small set to learn from and one to judge by, with the measured volatility for the expected one."""
    every = samples(netflix[:480], RECIPE.window)
    every = every.with_feature(EXPECTED_VOLATILITY, every.features[SLOW_VOLATILITY].to_numpy())
    # an odd number of rows, so that the last batch cannot be halved
    learn, judge = every.take(np.arange(301)), every.take(np.arange(301, 400))
    scaler = Scaler.fit(skip_features(learn))
    return data(learn, scaler), data(judge, scaler)


def test_two_workers_fit_what_one_process_fits(
    ray_home: Path, two_sets: tuple[Data, Data], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, dropout=0.0, epochs=2, learning_rate=5e-3)
    train, judge = two_sets
    network, loss, settings = (
        fresh_networks(recipe, train)[0],
        horizon_loss(train.targets[0]),
        fit_settings(recipe),
    )
    assert len(train) % 2
    expected = fit(network, loss, train, settings, judge)

    told: list[int] = []
    [shared] = fresh_networks(recipe, train)
    witness = Witness(shared, tmp_path)
    before = nn.utils.parameters_to_vector(shared.parameters()).detach().clone()
    history = fit_with_workers(
        witness, loss, train, settings, judge, 2, ray_home, lambda number, epoch: told.append(number)
    )
    one, other = (torch.load(path) for path in tmp_path.glob("*.pt"))  # two processes, no more
    assert torch.equal(one, other)
    ours = nn.utils.parameters_to_vector(shared.parameters()).detach()
    theirs = nn.utils.parameters_to_vector(network.parameters()).detach()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert not torch.allclose(ours, before, atol=1e-3)
    assert told == [1, 2]
    for mine, plain in zip(history, expected, strict=True):
        assert mine == pytest.approx(plain, rel=1e-4)

    with pytest.raises(ForecastError, match="500 workers"):
        fit_with_workers(shared, loss, train, settings, judge, 500, ray_home)


def environment_of(home: Path) -> dict[str, str]:
    """Return the environment of a command in ``home`` that joins the tests' Ray."""
    import ray

    return os.environ | {
        "NEARCAST_HOME": str(home),
        "NEARCAST_MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db",
        "RAY_ADDRESS": ray.get_runtime_context().gcs_address,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }


def has_ended_trial(home: Path) -> bool:
    """Tell whether the state that a tuning would be resumed from holds a trial that has ended."""
    return any("TERMINATED" in state.read_text() for state in home.glob("tune/*/experiment_state-*.json"))


def test_a_tuning_that_was_killed_is_resumed_and_each_trial_is_one_run(
    ray_home: Path, mlflow_home: Settings
) -> None:
    home = mlflow_home.home
    command = [sys.executable, "-m", "tests.forecast.small_tune", "tune"]
    options = ["--csv", str(PRICES), "--symbol", "NFLX", "--before", TEST]
    options += ["--trials", "3", "--max-epochs", "3", "--seed", "5", "--json"]
    with subprocess.Popen(
        [*command, *options], env=environment_of(home), cwd=home, stdout=subprocess.PIPE, text=True
    ) as killed:
        deadline = time.monotonic() + 120
        while not has_ended_trial(home):
            assert killed.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        killed.kill()
        assert killed.stdout is not None and killed.stdout.read() == ""
    report = asdict(resume(mlflow_home, {RECIPE.name: RECIPE}.__getitem__))

    expected = configurations(replace(RECIPE, epochs=3), SPACE, 3, seed=5)
    assert [trial["config"] for trial in report["trials"]] == expected
    assert report["validation"]["to"] < TEST
    best = min(report["trials"], key=lambda trial: trial["score"])
    assert report["best"] == {
        "config": best["config"],
        "epochs": best["epochs"],
        "run_id": best["run_id"],
        "validation_pinball_ratio": best["score"],
    }
    client = mlflow.MlflowClient(mlflow_home.need("mlflow_tracking_uri"))
    parent = client.get_run(report["run_id"])
    assert parent.info.status == "FINISHED" and parent.data.tags["best_run_id"] == best["run_id"]
    runs = client.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{report['run_id']}'"
    )
    assert {run.info.run_id for run in runs} == {trial["run_id"] for trial in report["trials"]}
    assert {run.info.status for run in runs} == {"FINISHED"}
    once = 0
    for trial in report["trials"]:
        epochs = client.get_metric_history(trial["run_id"], "validation_pinball_ratio")
        assert {epoch.step for epoch in epochs} == set(range(1, trial["epochs"] + 1))
        assert min(epoch.value for epoch in epochs) == pytest.approx(trial["score"])
        once += len(epochs) == trial["epochs"]
        assert client.get_run(trial["run_id"]).data.params["learning_rate"] == str(
            trial["config"]["learning_rate"]
        )
    assert once  # what had ended was not tried again
    with pytest.raises(ForecastError, match="No tuning of this home was stopped"):
        resume(mlflow_home, recipe_named)


def test_a_trials_score_is_its_pinball_loss_beside_the_last_closes(all_bars: pd.DataFrame) -> None:
    """Judged again from what ONNX Runtime answers with the network, on two symbols."""
    two = all_bars[all_bars["stock_symbol"].isin(["AAPL", "NFLX"])].reset_index(drop=True)
    recipe = replace(RECIPE, epochs=1)
    learn, judge, days = tuning_parts(two, recipe, TEST)
    assert learn.date.max() < judge.date.min() <= judge.date.max() < np.datetime64(TEST)
    assert judge.symbol.tolist() == days.symbol.tolist() and judge.date.tolist() == days.date.tolist()
    assert judge.log_return[:, 0] == pytest.approx(days.log_return, rel=1e-9, abs=1e-12)
    reported: list[dict[str, float]] = []
    with pytest.MonkeyPatch.context() as patched:
        import ray.tune

        patched.setattr(ray.tune, "report", reported.append)
        fit_and_report({"configuration": {}}, two, recipe, TEST)

    scaler = Scaler.fit(skip_features(learn))
    train = data(learn, scaler)
    [network] = fresh_networks(recipe, train)
    fit(network, horizon_loss(train.targets[0]), train, fit_settings(recipe))
    part = NeuralQuantiles(scaler, to_onnx([network], recipe, skip_features(learn).shape[1]))
    mine = pinball_loss(judge.log_return[:, 0], part.quantiles(judge)[:, 0], LEVELS).mean()
    every = baseline_quantiles(two, np.ones(len(two), bool))
    judged = two["date"].isin(pd.to_datetime(judge.date)).to_numpy()
    base = pinball_loss(judge.log_return[:, 0], every[judged], LEVELS).mean()
    assert reported[0]["validation_pinball_ratio"] == pytest.approx(mine / base, rel=1e-5)


def test_days_from_the_test_on_reach_no_trial(netflix: pd.DataFrame) -> None:
    other = netflix.copy()
    other.loc[other["date"] >= TEST, ["open_price", "high_price", "low_price", "close_price"]] *= 3
    for mine, theirs in zip(*(tuning_parts(bars, RECIPE, TEST) for bars in (netflix, other)), strict=True):
        for field, values in vars(mine).items():
            np.testing.assert_array_equal(values, vars(theirs)[field], field)
    with pytest.raises(ForecastError, match="300 days"):
        tuning_parts(netflix, RECIPE, "2014-01-01")


def test_a_ray_of_its_own_ends_with_its_owner_and_what_it_left_is_removed(tmp_path: Path) -> None:
    home = Path("/tmp") / f"nc-{os.getpid()}"  # short enough to hold Ray's sockets
    code = (
        "import sys, time; from pathlib import Path; from nearcast.forecast.ray_cluster import ray_cluster\n"
        "with ray_cluster(Path(sys.argv[1])): print('up', flush=True); time.sleep(float(sys.argv[2]))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment["PYTHONPATH"] = str(ROOT / "src")

    def start(seconds: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, str(home), seconds]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    with start("600") as owner:
        assert owner.stdout is not None and owner.stdout.readline() == "up\n"
        family = psutil.Process(owner.pid).children(recursive=True)
        owner.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=END_S)
    assert family and not alive
    assert [folder.name for folder in (home / "ray").iterdir()] == [str(owner.pid)]
    with start("0") as owner:
        assert owner.wait(timeout=60) == 0
    assert not list((home / "ray").iterdir())
    (home / "ray").rmdir()
    home.rmdir()


def test_a_csv_file_gives_the_bars_that_the_lake_holds(netflix: pd.DataFrame, tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(
        bars_of_csv(PRICES, ["NFLX"]), netflix.drop(columns="version"), check_like=True
    )
    broken = tmp_path / "broken.csv"
    broken.write_text("Date,Open,High,Low,Close,Volume,Symbol\n2020-01-02,1,2,0.5,x,10,AB\n")
    with pytest.raises(ForecastError, match="line 2"):
        bars_of_csv(broken)
