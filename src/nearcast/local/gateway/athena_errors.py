"""How a query fails: Athena's own names for what DuckDB and the catalog refuse.

Sources: docs.aws.amazon.com/athena/latest/ug/error-reference.html (categories and types) and
trino.io/docs/current/develop/spi-overview.html (the names that begin a message).
"""

from __future__ import annotations

import re

USER, SYSTEM = 2, 1
RESOURCES, USER_ERROR, DATA_ERROR, DDL_ERROR, SYNTAX_ERROR = 0, 1000, 1001, 1003, 1006

RAISED = "|".join(
    (
        *(
            "INVALID_FUNCTION_ARGUMENT",
            "INVALID_CAST_ARGUMENT",
            "NUMERIC_VALUE_OUT_OF_RANGE",
            "DIVISION_BY_ZERO",
        ),
        *("NOT_SUPPORTED", "FUNCTION_NOT_FOUND"),
    )
)
"""The names that the macros' own errors begin with (athena_functions.sql)."""
PATTERNS: tuple[tuple[str, str, int], ...] = (
    (rf"'((?:{RAISED}): [^\n']+)'", "{0}", 1000),
    (r'Referenced column "([^"]+)" not found', "COLUMN_NOT_FOUND: {at}Column '{0}' cannot be resolved", 1006),
    (r'Referenced table "([^"]+)" not found', "COLUMN_NOT_FOUND: {at}Column '{0}' cannot be resolved", 1006),
    (
        r'does not have a column named "([^"]+)"',
        "COLUMN_NOT_FOUND: {at}Column '{0}' cannot be resolved",
        1006,
    ),
    (r'Ambiguous reference to column name "([^"]+)"', "AMBIGUOUS_NAME: {at}Column '{0}' is ambiguous", 1006),
    (
        r'column "([^"]+)" must appear in (?:the )?GROUP BY',
        "EXPRESSION_NOT_AGGREGATE: {at}'\"{0}\"' must be an aggregate expression or appear in GROUP BY clause",
        1006,
    ),
    (r"Division by zero", "DIVISION_BY_ZERO: Division by zero", 1000),
    (r"Type (?:DOUBLE|FLOAT) with value .* can't be cast", "INVALID_CAST_ARGUMENT: {text}", 1000),
    (
        r"value (\S+) can't be cast because the value is out of range for the destination type U?INT",
        "NUMERIC_VALUE_OUT_OF_RANGE: Out of range: {0}",
        1000,
    ),
    (r"aggregate function calls cannot be nested", "NESTED_AGGREGATION: Cannot nest aggregations", 1006),
    (
        r"clause cannot contain (?:aggregates|window functions)",
        "EXPRESSION_NOT_SCALAR: WHERE clause cannot contain aggregations, window functions or grouping operations",
        1006,
    ),
    (r"ORDER term out of range", "INVALID_COLUMN_REFERENCE: ORDER BY position is not in select list", 1006),
    (
        r"Set operations can only apply to expressions with the same number",
        "TYPE_MISMATCH: The queries have different numbers of fields",
        1006,
    ),
    (r"as base64", "INVALID_FUNCTION_ARGUMENT: {text}", 1000),
    (r"Unknown TimeZone '([^']*)'", "INVALID_FUNCTION_ARGUMENT: '{0}' is not a valid time zone", 1000),
    (
        r"More than one row returned by a subquery",
        "SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows",
        1000,
    ),
    (
        r"Function with name \"?(\w+)\"? does not exist",
        "NOT_SUPPORTED: {at}Function '{0}' is not supported by the local Athena",
        1006,
    ),
    (r"(?:function call \"\W|argument types '\W|Cannot (?:compare|mix))", "TYPE_MISMATCH: {text}", 1006),
    (
        r"(?:No function|Could not choose a best candidate|Macro \w+\(\) does not|No macro)",
        "FUNCTION_NOT_FOUND: Unexpected parameters: {text}",
        1006,
    ),
    (r"(HIVE_BAD_DATA: [^\n]+)", "{0}", 1001),
    (r"(?:Malformed JSON|JSON transform)", "HIVE_BAD_DATA: {text}", 1001),
    (r"^Conversion Error", "INVALID_CAST_ARGUMENT: {text}", 1000),
    (r"^Out of Range Error", "NUMERIC_VALUE_OUT_OF_RANGE: {text}", 1000),
    (r"^Invalid Input Error", "INVALID_FUNCTION_ARGUMENT: {text}", 1000),
    (r"^(?:Binder|Parser) Error", "SYNTAX_ERROR: {text}", 1006),
)
"""What DuckDB says, what Athena says ({0} is the name that DuckDB gives), and Athena's type of error."""


class QueryError(Exception):
    """A query's end in the state FAILED.

    Parameters
    ----------
    reason
        The StateChangeReason, beginning with the error's name.
    error_type, category
        As in Athena's error catalog.
    """

    def __init__(self, reason: str, error_type: int = SYNTAX_ERROR, category: int = USER) -> None:
        super().__init__(reason)
        self.error_type = error_type
        self.category = category


class QueryCancelledError(Exception):
    """A query's end in the state CANCELLED."""


def position(sql: str, offset: int | None) -> str:
    """Return ``"line L:C: "`` (both from 1) for an offset into the statement, "" when it is not known."""
    if offset is None:
        return ""
    before = sql[:offset]
    return f"line {before.count(chr(10)) + 1}:{offset - (before.rfind(chr(10)) + 1) + 1}: "


def from_duckdb(error: Exception, sql: str) -> QueryError:
    """Return what Athena would say of an error that DuckDB raised for ``sql``."""
    import duckdb

    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryError("Query exhausted resources at this scale factor", RESOURCES, SYSTEM)
    first_line = text.partition("\n")[0].partition(": ")[2]
    for pattern, message, error_type in PATTERNS:
        found = re.search(pattern, text)
        if found:
            name = found[1] if found.groups() else ""
            at = position(sql, _offset(name, sql)) if name else ""
            return QueryError(message.format(name, at=at, text=first_line), error_type)
    return QueryError(f"GENERIC_INTERNAL_ERROR: {text}"[:1000], 200, SYSTEM)


def _offset(name: str, sql: str) -> int | None:
    found = re.search(rf'(?<![\w$])"?{re.escape(name)}(?![\w$])', sql, re.IGNORECASE)
    return found.start() if found else None
