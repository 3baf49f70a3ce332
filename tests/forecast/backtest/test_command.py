"""`nearcast backtest`: what it prints, and that a stop costs nothing but the folds that ran."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from click.testing import CliRunner, Result

from nearcast.cli import cli
from nearcast.errors import NearcastError
from nearcast.forecast.backtest.bars import csv_bars
from nearcast.forecast.backtest.export import write_export
from nearcast.forecast.backtest.run import Run, walk_forward
from nearcast.settings import Settings
from tests.forecast.backtest import tiny
from tests.forecast.hudi_table import HudiTable

PROMISED = {"name", "mae_ratio", "pinball_ratio", "coverage80", "coverage95"}
LIMIT_S = 60


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["backtest", *arguments])


def without_seconds(document: dict[str, Any]) -> dict[str, Any]:
    models = [{key: value for key, value in one.items() if key != "seconds"} for one in document["models"]]
    return {key: value for key, value in document.items() if key != "seconds"} | {"models": models}


def test_it_judges_the_lake_and_a_csv_file_alike(
    home: Settings,
    lake: HudiTable,
    two: pd.DataFrame,
    prices_csv: Path,
    verdict: dict[str, Any],
    run: Run,
    home_of_run: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEARCAST_HOME", str(home_of_run))  # where these folds are kept already
    models = [f"--model={tiny.HERE}:{name}" for name in ("Normal", "Short", "Leaking")]
    report, export = home.home / "report", home.home / "forecasts.csv"
    options = ["--from=2021-06-01", *models, "--jobs=2", "--json"]
    done = invoke(f"--csv={prices_csv}", f"--export={export}", f"--report={report}", *options)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert set(document["models"][0]) >= PROMISED
    assert set(document["models"][0]["pinball_ratio"]) == {"value", "low", "high"}
    assert document["report"] == str(report / "report.html")
    write_export(run, home.home / "expected.csv")
    assert export.read_bytes() == (home.home / "expected.csv").read_bytes()
    extra = {"exported", "report"}
    assert without_seconds({k: v for k, v in document.items() if k not in extra}) == without_seconds(verdict)

    lake.commit("20230925200000000", two)
    (home.home / "lake").rename(home_of_run / "lake")
    from_lake = invoke(*options)
    assert from_lake.exit_code == 0, from_lake.output
    assert without_seconds(json.loads(from_lake.stdout)) == without_seconds(verdict)
    shown = invoke(f"--csv={prices_csv}", *options[:-1])
    assert "Ratios to last_close, next session" in shown.stdout
    assert "prophet (leaking)" in " ".join(shown.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "happened"),
    [
        (["--symbol=TSLA"], "has no rows of TSLA"),
        (["--symbol=NFLX", "--symbol=TSLA"], "holds no rows of TSLA"),
        (["--model=nonsense"], "no model 'nonsense'"),
        (["--to=2016-01-01"], "no bars up to 2016-01-01"),
        (["--from=2022-01-01", "--to=2021-01-01"], "No session from 2022-01-01 on"),
        (["--from=2017-02-01"], "the first fit needs 300"),
        (["--export=/none/x.csv"], "/none/x.csv cannot be written"),
        (["--report=/proc/none"], "/proc/none cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_do(
    arguments: list[str], happened: str, prices_csv: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARCAST_HOME", str(home.home))
    error = invoke(f"--csv={prices_csv}", *arguments).exception
    assert isinstance(error, NearcastError)
    assert happened in error.happened
    assert error.todo


def test_a_stop_keeps_finished_folds_and_the_rest_gives_the_same_bytes(
    prices_csv: Path, tmp_path: Path
) -> None:
    marker, home = tmp_path / "waits", tmp_path / "home"
    code = "from nearcast.cli import main; main()"
    base = [sys.executable, "-c", code, "backtest", f"--csv={prices_csv}", "--symbol=AAPL"]
    command = [
        *base,
        "--from=2021-06-01",
        "--jobs=1",
        f"--model={tiny.HERE}:Stuck",
        f"--export={tmp_path / 'forecasts.csv'}",
    ]
    environment = os.environ | {"NEARCAST_HOME": str(home), "OPENBLAS_NUM_THREADS": "1"}

    def stop(number: int) -> tuple[int, str]:
        """Start, wait until the fold 2021 runs, send a signal to that process alone; return how it ended."""
        marker.unlink(missing_ok=True)
        waiting = environment | {tiny.WAIT: str(marker)}
        # Whoever starts these tests in the background may have had the signal ignored, which children inherit.
        heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        with subprocess.Popen(
            command, env=waiting, stderr=subprocess.PIPE, text=True, preexec_fn=heed
        ) as process:
            until(lambda: marker.exists() and marker.read_text() != "")
            worker = psutil.Process(int(marker.read_text()))
            process.send_signal(number)
            _, errors = process.communicate(timeout=LIMIT_S)
            until(lambda: not worker.is_running())
        return process.returncode, errors

    ended, said = stop(signal.SIGINT)
    assert ended == 130
    assert "the same command goes on from there" in " ".join(said.split())
    assert "Traceback" not in said
    kept = {path: path.stat().st_mtime_ns for path in home.rglob("*.npz")}
    assert {path.name[:4] for path in kept if "Stuck" in str(path)} == {"2022", "2023"}

    assert stop(signal.SIGKILL)[0] == -signal.SIGKILL
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=LIMIT_S)
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    names, first = [f"{tiny.HERE}:Stuck"], np.datetime64("2021-06-01")
    bars = csv_bars(prices_csv, ["AAPL"], print)
    uninterrupted = walk_forward(tmp_path / "other", bars, names, first)
    write_export(uninterrupted, tmp_path / "expected.csv")
    assert (tmp_path / "forecasts.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
    assert not list(home.rglob("*.tmp"))


def until(true: Any) -> None:
    ends = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)
