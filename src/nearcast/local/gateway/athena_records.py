"""The records of queries, as GetQueryExecution shows them; they are ministack's, saved with its state.

Source: docs.aws.amazon.com/athena/latest/APIReference/API_QueryExecution.html
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from nearcast.local.gateway import journal
from nearcast.local.gateway.athena_errors import SYSTEM, QueryError
from nearcast.local.gateway.athena_statements import Statement
from nearcast.local.gateway.athena_workgroups import Workgroup

UNFINISHED = ("QUEUED", "RUNNING")
KEPT = 5000
"""Queries whose records are kept; AWS keeps them for 45 days."""
ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}


def records() -> Any:
    """Return the records of all queries, by id, oldest first (of the request's account and region)."""
    from ministack.services import athena

    return athena._executions


def update(query_id: str, **changes: Any) -> dict[str, Any]:
    """Change a query's record and return it."""
    # Records are replaced, never changed: ministack copies them while it saves its state.
    record = {**records()[query_id], **changes}
    if record["Status"]["State"] not in UNFINISHED:
        journal.note("query", query_id, record)
    records()[query_id] = record
    return record


def finish(query_id: str, state: str, failure: QueryError | None = None) -> None:
    """End a query in ``state``, with the reason of its failure and the times it took."""
    record, now = records()[query_id], time.time()
    status = {**record["Status"], "State": state, "CompletionDateTime": now}
    if failure is not None:
        status["StateChangeReason"] = str(failure)
        status["AthenaError"] = {
            "ErrorCategory": failure.category,
            "ErrorType": failure.error_type,
            "Retryable": failure.category == SYSTEM,
            "ErrorMessage": str(failure),
        }
    submitted = status["SubmissionDateTime"]
    started = record["_started"] or now
    times = {
        "EngineExecutionTimeInMillis": round((now - started) * 1000),
        "QueryQueueTimeInMillis": round((started - submitted) * 1000),
        "TotalExecutionTimeInMillis": round((now - submitted) * 1000),
    }
    update(query_id, Status=status, Statistics={**record["Statistics"], **times})


def new_record(
    request: dict[str, Any], workgroup: Workgroup, statement: Statement, token: str
) -> dict[str, Any]:
    """Return the record of a statement that waits to run. Raises AwsError: no place for its result."""
    query_id = str(uuid.uuid4())
    extension = "csv" if statement.type == "DML" else "txt"
    folder = workgroup.output_folder((request.get("ResultConfiguration") or {}).get("OutputLocation"))
    location = f"{folder}/{query_id}" if statement.writes else f"{folder}/{query_id}.{extension}"
    asked = request.get("QueryExecutionContext") or {}
    return {
        "QueryExecutionId": query_id,
        "Query": request["QueryString"].strip(),
        "StatementType": statement.type,
        "SubstatementType": statement.substatement,
        "ResultConfiguration": {"OutputLocation": location},
        "QueryExecutionContext": {
            "Database": (asked.get("Database") or "default").strip('`"').lower(),
            "Catalog": (asked.get("Catalog") or "awsdatacatalog").lower(),
        },
        "Status": {"State": "QUEUED", "SubmissionDateTime": time.time()},
        "Statistics": {"DataScannedInBytes": 0, "ResultReuseInformation": {"ReusedPreviousResult": False}},
        "WorkGroup": workgroup.name,
        "EngineVersion": ENGINE,
        "_token": token,
        "_started": None,
        "_columns": [],
        "_written": None,
    }


def forget_oldest() -> None:
    """Drop the oldest ended queries beyond KEPT."""
    held = records()
    for query_id in list(held)[:-KEPT]:
        if held[query_id]["Status"]["State"] not in UNFINISHED:
            held.pop(query_id, None)


def shown(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without what is only ours."""
    return {name: value for name, value in record.items() if not name.startswith("_")}
