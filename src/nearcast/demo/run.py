"""The demonstration's stages, each timed: services, prices, history, lake, model, live rows, report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from nearcast.demo import report
from nearcast.demo.orchestrated import hold_back, publish_by_airflow, wait_for_dag
from nearcast.demo.steps import Live, count, find_live, wait_for
from nearcast.errors import NearcastError
from nearcast.output import Output
from nearcast.settings import Settings
from nearcast.source.load import LoadReport

STALL_S = 120.0
BUNDLED = Path(__file__).parents[3] / "data" / "stocks_daily.csv"
BUNDLED_SYMBOLS = ("NFLX",)


@dataclass(frozen=True)
class Options:
    """What the demonstration runs on.

    Parameters
    ----------
    csv
        A CSV of prices; None: the bundled one.
    symbols
        The symbols to take from it.
    live_rows
        How many of the last rows are published live.
    rate
        Live rows a second.
    airflow
        Whether Airflow publishes them; else this process does.
    """

    csv: Path | None
    symbols: tuple[str, ...]
    live_rows: int
    rate: float
    airflow: bool = True


@dataclass
class Stages:
    """The names and seconds of the stages so far, and a bar on stderr for the one that runs."""

    output: Output
    started: float = field(default_factory=time.monotonic)
    done: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Any]:
        """Time a stage; the yielded function advances its bar."""
        started = time.monotonic()
        with self.output.progress(name, total) as advance:
            yield advance
        self._ended(name, started)

    @contextmanager
    def stage_with_own_bar(self, name: str) -> Iterator[None]:
        """Time a stage that draws its own bar: two at once would overwrite each other."""
        started = time.monotonic()
        self.output.note(name)
        yield
        self._ended(name, started)

    def _ended(self, name: str, started: float) -> None:
        self.done.append({"name": name, "seconds": round(time.monotonic() - started, 2)})

    @property
    def total(self) -> float:
        """Seconds since the demonstration began."""
        return round(time.monotonic() - self.started, 2)


def run(home: Path, options: Options, output: Output) -> dict[str, Any]:
    """Run every stage and return the report. Raises NearcastError when one fails."""
    stages = Stages(output)
    settings, loaded, ready = _start(home, options, stages)
    symbols = list(loaded.symbols)
    live = find_live(settings, symbols, options.live_rows)
    _history(settings, live, options, stages)
    _model(settings, live, stages)
    since = datetime.now(timezone.utc)  # noqa: UP017
    _live(settings, live, options, stages)
    with stages.stage("report"):
        document = {
            "rows": report.rows(settings, symbols),
            "freshness_s": report.freshness(settings, live, since),
            "forecasts": report.forecasts(settings, live),
            "score": _score(settings),
            "rejected_input": [asdict(row) for row in loaded.rejected],
        }
    return {
        **document,
        "stages": stages.done,
        "dashboard_ready_s": ready,
        "total_s": stages.total,
        "urls": _urls(settings),
    }


def _start(home: Path, options: Options, stages: Stages) -> tuple[Settings, LoadReport, float]:
    from nearcast.local.world import start
    from nearcast.source.load import load_csv

    with stages.stage("services"):
        settings = start(home, note=stages.output.note, airflow=options.airflow)
    with stages.stage("prices"):
        source = options.csv or BUNDLED
        symbols = options.symbols or (() if options.csv else BUNDLED_SYMBOLS)
        loaded = load_csv(settings, source, symbols)
    for rejected in loaded.rejected:
        stages.output.note(f"{source}, line {rejected.line}: {rejected.reason}")
    if not loaded.symbols:
        raise NearcastError(f"No row of {source} could be loaded.", todo="Mend the rows named above.")
    return settings, loaded, stages.total


def _history(settings: Settings, live: Live, options: Options, stages: Stages) -> None:
    from nearcast.stream.publisher import publish

    pending = count(settings, "pending_history", live)
    if pending:
        if options.airflow:
            hold_back(settings.home)
        with stages.stage("history: published", pending) as advance:
            publish(settings, symbols=live.symbols, limit=pending, on_progress=advance)
    on_the_way = count(settings, "not_arrived", live)
    with stages.stage("history: in the lake", on_the_way) as advance:
        wait_for(settings, "not_arrived", live, STALL_S, advance)
    with stages.stage("catalog: crawled"):
        from nearcast.lake.crawl import crawl

        crawl(settings)


def _model(settings: Settings, live: Live, stages: Stages) -> None:
    from nearcast.forecast.recipes import recipe_named
    from nearcast.forecast.registry import champion_version
    from nearcast.forecast.train import train
    from nearcast.local.world import wait_for as wait_for_service

    with stages.stage("model registry"):
        wait_for_service(settings.home, "mlflow")
    if champion_version(settings) is None:
        with stages.stage_with_own_bar("training"):
            train(settings, recipe_named("quantile"), live.symbols, stages.output.note)
    with stages.stage("first forecasts"):
        wait_for(settings, "not_forecast", live, STALL_S)


def _live(settings: Settings, live: Live, options: Options, stages: Stages) -> None:
    from nearcast.stream.publisher import count_pending, publish

    pending = count_pending(settings, symbols=live.symbols)
    if pending and options.airflow:
        with stages.stage("Airflow is ready"):
            api = wait_for_dag(settings.home)
        with stages.stage(f"live: {options.rate:g} rows/s, by Airflow", pending) as advance:
            publish_by_airflow(settings, api, live, options.rate, advance)
    elif pending:
        with stages.stage(f"live: {options.rate:g} rows/s", pending) as advance:
            publish(settings, symbols=live.symbols, rate=options.rate, on_progress=advance)
    with stages.stage("live: in the lake and forecast"):
        wait_for(settings, "not_arrived", live, STALL_S)
        wait_for(settings, "not_forecast", live, STALL_S)


def _score(settings: Settings) -> Any:
    from nearcast.forecast.scores import scores
    from nearcast.source.database import connect

    with connect(settings.need("postgres_dsn")) as connection:
        return asdict(scores(connection))


def _urls(settings: Settings) -> dict[str, str]:
    named = {
        "dashboard": settings.dashboard_url,
        "airflow": settings.airflow_url,
        "mlflow": settings.mlflow_tracking_uri,
        "gateway": settings.aws_endpoint_url,
    }
    return {name: url for name, url in named.items() if url}
