"""Statements that show and change the catalog: what they show makes the same table again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.gateway.athena_client import BUCKET, DATABASE, Answer, bars, run

SERDE = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
HUDI = f"""
CREATE EXTERNAL TABLE as_hudi (`_hoodie_commit_time` string, stock_symbol string, close_price double)
PARTITIONED BY (`year` string)
ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'
STORED AS INPUTFORMAT 'org.apache.hudi.hadoop.HoodieParquetInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat'
LOCATION 's3://{BUCKET}/as-hudi/'
"""
TABLES = {
    "as_hudi": HUDI,
    "as_text": (
        "CREATE EXTERNAL TABLE as_text (`a` string COMMENT 'it\\'s a \"first\"', b struct<x:int,y:array<string>>,"
        " c decimal(10,2), d map<string,double>) COMMENT 'one; two' PARTITIONED BY (`day` date COMMENT 'of trade')"
        f" {SERDE} WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true') LOCATION 's3://{BUCKET}/as-text/'"
        " TBLPROPERTIES ('classification' = 'json', 'projection.enabled' = 'false')"
    ),
    "as_parquet": f"CREATE EXTERNAL TABLE as_parquet (a int) STORED AS PARQUET LOCATION 's3://{BUCKET}/p/'",
    "as_select": "CREATE TABLE as_select WITH (partitioned_by = ARRAY['b']) AS SELECT 1 AS a, 'x' AS b",
}


def done(athena: Any, sql: str) -> Answer:
    answer = run(athena, sql)
    assert answer.state == "SUCCEEDED", answer.reason
    return answer


def entry(gateway: Any, name: str) -> dict[str, Any]:
    """Return what the catalog has of a table, without its times."""
    table = gateway.client("glue").get_table(DatabaseName=DATABASE, Name=name)["Table"]
    parts = ("TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
    return {part: table[part] for part in parts}


def shown(athena: Any, sql: str) -> str:
    return "\n".join(str(line[0]) for line in done(athena, sql).lines)


@pytest.mark.parametrize("name", TABLES)
def test_what_show_create_shows_makes_the_same_table(athena: Any, gateway: Any, name: str) -> None:
    done(athena, TABLES[name])
    made = entry(gateway, name)
    for asked in (name, f"{DATABASE}.{name}"):
        statement = shown(athena, f"SHOW CREATE TABLE {asked}")
        done(athena, f"DROP TABLE {asked}")
        done(athena, statement)
        assert entry(gateway, name) == made


def test_show_create_is_laid_out_as_hive_does(athena: Any) -> None:
    done(athena, "DROP TABLE IF EXISTS as_text")
    done(athena, TABLES["as_text"])
    assert shown(athena, "SHOW CREATE TABLE as_text") == (
        "CREATE EXTERNAL TABLE `as_text`(\n"
        "  `a` string COMMENT 'it\\'s a \"first\"', \n"
        "  `b` struct<x:int,y:array<string>>, \n"
        "  `c` decimal(10,2), \n"
        "  `d` map<string,double>)\n"
        "COMMENT 'one; two'\n"
        "PARTITIONED BY ( \n"
        "  `day` date COMMENT 'of trade')\n"
        "ROW FORMAT SERDE \n"
        "  'org.openx.data.jsonserde.JsonSerDe' \n"
        "WITH SERDEPROPERTIES ( \n"
        "  'ignore.malformed.json'='true') \n"
        "STORED AS INPUTFORMAT \n"
        "  'org.apache.hadoop.mapred.TextInputFormat' \n"
        "OUTPUTFORMAT \n"
        "  'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'\n"
        "LOCATION\n"
        f"  's3://{BUCKET}/as-text/'\n"
        "TBLPROPERTIES (\n"
        "  'classification'='json', \n"
        "  'projection.enabled'='false')"
    )


def test_a_view_shown_and_made_again_answers_the_same(athena: Any) -> None:
    done(
        athena,
        "CREATE OR REPLACE VIEW yearly_tops AS\nSELECT year, max(high_price) AS top\nFROM raw_prices GROUP BY 1",
    )
    before = done(athena, "SELECT * FROM yearly_tops ORDER BY year").rows
    statement = shown(athena, "SHOW CREATE VIEW yearly_tops")
    assert statement.startswith(f"CREATE VIEW {DATABASE}.yearly_tops AS\nSELECT year,")
    done(athena, "DROP VIEW yearly_tops")
    done(athena, statement)
    assert done(athena, "SELECT * FROM yearly_tops ORDER BY year").rows == before and len(before) == 2
    assert run(athena, "SHOW CREATE TABLE yearly_tops").reason.startswith("FAILED: SemanticException: ")
    assert run(athena, "SHOW CREATE VIEW raw_prices").reason.startswith("NOT_SUPPORTED: ")


@pytest.fixture
def months(athena: Any) -> str:
    """A table over the raw prices whose catalog entry may be changed."""
    done(athena, "DROP TABLE IF EXISTS months")
    done(
        athena,
        "CREATE EXTERNAL TABLE months (`date` date, volume bigint) PARTITIONED BY (year string, month string)"
        f" {SERDE} LOCATION 's3://{BUCKET}/prices/'",
    )
    done(athena, "MSCK REPAIR TABLE months")
    return "months"


def count(athena: Any, table: str) -> int:
    return int(str(done(athena, f"SELECT count(*) FROM {table}").rows[0][0]))


def test_dropped_partitions_are_gone_from_the_catalog_alone(athena: Any, months: str) -> None:
    done(athena, "ALTER TABLE months DROP PARTITION (year = '2013', month = '01'), PARTITION (year = '2014')")
    assert len(done(athena, "SHOW PARTITIONS months").lines) == 11
    assert count(athena, months) == sum(b["date"][:4] == "2013" and b["date"][5:7] != "01" for b in bars())
    again = "PARTITION (year = '2014')"
    assert "Partition not found" in run(athena, f"ALTER TABLE months DROP {again}").reason
    done(athena, f"ALTER TABLE months DROP IF EXISTS {again}")
    assert "does not match the keys" in run(athena, "ALTER TABLE months DROP PARTITION (day = '1')").reason
    done(athena, "MSCK REPAIR TABLE months")
    assert count(athena, months) == len(bars())


def test_a_new_location_is_where_rows_are_read(athena: Any, months: str) -> None:
    place = f"s3://{BUCKET}/prices/year=2014/month=02/"
    done(athena, f"ALTER TABLE months PARTITION (year = '2013', month = '01') SET LOCATION '{place}'")
    answer = done(athena, "SELECT min(date), max(date) FROM months WHERE year = '2013' AND month = '01'")
    february = [b["date"] for b in bars() if b["date"].startswith("2014-02")]
    assert answer.rows == [[min(february), max(february)]]
    done(athena, f"ALTER TABLE months SET LOCATION 's3://{BUCKET}/elsewhere'")
    assert f"'s3://{BUCKET}/elsewhere/'" in shown(athena, "SHOW CREATE TABLE months")
    assert run(athena, "ALTER TABLE months SET LOCATION 'hdfs://x/'").state == "FAILED"
    missing = "ALTER TABLE months PARTITION (year = '1999', month = '01') SET LOCATION 's3://x/'"
    assert "Partition not found" in run(athena, missing).reason


def test_properties_are_set_and_shown(athena: Any, months: str) -> None:
    done(athena, "ALTER TABLE months SET TBLPROPERTIES ('a.b' = 'it\\'s', 'c' = '2')")
    done(athena, "ALTER TABLE months SET TBLPROPERTIES ('c' = '3')")
    assert shown(athena, "SHOW TBLPROPERTIES months") == "EXTERNAL\tTRUE\na.b\tit's\nc\t3"
    assert shown(athena, "SHOW TBLPROPERTIES months('c')") == "3"


def test_a_column_that_older_objects_lack_is_null(athena: Any, gateway: Any, months: str) -> None:
    done(athena, "ALTER TABLE months ADD COLUMNS (close_price double COMMENT 'at the end', rating int)")
    answer = done(athena, "SELECT close_price, rating FROM months WHERE year = '2013' ORDER BY date LIMIT 1")
    assert answer.rows == [[str(bars()[0]["close_price"]), None]]
    described = done(athena, "DESCRIBE months").lines
    assert str(described[2][0]).split("\t")[2].strip() == "at the end"
    assert "Duplicate column name: year" in run(athena, "ALTER TABLE months ADD COLUMNS (year int)").reason
    done(athena, "ALTER TABLE months REPLACE COLUMNS (volume bigint)")
    assert list(done(athena, "SELECT * FROM months LIMIT 1").columns) == ["volume", "year", "month"]


def test_added_columns_of_parquet_are_null_in_old_objects_only(athena: Any) -> None:
    done(
        athena,
        "CREATE EXTERNAL TABLE grown (a int) PARTITIONED BY (k string) STORED AS PARQUET"
        f" LOCATION 's3://{BUCKET}/grown/'",
    )
    done(athena, "INSERT INTO grown VALUES (1, 'old')")
    done(athena, "ALTER TABLE grown ADD COLUMNS (b double, c struct<x:int>)")
    done(athena, "INSERT INTO grown (a, b, k) VALUES (2, 2.5, 'new')")
    assert done(athena, "SELECT a, b, c FROM grown WHERE k = 'old'").rows == [["1", None, None]]
    assert done(athena, "SELECT a, b, c FROM grown ORDER BY a").rows == [
        ["1", None, None],
        ["2", "2.5", None],
    ]


def test_a_database_with_tables_is_dropped_by_cascade_alone(athena: Any) -> None:
    done(athena, "CREATE DATABASE passing")
    done(athena, "CREATE TABLE passing.a AS SELECT 1 AS a")
    assert "Database passing is not empty" in run(athena, "DROP DATABASE passing").reason
    done(athena, "DROP DATABASE passing CASCADE")
    assert ["passing"] not in done(athena, "SHOW DATABASES").lines
    assert "Database does not exist: passing" in run(athena, "DROP SCHEMA passing").reason
    done(athena, "DROP DATABASE IF EXISTS passing")
