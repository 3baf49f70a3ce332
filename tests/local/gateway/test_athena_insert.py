"""INSERT INTO, CREATE TABLE AS and UNLOAD: what lies in S3 and in the catalog afterwards, read back by others."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.local.gateway.athena_client import BUCKET, DATABASE, Answer, bars, run

JSON_SERDE = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
TYPES = "(a int, b string, c double, d decimal(5,2), e date, f timestamp, g array<int>, h varchar(3))"


def done(athena: Any, sql: str, **options: Any) -> Answer:
    """Run a statement that must succeed."""
    answer = run(athena, sql, **options)
    assert answer.state == "SUCCEEDED", answer.reason
    return answer


def keys(gateway: Any, prefix: str) -> list[str]:
    listed = gateway.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return sorted(item["Key"] for item in listed.get("Contents", []))


def manifest(gateway: Any, answer: Answer) -> list[str]:
    place = answer.execution["Statistics"]["DataManifestLocation"]
    body = gateway.client("s3").get_object(Bucket=BUCKET, Key=place.removeprefix(f"s3://{BUCKET}/"))["Body"]
    return sorted(line.removeprefix(f"s3://{BUCKET}/") for line in body.read().decode().split())


def partitions(gateway: Any, table: str) -> dict[tuple[str, ...], str]:
    found = gateway.client("glue").get_partitions(DatabaseName=DATABASE, TableName=table)["Partitions"]
    return {tuple(item["Values"]): item["StorageDescriptor"]["Location"] for item in found}


def test_inserted_rows_join_those_of_a_partitioned_table(athena: Any, gateway: Any) -> None:
    done(
        athena,
        "CREATE EXTERNAL TABLE copied (date date, close_price double, volume bigint) PARTITIONED BY (year string)"
        f" STORED AS PARQUET LOCATION 's3://{BUCKET}/copied/'",
    )
    select = "SELECT date, close_price, volume, year FROM raw_prices WHERE"
    first = done(athena, f"INSERT INTO copied {select} year = '2013'")
    assert (first.execution["StatementType"], first.execution["SubstatementType"]) == ("DML", "INSERT")
    assert first.page and first.page["UpdateCount"] == 252
    assert partitions(gateway, "copied") == {("2013",): f"s3://{BUCKET}/copied/year=2013/"}
    second = done(
        athena, f"INSERT INTO copied {select} year >= '2013' AND volume > ?", ExecutionParameters=["0"]
    )
    assert keys(gateway, "copied/") == sorted(manifest(gateway, first) + manifest(gateway, second))
    assert set(partitions(gateway, "copied")) == {("2013",), ("2014",)}
    body = gateway.client("s3").get_object(Bucket=BUCKET, Key=manifest(gateway, first)[0])["Body"].read()
    written = pq.read_table(io.BytesIO(body))
    expected = sorted((b["date"], b["close_price"], b["volume"]) for b in bars("2014"))
    assert sorted((str(r["date"]), r["close_price"], r["volume"]) for r in written.to_pylist()) == expected
    answer = done(athena, "SELECT count(*), count(DISTINCT date), min(year) FROM copied")
    assert answer.rows == [[str(252 + 504), "504", "2013"]]


def test_an_existing_partition_keeps_its_place(athena: Any, gateway: Any) -> None:
    done(
        athena,
        f"CREATE EXTERNAL TABLE placed (a int) PARTITIONED BY (k string) {JSON_SERDE}"
        f" LOCATION 's3://{BUCKET}/placed/'",
    )
    done(athena, f"ALTER TABLE placed ADD PARTITION (k = 'x') LOCATION 's3://{BUCKET}/other-place/'")
    done(athena, "INSERT INTO placed VALUES (1, 'x'), (2, 'a b:c'), (3, NULL), (4, ''), (NULL, 'x')")
    assert partitions(gateway, "placed") == {
        ("x",): f"s3://{BUCKET}/other-place/",
        ("a b:c",): f"s3://{BUCKET}/placed/k=a b%3Ac/",
        ("__HIVE_DEFAULT_PARTITION__",): f"s3://{BUCKET}/placed/k=__HIVE_DEFAULT_PARTITION__/",
    }
    assert len(keys(gateway, "other-place/")) == 1 and keys(gateway, "other-place/")[0].endswith(".gz")
    body = gateway.client("s3").get_object(Bucket=BUCKET, Key=keys(gateway, "other-place/")[0])["Body"].read()
    assert [json.loads(line) for line in gzip.decompress(body).splitlines()] == [{"a": 1}, {"a": None}]
    assert done(athena, "SELECT a, k FROM placed WHERE a > 0 ORDER BY a").rows == [
        ["1", "x"],
        ["2", "a b:c"],
        ["3", None],
        ["4", None],
    ]
    before = done(athena, "SHOW PARTITIONS placed").lines
    done(athena, "MSCK REPAIR TABLE placed")
    assert done(athena, "SHOW PARTITIONS placed").lines == before


@pytest.mark.parametrize("storage", ["STORED AS PARQUET", JSON_SERDE])
def test_every_type_is_read_back_as_it_was_inserted(athena: Any, storage: str) -> None:
    table = "typed_" + ("parquet" if "PARQUET" in storage else "json")
    done(athena, f"CREATE EXTERNAL TABLE {table} {TYPES} {storage} LOCATION 's3://{BUCKET}/{table}/'")
    row = "1, 'it''s \"x\"', 0.1e0, 1.25, DATE '2024-02-29', TIMESTAMP '2024-01-02 03:04:05.678', ARRAY[1, 2], 'abc'"
    done(athena, f"INSERT INTO {table} VALUES ({row})")
    done(athena, f"INSERT INTO {table} (b, a) VALUES ('named', 2)")
    done(athena, f"INSERT INTO {table} (a, c, d, f, h) SELECT BIGINT '3', 7, 2, DATE '2024-01-01', 'ab  '")
    assert done(athena, f"SELECT * FROM {table} ORDER BY a").rows == [
        ["1", 'it\'s "x"', "0.1", "1.25", "2024-02-29", "2024-01-02 03:04:05.678", "[1, 2]", "abc"],
        ["2", "named", None, None, None, None, None, None],
        ["3", None, "7.0", "2.00", None, "2024-01-01 00:00:00.000", None, "ab "],
    ]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "INSERT INTO fixed SELECT 'x', 'y', 'k'",
            "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [integer, varchar(3),"
            " date], Query: [varchar, varchar, varchar]",
        ),
        ("INSERT INTO fixed VALUES (1, 'x')", "TYPE_MISMATCH: "),
        ("INSERT INTO fixed (a) VALUES (ARRAY[1])", "TYPE_MISMATCH: "),
        ("INSERT INTO fixed VALUES (NULL, NULL, NULL, NULL)", "TYPE_MISMATCH: "),
        ("INSERT INTO fixed (nope) VALUES (1)", "COLUMN_NOT_FOUND: "),
        ("INSERT INTO fixed (a, A) VALUES (1, 1)", "DUPLICATE_COLUMN_NAME: "),
        ("INSERT INTO fixed (a) VALUES (3000000000)", "NUMERIC_VALUE_OUT_OF_RANGE: "),
        ("INSERT INTO fixed (b) VALUES ('abcd')", "INVALID_CAST_ARGUMENT: Cannot truncate non-space"),
        ("INSERT INTO fixed SELECT 1, 'x', date FROM raw_prices", "HIVE_TOO_MANY_OPEN_PARTITIONS: "),
        ("INSERT INTO fixed SELECT 1, 'x', date FROM raw_prices WHERE volume / 0 = 1", "DIVISION_BY_ZERO: "),
        ("INSERT INTO nowhere VALUES (1)", "TABLE_NOT_FOUND: "),
        ("INSERT INTO fixed_view VALUES (1)", "NOT_SUPPORTED: line 1:1: Inserting into views"),
    ],
)
def test_rows_that_do_not_fit_leave_nothing(athena: Any, gateway: Any, sql: str, reason: str) -> None:
    done(
        athena,
        "CREATE EXTERNAL TABLE IF NOT EXISTS fixed (a int, b varchar(3)) PARTITIONED BY (day date)"
        f" STORED AS PARQUET LOCATION 's3://{BUCKET}/fixed/'",
    )
    done(athena, "CREATE OR REPLACE VIEW fixed_view AS SELECT a FROM fixed")
    answer = run(athena, sql)
    assert (answer.state, answer.reason[: len(reason)]) == ("FAILED", reason)
    assert keys(gateway, "fixed/") == [] and partitions(gateway, "fixed") == {}


def test_overwrite_is_refused_when_it_is_submitted(athena: Any) -> None:
    with pytest.raises(athena.exceptions.InvalidRequestException, match="INSERT INTO"):
        run(athena, "INSERT OVERWRITE TABLE fixed SELECT 1")


def test_ctas_writes_json_without_data_and_by_parameters(athena: Any, gateway: Any) -> None:
    made = done(
        athena,
        f"CREATE TABLE as_json WITH (format = 'JSON', write_compression = 'NONE', partitioned_by = ARRAY['year'],"
        f" external_location = 's3://{BUCKET}/as-json/') AS SELECT date, close_price, year FROM raw_prices"
        " WHERE date >= CAST(? AS date)",
        ExecutionParameters=["'2014-12-30'"],
    )
    (key,) = manifest(gateway, made)
    assert key.startswith("as-json/year=2014/")
    lines = gateway.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().splitlines()
    expected = [
        {"date": b["date"], "close_price": b["close_price"]} for b in bars() if b["date"] >= "2014-12-30"
    ]
    assert sorted(map(json.loads, lines), key=lambda line: str(line["date"])) == expected
    assert done(athena, "SELECT count(*) FROM as_json WHERE year = '2014'").rows == [[str(len(expected))]]
    empty = done(athena, "CREATE TABLE as_shape AS SELECT * FROM raw_prices WITH NO DATA")
    assert manifest(gateway, empty) == [] and empty.scanned == 0
    assert done(athena, "SELECT * FROM as_shape").rows == []
    assert done(athena, "SHOW COLUMNS IN as_shape").lines == done(athena, "SHOW COLUMNS IN raw_prices").lines
    again = done(athena, "CREATE TABLE IF NOT EXISTS as_shape AS SELECT 1 AS a")
    assert again.page and again.page["UpdateCount"] == 0


def test_unload_leaves_objects_and_no_table(athena: Any, gateway: Any) -> None:
    place = f"s3://{BUCKET}/unloaded/"
    sql = (
        "UNLOAD (SELECT date, close_price, year FROM raw_prices WHERE close_price > ?)"
        f" TO '{place}' WITH (format = 'PARQUET', compression = 'SNAPPY', partitioned_by = ARRAY['year'])"
    )
    answer = done(athena, sql, ExecutionParameters=["50"])
    assert answer.execution["SubstatementType"] == "UNLOAD"
    assert keys(gateway, "unloaded/") == manifest(gateway, answer)
    rows = []
    for key in keys(gateway, "unloaded/"):
        body = gateway.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        rows += [
            (str(row["date"]), row["close_price"]) for row in pq.read_table(io.BytesIO(body)).to_pylist()
        ]
    assert rows and sorted(rows) == [(b["date"], b["close_price"]) for b in bars() if b["close_price"] > 50]
    taken = run(athena, sql, ExecutionParameters=["50"])
    assert taken.reason.startswith("HIVE_PATH_ALREADY_EXISTS: ")
    other = sql.replace("unloaded", "unloaded-orc").replace("PARQUET", "ORC")
    assert run(athena, other, ExecutionParameters=["1"]).reason.startswith("NOT_SUPPORTED: ")
