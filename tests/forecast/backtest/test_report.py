"""The report says what the verdict says, and needs nothing beside it."""

from __future__ import annotations

import base64
import json
import re
import struct
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nearcast.forecast.backtest.claims import claims
from nearcast.forecast.backtest.losses import common
from nearcast.forecast.backtest.mlflow_log import EXPERIMENT, log_backtest
from nearcast.forecast.backtest.report.through_time import coverage_through_time, cumulative_gain
from nearcast.forecast.backtest.report.write import write_report
from nearcast.forecast.backtest.run import Run
from nearcast.forecast.tracking import connect
from nearcast.settings import Settings

PICTURES = {
    "calibration",
    "correlation",
    "coverage",
    "fan",
    "gain",
    "horizons",
    "ratios",
    "residuals",
    "returns",
    "training-normal",
    "training-prophet",
    "training-short",
}
VOID = {"meta", "img"}


class WellFormed(HTMLParser):
    """Fails when an element is closed that is not the innermost open one."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def folder(run: Run, verdict: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The written report."""
    path = tmp_path_factory.mktemp("report")
    write_report(run, verdict, path)
    return path


def size(png: bytes) -> tuple[int, int]:
    """Return the width and height of a PNG (its IHDR chunk)."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_the_html_holds_its_figures_and_every_sentence(folder: Path, verdict: dict[str, Any]) -> None:
    page = (folder / "report.html").read_text()
    parser = WellFormed()
    parser.feed(page)
    assert parser.open == []
    figures = [base64.b64decode(data) for data in re.findall(r'src="data:image/png;base64,([^"]+)"', page)]
    files = {path.stem: path.read_bytes() for path in (folder / "figures").iterdir()}
    assert set(files) == PICTURES
    assert sorted(figures) == sorted(files.values())
    assert all(width > 1_000 and height > 250 for width, height in map(size, figures))
    assert not re.search(r'(src|href)="(?!data:)', page)
    text = unescape(page)
    assert all(sentence in text for sentence in claims(verdict))
    for model in verdict["models"]:
        ratio = model["pinball_ratio"]
        assert f"[{ratio['low']:.3f}, {ratio['high']:.3f}]" in text


def test_the_markdown_links_to_its_figures_and_its_tables_are_whole(folder: Path) -> None:
    text = (folder / "report.md").read_text()
    links = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert {Path(link).stem for link in links} == PICTURES
    assert all((folder / link).is_file() for link in links)
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 8
    for table in tables:
        cells = {len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1


def test_a_model_that_saw_the_future_is_marked_wherever_it_appears(folder: Path) -> None:
    page = re.sub(r'src="[^"]*"', "", (folder / "report.html").read_text())
    markdown = re.sub(r"\]\([^)]*\)", "", (folder / "report.md").read_text())
    for text in (page, markdown):
        assert text.count("prophet") == text.count("prophet (leaking)") > 5


def test_the_lines_of_the_loss_saved_end_at_one_less_the_ratio(run: Run, verdict: dict[str, Any]) -> None:
    one = common(run, 2)  # both symbols on every day, so that daily means add up to the pooled loss
    figure = cumulative_gain(run, one, {name: name for name in one.losses})
    ratios = {model["name"]: model["pinball_ratio"]["value"] for model in verdict["by_horizon"][1]["models"]}
    ends = {line.get_label(): line.get_ydata()[-1] for line in figure.axes[0].get_lines()}
    for name, ratio in ratios.items():
        assert ends[name] == pytest.approx(1 - ratio, abs=2e-4)


def test_the_lowest_point_of_the_coverage_is_the_worst_that_is_reported(
    run: Run, verdict: dict[str, Any]
) -> None:
    model = next(one for one in verdict["models"] if one["name"] == "last_close")
    figure = coverage_through_time(run, common(run, 1), "last_close", "last_close")
    for axes, percent in zip(figure.axes, (80, 95), strict=True):
        lines = [line for line in axes.get_lines() if len(line.get_xdata()) > 2]
        lowest = min(np.min(line.get_ydata()) for line in lines)
        assert lowest == model[f"worst_coverage{percent}"]["value"]


def test_a_backtest_is_a_run_of_mlflow(
    run: Run, verdict: dict[str, Any], folder: Path, mlflow_home: Settings
) -> None:
    run_id = log_backtest(mlflow_home, verdict, folder)
    client = connect(mlflow_home)
    logged = client.get_run(run_id)
    assert client.get_experiment(logged.info.experiment_id).name == EXPERIMENT
    for model in verdict["models"]:
        name = "prophet _leaking_" if model["leaking"] else model["name"]
        assert logged.data.metrics[f"{name}.pinball_ratio_high"] == model["pinball_ratio"]["high"]
        assert logged.data.metrics[f"{name}.coverage95"] == model["coverage95"]
    assert logged.data.tags["leaking"] == "prophet"
    stored = Path(client.download_artifacts(run_id, "verdict.json"))
    assert json.loads(stored.read_text()) == verdict
    assert {file.path for file in client.list_artifacts(run_id, "report")} == {
        "report/figures",
        "report/report.html",
        "report/report.md",
    }
