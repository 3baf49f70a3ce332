"""Where our own actions note the records that they change: job runs, crawls, queries.

Calls that ministack answers are logged as they came (durability.py); these records have identities and times that a
second call would not give again, so the record itself is logged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Sink = Callable[[str, str, Mapping[str, Any]], None]
_sinks: list[Sink] = []


def install(sink: Sink) -> None:
    """Send every note to ``sink``."""
    _sinks[:] = [sink]


def note(kind: str, key: str, record: Mapping[str, Any]) -> None:
    """Note that the record ``key`` of ``kind`` is now ``record``; without a sink this does nothing."""
    for sink in _sinks:
        sink(kind, key, record)


def restore(kind: str, key: str, record: dict[str, Any]) -> None:
    """Put a noted record back, in the account and region of the current context."""
    from ministack.services import athena, glue

    if kind == "query":
        athena._executions[key] = record
    elif kind == "crawler":
        if key in glue._crawlers:
            glue._crawlers[key].update(record)
    elif kind == "job_run":
        runs = glue._job_runs.setdefault(record["JobName"], [])
        held = next((run for run in runs if run["Id"] == key), None)
        if held is None:
            runs.append(record)
        else:
            held.update(record)
