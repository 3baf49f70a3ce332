"""Athena's API as AWS documents it: states, pages, places of results, idempotence, stopping."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.gateway.athena_client import BUCKET, RESULTS, ended, run, start

ENDLESS = "SELECT count(*) FROM UNNEST(sequence(1, 100000)) a(x), UNNEST(sequence(1, 100000)) b(y),"
ENDLESS += " UNNEST(sequence(1, 100000)) c(z) WHERE x * y % 7 = z"


def refused(athena: Any, sql: str, **options: Any) -> str:
    """Submit a statement that must be refused at once; return the message."""
    with pytest.raises(ClientError) as caught:
        start(athena, sql, **options)
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"
    return str(caught.value.response["Error"]["Message"])


def test_the_result_is_a_csv_file_where_the_execution_says(athena: Any, gateway: Any) -> None:
    answer = run(athena, "SELECT 1.5e0 AS a, 'say \"x\"' AS b, CAST(NULL AS varchar) AS c, '' AS d")
    location = answer.execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"{RESULTS}{answer.execution['QueryExecutionId']}.csv"
    key = location.removeprefix(f"s3://{BUCKET}/")
    body = gateway.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
    assert body == '"a","b","c","d"\n"1.5","say ""x""",,""\n'
    assert answer.rows == [["1.5", 'say "x"', None, ""]]
    assert gateway.client("s3").head_object(Bucket=BUCKET, Key=f"{key}.metadata")["ContentLength"] > 0


def test_an_execution_names_its_type_times_and_engine(athena: Any) -> None:
    execution = run(athena, "SELECT 1;").execution
    assert execution["StatementType"] == "DML" and execution["SubstatementType"] == "SELECT"
    assert execution["Query"] == "SELECT 1;"
    status, statistics = execution["Status"], execution["Statistics"]
    assert status["SubmissionDateTime"] <= status["CompletionDateTime"]
    assert statistics["TotalExecutionTimeInMillis"] >= statistics["EngineExecutionTimeInMillis"]
    assert execution["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"


def test_pages_hold_every_row_once_after_one_header(athena: Any) -> None:
    query_id = start(athena, "SELECT x FROM UNNEST(sequence(1, 2500)) t(x) ORDER BY x")
    ended(athena, query_id)
    pages = list(athena.get_paginator("get_query_results").paginate(QueryExecutionId=query_id))
    values = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
    assert values == ["x", *map(str, range(1, 2501))]
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [1000, 1000, 501]
    small = athena.get_query_results(QueryExecutionId=query_id, MaxResults=2)
    assert len(small["ResultSet"]["Rows"]) == 2 and small["NextToken"]


@pytest.mark.parametrize(
    "sql",
    ["SELECT 1 +", "selct 1", "SELECT a FROM t WHERE", "SELECT 1; SELECT 2", "SELECT (1,)", " ", "DROP"],
)
def test_a_malformed_statement_is_refused_when_it_is_submitted(athena: Any, sql: str) -> None:
    assert refused(athena, sql)


def test_a_mistake_is_named_with_its_place(athena: Any) -> None:
    assert refused(athena, "SELECT a,\nFROM t").startswith("line 2:")
    assert refused(athena, "selct 1") == "line 1:1: mismatched input 'selct'"


@pytest.mark.parametrize(
    "sql",
    ["DELETE FROM t", "UPDATE t SET a = 1", "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE"],
)
def test_what_is_not_done_here_is_refused_and_not_acknowledged(athena: Any, sql: str) -> None:
    assert refused(athena, sql) == "Queries of this type are not supported"


def test_no_place_for_the_result_is_an_error(athena: Any) -> None:
    assert refused(athena, "SELECT 1", ResultConfiguration={}).startswith("No output location provided")


@pytest.mark.parametrize("enforce", [True, False])
def test_a_workgroup_that_enforces_its_place_overrides_the_callers(athena: Any, enforce: bool) -> None:
    own = f"s3://{BUCKET}/workgroup-{enforce}/"
    name = f"group-{uuid.uuid4().hex[:8]}"
    configuration = {"ResultConfiguration": {"OutputLocation": own}, "EnforceWorkGroupConfiguration": enforce}
    athena.create_work_group(Name=name, Configuration=configuration)
    execution = run(athena, "SELECT 1", WorkGroup=name).execution
    expected = own if enforce else RESULTS
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(expected)
    assert run(athena, "SELECT 1", WorkGroup=name, ResultConfiguration={}).state == "SUCCEEDED"
    assert len(athena.list_query_executions(WorkGroup=name)["QueryExecutionIds"]) == 2


def test_a_workgroups_limit_of_scanned_bytes_cancels_a_query(athena: Any, gateway: Any) -> None:
    line = b'{"a": "' + b"x" * 600_000 + b'"}\n'
    gateway.client("s3").put_object(Bucket=BUCKET, Key="bulky/part", Body=line * 10)
    serde = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
    run(athena, f"CREATE EXTERNAL TABLE bulky (a string) {serde} LOCATION 's3://{BUCKET}/bulky/'")
    athena.create_work_group(Name="limited", Configuration={"BytesScannedCutoffPerQuery": 10_000_000})
    once = "SELECT length(a) FROM bulky"
    assert run(athena, once, WorkGroup="limited").state == "SUCCEEDED"
    answer = run(athena, f"{once} UNION ALL {once}", WorkGroup="limited")
    assert (answer.state, answer.reason) == ("CANCELLED", "Bytes scanned limit was exceeded")


def test_one_token_starts_one_query(athena: Any) -> None:
    token = str(uuid.uuid4())
    first = start(athena, "SELECT 1", ClientRequestToken=token)
    assert start(athena, "SELECT 1", ClientRequestToken=token) == first
    assert "Idempotent" in refused(athena, "SELECT 2", ClientRequestToken=token)


def test_stopping_interrupts_a_running_query(athena: Any) -> None:
    query_id = start(athena, ENDLESS)
    while (
        athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]["State"] == "QUEUED"
    ):
        time.sleep(0.01)
    with pytest.raises(ClientError, match="not yet finished"):
        athena.get_query_results(QueryExecutionId=query_id)
    time.sleep(0.2)
    athena.stop_query_execution(QueryExecutionId=query_id)
    stopped = time.monotonic()
    status = ended(athena, query_id)["Status"]
    assert status["State"] == "CANCELLED" and status["StateChangeReason"] == "Query cancelled by user"
    assert time.monotonic() - stopped < 5
    with pytest.raises(ClientError, match="CANCELLED"):
        athena.get_query_results(QueryExecutionId=query_id)
    athena.stop_query_execution(QueryExecutionId=query_id)
    assert ended(athena, query_id)["Status"] == status


def test_a_waiting_query_is_cancelled_at_once_and_the_others_go_on(athena: Any) -> None:
    running = [start(athena, ENDLESS) for _ in range(4)]
    while any(
        execution["Status"]["State"] == "QUEUED"
        for execution in athena.batch_get_query_execution(QueryExecutionIds=running)["QueryExecutions"]
    ):
        time.sleep(0.01)
    waiting, patient = start(athena, "SELECT 1"), start(athena, "SELECT 2")
    athena.stop_query_execution(QueryExecutionId=waiting)
    assert ended(athena, waiting)["Status"]["State"] == "CANCELLED"
    for query_id in running:
        athena.stop_query_execution(QueryExecutionId=query_id)
    assert ended(athena, patient)["Status"]["State"] == "SUCCEEDED"


def test_an_unknown_query_is_an_error(athena: Any) -> None:
    unknown = str(uuid.uuid4())
    with pytest.raises(ClientError, match="was not found"):
        athena.get_query_execution(QueryExecutionId=unknown)
    answer = athena.batch_get_query_execution(QueryExecutionIds=[unknown])
    assert [item["QueryExecutionId"] for item in answer["UnprocessedQueryExecutionIds"]] == [unknown]


def test_parameters_take_the_place_of_question_marks_in_order(athena: Any) -> None:
    sql = "SELECT count(*) FROM raw_prices WHERE year = ? AND month < ?"
    assert run(athena, sql, ExecutionParameters=["'2014'", "'02'"]).rows == [["21"]]
    assert "Incorrect number of parameters" in refused(athena, sql, ExecutionParameters=["'2014'"])
