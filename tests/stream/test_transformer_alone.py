"""The Lambda as it is deployed: in a process that has nothing but its package and the standard library."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nearcast.bench.transformer import change_records, find_runtime, run_bare
from nearcast.errors import NearcastError
from nearcast.stream import transformer


def runtimes() -> list[Path]:
    """Return the interpreter of these tests, and one of the Lambda's version where there is one."""
    try:
        return [Path(sys.executable), find_runtime()]
    except NearcastError:
        return [Path(sys.executable)]


@pytest.mark.parametrize(
    "python", runtimes(), ids=lambda path: "own" if str(path) == sys.executable else "3.12"
)
def test_the_package_answers_as_the_source_does_and_needs_nothing_else(python: Path) -> None:
    records = [*change_records(500), {"recordId": "bad", "data": "bm8gcmVjb3Jk"}]
    answer = run_bare(python, records, times=1)
    assert answer["records"] == transformer.lambda_handler({"records": records}, None)["records"]
    assert [one["result"] for one in answer["records"]] == ["Ok"] * 500 + ["ProcessingFailed"]
    assert answer["foreign"] == []
