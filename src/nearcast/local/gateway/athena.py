"""Athena's API: queries submitted, watched, stopped and read, and the catalog; the rest is ministack's.

Source: docs.aws.amazon.com/athena/latest/APIReference/
"""

from __future__ import annotations

import tempfile
import threading
import time
import uuid
from functools import lru_cache
from typing import Any

from nearcast.local.gateway import athena_metadata, athena_results, athena_workgroups, journal
from nearcast.local.gateway.athena_errors import SYSTEM, QueryCancelledError, QueryError
from nearcast.local.gateway.athena_pages import page
from nearcast.local.gateway.athena_query import Session
from nearcast.local.gateway.athena_records import (
    UNFINISHED,
    finish,
    forget_oldest,
    new_record,
    records,
    shown,
    update,
)
from nearcast.local.gateway.athena_results import Result, Row
from nearcast.local.gateway.athena_statements import Context, Statement, malformed, recognise
from nearcast.local.gateway.hooks import Action
from nearcast.log import get_logger

CONCURRENT = 4
PAGE = 1000
CANCELLED, CANCELLED_BY_USER = "Query cancelled by user", 1011
log = get_logger("athena")


def actions() -> dict[str, Action]:
    """Return the actions that are done here; the others are ministack's."""
    queries = Queries()
    return {
        "StartQueryExecution": queries.start,
        "GetQueryExecution": queries.get,
        "BatchGetQueryExecution": queries.batch_get,
        "GetQueryResults": queries.results,
        "StopQueryExecution": queries.stop,
        "ListQueryExecutions": queries.list,
        "GetWorkGroup": athena_workgroups.get_work_group,
        "GetDatabase": athena_metadata.get_database,
        "ListDatabases": athena_metadata.list_databases,
        "GetTableMetadata": athena_metadata.get_table_metadata,
        "ListTableMetadata": athena_metadata.list_table_metadata,
    }


class Queries:
    """The queries of this gateway: their records are ministack's, so they are saved with its state."""

    def __init__(self) -> None:
        self.slots = threading.BoundedSemaphore(CONCURRENT)
        self.lock = threading.Lock()
        self.active: set[str] = set()
        self.sessions: dict[str, Session] = {}

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """Submit a statement. Raises AwsError: malformed, not supported, no place for its result."""
        from ministack.core.concurrency import spawn_background

        token = request.get("ClientRequestToken") or str(uuid.uuid4())
        workgroup = athena_workgroups.find(request.get("WorkGroup") or athena_workgroups.PRIMARY)
        statement = recognise(request["QueryString"], request.get("ExecutionParameters"), workgroup.name)
        record = new_record(request, workgroup, statement, token)
        query_id: str = record["QueryExecutionId"]
        with self.lock:
            known = next((r for r in records().values() if r.get("_token") == token), None)
            if known is not None:
                if known["Query"] != record["Query"]:
                    raise malformed("Idempotent parameters do not match")
                return {"QueryExecutionId": known["QueryExecutionId"]}
            self.active.add(query_id)
            records()[query_id] = record
            journal.note("query", query_id, record)
            forget_oldest()
        spawn_background(self._run, query_id, statement, workgroup.cutoff, thread_name="gateway-athena")
        return {"QueryExecutionId": query_id}

    def get(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a query's record. Raises AwsError when there is none."""
        return {"QueryExecution": shown(self._record(request["QueryExecutionId"]))}

    def batch_get(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the records of several queries; those that do not exist are listed apart."""
        found, missing = [], []
        for query_id in request["QueryExecutionIds"]:
            if query_id in records():
                found.append(shown(self._record(query_id)))
            else:
                missing.append({"QueryExecutionId": query_id, "ErrorCode": "INVALID_INPUT"})
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a workgroup's query ids, newest first."""
        name = request.get("WorkGroup") or athena_workgroups.PRIMARY
        ids = [query_id for query_id, record in records().items() if record.get("WorkGroup") == name][::-1]
        return page("QueryExecutionIds", ids, request, 50)

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        """Stop a query that waits or runs; one that has ended stays as it is."""
        query_id = request["QueryExecutionId"]
        self._record(query_id)
        with self.lock:
            state = records()[query_id]["Status"]["State"]
            if state == "QUEUED":
                finish(query_id, "CANCELLED", QueryError(CANCELLED, CANCELLED_BY_USER))
            session = self.sessions.get(query_id)
            if state == "RUNNING" and session is not None:
                session.stop()
        return {}

    def results(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a page of a query's result. Raises AwsError when it has none (yet)."""
        query_id = request["QueryExecutionId"]
        record = self._record(query_id)
        status = record["Status"]
        if status["State"] in UNFINISHED:
            raise malformed(f"Query has not yet finished. Current state: {status['State']}")
        if status["State"] != "SUCCEEDED":
            raise malformed(f"Query did not finish successfully. Final query state: {status['State']}")
        written = record["_written"]
        rows = _rows(record["ResultConfiguration"]["OutputLocation"]) if written is None else []
        data = [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in rows]
        shown = page("Rows", data, request, PAGE)
        metadata = {"ColumnInfo": record["_columns"]}
        answer = {
            "UpdateCount": written or 0,
            "ResultSet": {"Rows": shown["Rows"], "ResultSetMetadata": metadata},
        }
        return {**answer, "NextToken": shown["NextToken"]} if "NextToken" in shown else answer

    def _record(self, query_id: str) -> dict[str, Any]:
        record: dict[str, Any] | None = records().get(query_id)
        if record is None:
            raise malformed(f"QueryExecution {query_id} was not found")
        if record["Status"]["State"] in UNFINISHED and query_id not in self.active:
            # Its gateway was ended while it ran.
            finish(
                query_id, "FAILED", QueryError("GENERIC_INTERNAL_ERROR: Athena was restarted", 100, SYSTEM)
            )
            record = records()[query_id]
        return record

    def _run(self, query_id: str, statement: Statement, cutoff: int) -> None:
        with self.slots:
            try:
                self._execute(query_id, statement, cutoff)
            except QueryCancelledError as stopped:
                finish(query_id, "CANCELLED", QueryError(str(stopped) or CANCELLED, CANCELLED_BY_USER))
            except QueryError as failure:
                finish(query_id, "FAILED", failure)
            except Exception as error:
                # A query must end, whatever went wrong; the reason is what the caller has to go by.
                log.exception("query failed", query=query_id)
                reason = f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}"
                finish(query_id, "FAILED", QueryError(reason[:1000], 200, SYSTEM))
            finally:
                self.active.discard(query_id)

    def _execute(self, query_id: str, statement: Statement, cutoff: int) -> None:
        from ministack.services import s3

        with tempfile.TemporaryDirectory(prefix="nearcast-athena-") as scratch:
            database = records()[query_id]["QueryExecutionContext"]["Database"]
            session = Session(database, [str(s3.DATA_DIR), scratch], cutoff)
            try:
                with self.lock:
                    record = records()[query_id]
                    if record["Status"]["State"] != "QUEUED":
                        return
                    self.sessions[query_id] = session
                    status = {**record["Status"], "State": "RUNNING"}
                    update(query_id, Status=status, _started=time.time())
                location = record["ResultConfiguration"]["OutputLocation"]
                result = statement.run(Context(session, location, query_id, scratch))
                self._succeed(query_id, statement, result, session)
            finally:
                with self.lock:
                    self.sessions.pop(query_id, None)
                session.close()

    def _succeed(self, query_id: str, statement: Statement, result: Result, session: Session) -> None:
        if session.stopped:
            raise QueryCancelledError
        record = records()[query_id]
        athena_results.store(record["ResultConfiguration"]["OutputLocation"], statement.type, result)
        statistics = {**record["Statistics"], "DataScannedInBytes": session.scanned, **result.statistics}
        update(query_id, Statistics=statistics, _columns=result.columns, _written=result.written)
        finish(query_id, "SUCCEEDED")


@lru_cache(maxsize=4)
def _rows(location: str) -> list[Row]:
    """Return a stored result's rows; the last few stay parsed, so that pages cost nothing."""
    return athena_results.load(location)
