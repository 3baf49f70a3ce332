"""A corpus of statements gives what a real Trino gave: columns, types, values, and the kind of each error.

``make trino-oracle`` records Trino's answers anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from nearcast.local.gateway.athena_errors import QueryError
from nearcast.local.gateway.athena_query import Session
from nearcast.local.gateway.athena_statements import Context, recognise
from nearcast.local.gateway.hooks import AwsError
from tests.local.gateway import trino_corpus
from tests.local.gateway.athena_client import Answer, ended, run, start
from tests.local.gateway.trino_differences import DIFFERENT, REFUSED

REFUSALS = {sql for group in REFUSED.values() for sql in group}
OTHERWISE = {sql for group in DIFFERENT.values() for sql in group}
RECORDED: dict[str, Any] = trino_corpus.recorded()["answers"]
EXPRESSIONS = [sql for sql in RECORDED if not trino_corpus.reads_a_table(sql)]
QUERIES = [sql for sql in RECORDED if trino_corpus.reads_a_table(sql)]


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """One engine for all expressions."""
    opened = Session("athena_tests", [])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def tables(athena: Any, hudi_table: Any) -> None:
    """The JSON, Parquet and Hudi tables that Trino's answers were recorded over."""
    assert run(athena, trino_corpus.KINDS).state == "SUCCEEDED"


def judged(sql: str, error: str | None, columns: Any, rows: Any) -> str | None:
    """Return how an outcome differs from Trino's, None when it does not."""
    wanted = RECORDED[sql]
    if error is None:
        return trino_corpus.difference(sql, wanted, columns, rows)
    name = error.partition(":")[0]
    return (
        None
        if wanted.get("error") == name
        else f"{wanted.get('error') or wanted['rows']} expected, not {error}"
    )


def outcome(session: Session, sql: str) -> str | None:
    """Run an expression; return how it differs from Trino's answer."""
    try:
        result = recognise(sql).run(Context(session, "", "", ""))
    except QueryError as error:
        return judged(sql, str(error), None, None)
    except AwsError as error:
        return judged(sql, f"SYNTAX_ERROR: {error}", None, None)
    return judged(sql, None, result.columns, result.rows)


def verdict(sql: str, difference: str | None) -> str | None:
    """Return what is wrong with a statement's difference from Trino, None when it is as it should be."""
    if sql in REFUSALS:
        return None if difference and "NOT_SUPPORTED: " in difference else f"not refused: {difference}"
    if sql in OTHERWISE:
        return (
            None
            if difference and "NOT_SUPPORTED: " not in difference
            else f"listed as different: {difference}"
        )
    return difference


def test_trinos_answers_are_those_of_the_corpus() -> None:
    assert list(RECORDED) == trino_corpus.statements()
    assert len(RECORDED) >= 150 and set(RECORDED) >= REFUSALS | OTHERWISE and not REFUSALS & OTHERWISE


def test_expressions_mean_what_they_mean_in_trino(session: Session) -> None:
    verdicts = {sql: verdict(sql, outcome(session, sql)) for sql in EXPRESSIONS}
    assert {sql: wrong for sql, wrong in verdicts.items() if wrong} == {}


def test_queries_over_the_same_tables_give_what_trino_gives(athena: Any, tables: None) -> None:
    verdicts = {}
    started: list[tuple[str, str | None]] = []
    for sql in QUERIES:
        try:
            started.append((sql, start(athena, sql)))
        except athena.exceptions.InvalidRequestException as error:
            verdicts[sql] = verdict(sql, judged(sql, f"SYNTAX_ERROR: {error}", None, None))
    for sql, query_id in started:
        assert query_id
        execution = ended(athena, query_id)
        failed = execution["Status"]["State"] != "SUCCEEDED"
        answer = Answer(execution, None if failed else athena.get_query_results(QueryExecutionId=query_id))
        columns = rows = None
        if answer.page:
            columns = answer.page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
            rows = answer.lines[1:]
        verdicts[sql] = verdict(sql, judged(sql, answer.reason if failed else None, columns, rows))
    assert {sql: wrong for sql, wrong in verdicts.items() if wrong} == {}


def test_the_comparison_sees_a_wrong_value_type_name_and_error(session: Session) -> None:
    column = {"Name": "_col0", "Type": "integer", "Precision": 10, "Scale": 0}
    for columns, rows in (
        ([column], [["4"]]),
        ([column | {"Type": "bigint"}], [["3"]]),
        ([column | {"Name": "x"}], [["3"]]),
        ([column], []),
    ):
        assert judged("SELECT 7 / 2", None, columns, rows)
    assert judged("SELECT 7 / 2", None, [column], [["3"]]) is None
    assert judged("SELECT 1 / 0", "TYPE_MISMATCH: x", None, None) and judged(
        "SELECT 1 / 0", None, [column], [["1"]]
    )
    assert not math.isclose(1, 1 + 1e-11, rel_tol=trino_corpus.CLOSE)
