"""The Lambda as it is deployed: in a process that has nothing but its package and the standard library."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from nearcast.bench.transformer import change_records, find_runtime, run_bare
from nearcast.errors import NearcastError
from nearcast.stream import transformer


def lambdas_python() -> Any:
    """Return the case of the Lambda's version; where there is none, it is skipped and says so."""
    try:
        return pytest.param(find_runtime(), id="3.12")
    except NearcastError as error:
        return pytest.param(None, id="3.12", marks=pytest.mark.skip(reason=error.happened))


@pytest.mark.parametrize("python", [pytest.param(Path(sys.executable), id="own"), lambdas_python()])
def test_the_package_answers_as_the_source_does_and_needs_nothing_else(python: Path) -> None:
    records = [*change_records(500), {"recordId": "bad", "data": "bm8gcmVjb3Jk"}]
    answer = run_bare(python, records, times=1)
    assert answer["records"] == transformer.lambda_handler({"records": records}, None)["records"]
    assert [one["result"] for one in answer["records"]] == ["Ok"] * 500 + ["ProcessingFailed"]
    assert answer["foreign"] == []
