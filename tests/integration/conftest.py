"""One world for the tests of the whole path: a home of its own, in which a demonstration has run."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

PRICES = Path(__file__).parents[2] / "data" / "stocks_daily.csv"
ROWS, LIVE_ROWS = 400, 6


class World:
    """A home of its own, and the command line in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "NEARCAST_HOME": str(home)}

    def run(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a command with --json, check its exit code, and return its document."""
        command = [sys.executable, "-c", "from nearcast.cli import main; main()", *arguments, "--json"]
        done = subprocess.run(
            command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr[-3000:]
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def processes(self) -> list[str]:
        """Return the command lines of the processes that live in this home."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("NEARCAST_HOME") == str(self.home):
                    found.append(" ".join(process.cmdline()))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found


def expected_rows(symbol: str = "NFLX", rows: int = ROWS) -> list[dict[str, str]]:
    """Return the newest rows of a symbol in the bundled file."""
    with PRICES.open() as stream:
        return [row for row in csv.DictReader(stream) if row["symbol"] == symbol][-rows:]


def demo(world: World, csv_file: Path) -> dict[str, Any]:
    """Run the demonstration on a file and return its report; the file's bad row makes its exit code 1."""
    options = ("--csv", str(csv_file), "--symbol", "NFLX", "--live-rows", str(LIVE_ROWS), "--exit")
    return world.run("demo", *options, code=1)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world, stopped at the end."""
    world = World(tmp_path_factory.mktemp("home"))
    yield world
    world.run("down")
    assert world.processes() == []


@pytest.fixture(scope="session")
def csv_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's file: columns in another order and case, one bad row among the good ones."""
    path = tmp_path_factory.mktemp("csv") / "mine.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["Volume", "DATE", "Close", "open", "High", "low"])
        for row in expected_rows():
            names = ("volume", "date", "close", "open", "high", "low")
            writer.writerow([row[name] for name in names])
        writer.writerow(["10", "2023-09-22", "1", "1", "0.5", "2"])
    return path


@pytest.fixture(scope="session")
def report(world: World, csv_file: Path) -> dict[str, Any]:
    """The report of a demonstration on that file."""
    return demo(world, csv_file)
