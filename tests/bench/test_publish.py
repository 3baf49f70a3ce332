"""The benchmark of the publisher counts what it claims: rows are distinct and real, every hop is measured."""

from __future__ import annotations

import json
import os
import time
from collections import Counter

import pytest
from click.testing import CliRunner

from nearcast.bench.publish import bench_publish
from nearcast.bench.rows import SERIES, bars
from nearcast.bench.usage import Sampler
from nearcast.cli import cli
from nearcast.errors import ServiceError
from nearcast.forecast.sessions import sessions
from nearcast.source.bar import fault


def test_its_rows_are_true_bars_on_sessions_with_keys_of_their_own_and_alike_at_every_size() -> None:
    made = list(bars(20_000))
    assert len({(bar.stock_symbol, bar.date) for bar in made}) == 20_000
    assert not any(fault(bar) for bar in made)
    assert {bar.date for bar in made} <= set(sessions().tolist())
    assert {*Counter(bar.date for bar in made[: SERIES * 1000]).values()} == {SERIES}
    assert made[:5800] == list(bars(5800))
    assert len({(bar.date.year, bar.date.month) for bar in bars(100_000)}) < 500


def test_a_sampler_sees_the_processor_time_of_the_process_it_watches() -> None:
    with Sampler({"self": os.getpid()}) as sampler:
        began = time.process_time()
        while time.process_time() - began < 0.3:
            pass
    used = sampler.usage()["self"]
    assert used.cpu_s >= 0.28 and used.peak_rss_mb > 10


def test_an_environment_that_names_other_servers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARCAST_POSTGRES_DSN", "postgresql://elsewhere")
    with pytest.raises(ServiceError, match="NEARCAST_POSTGRES_DSN would lead"):
        bench_publish([1], lambda _text: None)


@pytest.mark.timeout(240)
def test_a_small_run_reports_every_hop_and_loses_no_row() -> None:
    done = CliRunner().invoke(
        cli, ["bench", "publish", "--rows", "200", "--rows", "300", "--rounds", "1", "--json"]
    )
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert [size["rows"] for size in document["sizes"]] == [200, 300]
    for size in document["sizes"]:
        for way in ("publisher", "ceiling"):
            (phase,) = size[way]["rounds"]
            assert phase["rows"] == size["rows"]
            assert 0 < phase["kinesis_s"] <= phase["raw_s"]
            assert phase["seconds"] > 0 and phase["cpu_s"] > 0
            assert {"gateway", "lambda", "postgres", "writer"} <= phase["used"].keys()
    assert document["growth"][0]["wall_per_row"] == 1
    assert document["one_client"]["publisher_is_times_faster"] > 1
