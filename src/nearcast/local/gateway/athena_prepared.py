"""Prepared statements: kept by ministack, by workgroup; made and run by SQL as well as by the API.

Source: docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html
"""

from __future__ import annotations

import re

from nearcast.local.gateway import calls
from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_results import Result
from nearcast.local.gateway.athena_statements import DDL, NAME, Statement, malformed, parse
from nearcast.local.gateway.hooks import AwsError

PREPARE = re.compile(rf"PREPARE\s+{NAME}\s+FROM\s+(?P<query>.+)", re.I | re.S)
EXECUTE = re.compile(rf"EXECUTE\s+{NAME}(?:\s+USING\s+(?P<values>.+))?", re.I | re.S)
DEALLOCATE = re.compile(rf"DEALLOCATE\s+PREPARE\s+{NAME}", re.I)
PREPARED = re.compile(r"\s*(?:SELECT|WITH|INSERT|UNLOAD|CREATE\s+TABLE)\b", re.I)
"""How statements begin that can be prepared."""


def definition(sql: str, workgroup: str) -> Statement | None:
    """Return a PREPARE or DEALLOCATE as a statement, None when it is neither. Raises AwsError: malformed."""
    made, dropped = PREPARE.fullmatch(sql), DEALLOCATE.fullmatch(sql)
    if made:
        if not PREPARED.match(made["query"]):
            raise malformed("Only SELECT, INSERT INTO, CREATE TABLE AS and UNLOAD can be prepared")
        if not re.match(r"\s*UNLOAD", made["query"], re.I):
            parse(made["query"])
        document = {"StatementName": made["name"], "WorkGroup": workgroup, "QueryStatement": made["query"]}
        return Statement(sql, DDL, "PREPARE", lambda context: _call("CreatePreparedStatement", document))
    if dropped:
        named = {"StatementName": dropped["name"], "WorkGroup": workgroup}
        return Statement(sql, DDL, "DEALLOCATE", lambda context: _call("DeletePreparedStatement", named))
    return None


def executed(sql: str, parameters: list[str], workgroup: str) -> tuple[str, list[str]] | None:
    """Return the statement that an EXECUTE names, and its parameters; None when ``sql`` is no EXECUTE.

    Raises AwsError: no such statement, or parameters are given in two ways.
    """
    found = EXECUTE.fullmatch(sql)
    if not found:
        return None
    try:
        held = calls.call("athena", "GetPreparedStatement", StatementName=found["name"], WorkGroup=workgroup)
    except AwsError as error:
        raise malformed(
            f"PreparedStatement {found['name']} was not found in workGroup {workgroup}"
        ) from error
    if found["values"] and parameters:
        raise malformed("Parameters are given by USING or as ExecutionParameters, not by both")
    if found["values"]:
        values = parse(f"SELECT {found['values']}").expressions
        parameters = [value.sql("athena") for value in values]
    return held["PreparedStatement"]["QueryStatement"], parameters


def _call(action: str, document: dict[str, str]) -> Result:
    try:
        calls.call("athena", action, **document)
    except AwsError as error:
        raise QueryError(f"INVALID_PREPARED_STATEMENT: {error}") from error
    return Result()
