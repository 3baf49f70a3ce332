"""Definitions through Athena: tables, partitions, views and CTAS, as the catalog and S3 then hold them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.gateway.athena_client import BUCKET, DATABASE, bars, run


def done(athena: Any, sql: str) -> None:
    """Run a statement that must succeed."""
    answer = run(athena, sql)
    assert answer.state == "SUCCEEDED", answer.reason


def test_an_external_table_is_in_the_catalog_as_hive_writes_it(athena: Any, gateway: Any) -> None:
    done(
        athena,
        "CREATE EXTERNAL TABLE IF NOT EXISTS shapes (a string COMMENT 'first', b struct<x:int,y:array<string>>,"
        " c decimal(10,2)) PARTITIONED BY (`day` date) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
        f" LOCATION 's3://{BUCKET}/shapes' TBLPROPERTIES ('classification' = 'json')",
    )
    table = gateway.client("glue").get_table(DatabaseName=DATABASE, Name="shapes")["Table"]
    descriptor = table["StorageDescriptor"]
    assert descriptor["Columns"] == [
        {"Name": "a", "Type": "string", "Comment": "first"},
        {"Name": "b", "Type": "struct<x:int,y:array<string>>"},
        {"Name": "c", "Type": "decimal(10,2)"},
    ]
    assert table["PartitionKeys"] == [{"Name": "day", "Type": "date"}]
    assert descriptor["Location"] == f"s3://{BUCKET}/shapes/"
    assert table["Parameters"]["classification"] == "json"


def test_added_partitions_are_read_wherever_they_lie(athena: Any, gateway: Any) -> None:
    s3 = gateway.client("s3")
    s3.put_object(Bucket=BUCKET, Key="elsewhere/part", Body=b'{"a": 1}\n{"a": 2}\n')
    s3.put_object(Bucket=BUCKET, Key="added/day=2024-01-02/part", Body=b'{"a": 4}\n')
    done(
        athena,
        "CREATE EXTERNAL TABLE added (a int) PARTITIONED BY (day date)"
        f" ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://{BUCKET}/added/'",
    )
    added = (
        f"PARTITION (day = '2024-01-01') LOCATION 's3://{BUCKET}/elsewhere/' PARTITION (day = '2024-01-02')"
    )
    done(athena, f"ALTER TABLE added ADD {added}")
    done(athena, f"ALTER TABLE added ADD IF NOT EXISTS {added}")
    assert run(athena, f"ALTER TABLE added ADD {added}").reason.startswith("FAILED: ")
    assert run(athena, "SELECT day, sum(a) FROM added GROUP BY day ORDER BY day").rows == [
        ["2024-01-01", "3"],
        ["2024-01-02", "4"],
    ]
    assert run(athena, "SHOW PARTITIONS added").lines == [["day=2024-01-01"], ["day=2024-01-02"]]


def test_repair_finds_the_folders_that_are_there(athena: Any) -> None:
    listed = run(athena, "SHOW PARTITIONS raw_prices").lines
    assert listed == [[f"year={m[:4]}/month={m[5:]}"] for m in sorted({bar["date"][:7] for bar in bars()})]
    done(athena, "MSCK REPAIR TABLE raw_prices")
    assert run(athena, "SHOW PARTITIONS raw_prices").lines == listed


def test_show_and_describe_are_text_without_a_header(athena: Any, gateway: Any) -> None:
    tables = run(athena, "SHOW TABLES LIKE 'raw*'")
    assert tables.lines == [["raw_prices"]] and tables.columns == {"tab_name": "string"}
    assert tables.execution["StatementType"] == "UTILITY"
    assert tables.execution["ResultConfiguration"]["OutputLocation"].endswith(".txt")
    assert [DATABASE] in run(athena, "SHOW DATABASES").lines
    described = [str(line[0]).split() for line in run(athena, f"DESCRIBE {DATABASE}.raw_prices").lines]
    assert described[0] == ["stock_symbol", "string"] and described[8] == ["month", "string"]
    assert run(athena, "SHOW TABLES IN nowhere").state == "FAILED"


def test_a_view_is_what_its_query_is_now(athena: Any) -> None:
    done(athena, "CREATE OR REPLACE VIEW closes AS SELECT date, close_price AS price, year FROM raw_prices")
    done(athena, "CREATE OR REPLACE VIEW tops AS SELECT year, max(price) AS top FROM closes GROUP BY year")
    tops = {year: max(b["close_price"] for b in bars() if b["date"][:4] == year) for year in ("2013", "2014")}
    assert run(athena, "SELECT * FROM tops ORDER BY year").rows == [[y, str(top)] for y, top in tops.items()]
    done(athena, "CREATE OR REPLACE VIEW tops AS SELECT year, min(price) AS low FROM closes GROUP BY year")
    assert list(run(athena, "SELECT * FROM tops").columns) == ["year", "low"]
    assert run(athena, "CREATE VIEW tops AS SELECT 1 AS a").reason.startswith("ALREADY_EXISTS: ")
    assert run(athena, "CREATE VIEW unnamed AS SELECT 1 + 1").reason.startswith("MISSING_COLUMN_NAME: ")
    assert run(athena, "CREATE VIEW broken AS SELECT nope FROM raw_prices").reason.startswith(
        "COLUMN_NOT_FOUND"
    )
    assert run(athena, "DROP TABLE tops").state == "FAILED"
    done(athena, "DROP VIEW tops")
    assert run(athena, "SELECT * FROM tops").reason.startswith("TABLE_NOT_FOUND: ")


def test_ctas_keeps_every_row_and_type_and_names_its_objects(athena: Any, gateway: Any) -> None:
    answer = run(
        athena,
        "CREATE TABLE yearly WITH (format = 'PARQUET', partitioned_by = ARRAY['year']) AS"
        " SELECT date, close_price, sum(volume) OVER (ORDER BY date) AS total, year FROM raw_prices",
    )
    assert answer.state == "SUCCEEDED", answer.reason
    assert answer.page and answer.page["UpdateCount"] == len(bars())
    table = gateway.client("glue").get_table(DatabaseName=DATABASE, Name="yearly")["Table"]
    assert [c["Type"] for c in table["StorageDescriptor"]["Columns"]] == ["date", "double", "bigint"]
    manifest = answer.execution["Statistics"]["DataManifestLocation"].removeprefix(f"s3://{BUCKET}/")
    named = gateway.client("s3").get_object(Bucket=BUCKET, Key=manifest)["Body"].read().decode().split()
    assert run(athena, 'SELECT DISTINCT "$path" AS p FROM yearly ORDER BY p').rows == [
        [n] for n in sorted(named)
    ]
    same = (
        "SELECT count(*), sum(t.total - r.volume) FROM yearly t JOIN raw_prices r USING (date, close_price)"
    )
    totals, running = 0, 0
    for bar in bars():
        running += bar["volume"]
        totals += running - bar["volume"]
    assert run(athena, same).rows == [[str(len(bars())), str(totals)]]
    assert run(athena, "SELECT year, count(*) FROM yearly GROUP BY 1 ORDER BY 1").rows == [
        ["2013", "252"],
        ["2014", "252"],
    ]


def test_ctas_into_a_place_or_name_that_is_taken_is_refused(athena: Any) -> None:
    place = f"WITH (external_location = 's3://{BUCKET}/taken/')"
    done(athena, f"CREATE TABLE taken {place} AS SELECT 1 AS a")
    assert run(athena, "CREATE TABLE taken AS SELECT 1 AS a").reason.startswith("TABLE_ALREADY_EXISTS: ")
    assert run(athena, f"CREATE TABLE other {place} AS SELECT 1 AS a").reason.startswith(
        "HIVE_PATH_ALREADY_EXISTS: "
    )


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("CREATE TABLE bad AS SELECT 1 + 1", "MISSING_COLUMN_NAME: "),
        ("CREATE TABLE bad WITH (format = 'ORC') AS SELECT 1 AS a", "NOT_SUPPORTED: "),
        ("CREATE TABLE bad WITH (bucket_count = 3) AS SELECT 1 AS a", "NOT_SUPPORTED: "),
        (
            "CREATE TABLE bad WITH (partitioned_by = ARRAY['a']) AS SELECT 1 AS a, 2 AS b",
            "HIVE_COLUMN_ORDER_MISMATCH: ",
        ),
        (
            "CREATE TABLE bad WITH (partitioned_by = ARRAY['d']) AS SELECT 1 AS a, date AS d FROM raw_prices",
            "HIVE_TOO_MANY_OPEN_PARTITIONS: ",
        ),
        (
            "CREATE EXTERNAL TABLE bad (a int) ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe'"
            " LOCATION 's3://athena-tests/bad'",
            "NOT_SUPPORTED: ",
        ),
        ("DROP TABLE bad", "FAILED: SemanticException [Error 10001]: Table not found athena_tests.bad"),
    ],
)
def test_what_cannot_be_made_fails_with_a_reason_and_leaves_nothing(
    athena: Any, gateway: Any, sql: str, reason: str
) -> None:
    answer = run(athena, sql)
    assert (answer.state, answer.reason[: len(reason)]) == ("FAILED", reason)
    assert run(athena, "SHOW TABLES 'bad'").lines == []


def test_a_parquet_table_of_other_types_than_its_files_is_bad_data(athena: Any) -> None:
    place = f"s3://{BUCKET}/numbers/"
    done(athena, f"CREATE TABLE numbers WITH (external_location = '{place}') AS SELECT 1 AS a, 'x' AS b")
    done(athena, f"CREATE EXTERNAL TABLE wider (a bigint, c double) STORED AS PARQUET LOCATION '{place}'")
    assert run(athena, "SELECT a, c FROM wider").rows == [["1", None]]
    done(athena, f"CREATE EXTERNAL TABLE wrong (a string) STORED AS PARQUET LOCATION '{place}'")
    assert run(athena, "SELECT a FROM wrong").reason.startswith("HIVE_BAD_DATA: Field a's type int ")
