"""The catalog through queries (information_schema, ``$partitions``) and through Athena's API; prepared statements."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.gateway.athena_client import BUCKET, DATABASE, Answer, bars, run, start

COLUMNS = {
    "a": "varchar",
    "b": "row(x integer, y array(double))",
    "c": "decimal(10,2)",
    "d": "timestamp(3)",
    "e": "map(varchar, bigint)",
    "day": "date",
}


def done(athena: Any, sql: str, **options: Any) -> Answer:
    answer = run(athena, sql, **options)
    assert answer.state == "SUCCEEDED", answer.reason
    return answer


@pytest.fixture(scope="module")
def shapes(athena: Any) -> str:
    """A table of nested types, a view, and a database of their own."""
    name = "catalog_tests"
    done(athena, f"DROP DATABASE IF EXISTS {name} CASCADE")
    done(athena, f"CREATE DATABASE {name}")
    done(
        athena,
        f"CREATE EXTERNAL TABLE {name}.shapes (a string COMMENT 'first', b struct<x:int,y:array<double>>,"
        " c decimal(10,2), d timestamp, e map<string,bigint>) PARTITIONED BY (`day` date)"
        f" ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://{BUCKET}/catalog-shapes/'",
    )
    done(
        athena, f"ALTER TABLE {name}.shapes ADD PARTITION (day = '2024-01-02') PARTITION (day = '2024-01-01')"
    )
    done(athena, f"CREATE VIEW {name}.seen AS SELECT a, day FROM {name}.shapes")
    return name


def test_information_schema_tells_what_is_in_the_catalog(athena: Any, shapes: str) -> None:
    tables = done(
        athena,
        f"SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = '{shapes}' ORDER BY 1",
    )
    assert tables.rows == [["seen", "VIEW"], ["shapes", "BASE TABLE"]] and tables.scanned == 0
    columns = done(
        athena,
        "SELECT column_name, data_type, ordinal_position, comment, extra_info FROM information_schema.columns"
        f" WHERE table_schema = '{shapes}' AND table_name = 'shapes' ORDER BY ordinal_position",
    )
    assert columns.rows == [
        [name, kind, str(place), "first" if name == "a" else None, "partition key" if name == "day" else None]
        for place, (name, kind) in enumerate(COLUMNS.items(), 1)
    ]
    assert columns.columns["ordinal_position"] == "bigint"
    schemata = done(athena, "SELECT schema_name FROM awsdatacatalog.information_schema.schemata")
    assert {shapes, DATABASE, "information_schema"} <= {row[0] for row in schemata.rows}
    views = done(
        athena, f"SELECT view_definition FROM information_schema.views WHERE table_schema = '{shapes}'"
    )
    assert views.rows == [[f"SELECT a, day FROM {shapes}.shapes"]]
    missing = run(athena, "SELECT * FROM information_schema.nothing")
    assert missing.reason.startswith("TABLE_NOT_FOUND: line 1:34: ")


def test_its_tables_join_like_any_other(athena: Any, shapes: str) -> None:
    answer = done(
        athena,
        "SELECT t.table_name, count(*) FROM information_schema.tables t JOIN information_schema.columns c"
        " ON t.table_schema = c.table_schema AND t.table_name = c.table_name"
        f" WHERE t.table_schema = '{shapes}' GROUP BY 1 ORDER BY 1",
    )
    assert answer.rows == [["seen", "2"], ["shapes", "6"]]


def test_a_path_is_no_column_of_what_has_none(athena: Any, shapes: str) -> None:
    named = "WITH one AS (SELECT 1 AS a)"
    tables = f'one, {shapes}."shapes$partitions" p, raw_prices r'
    for star, first in (("one.*", "a"), ("p.*", "day"), ("r.*", "stock_symbol"), ("*", "a")):
        answer = done(athena, f'{named} SELECT {star}, r."$path" FROM {tables} LIMIT 1')
        shown = list(answer.columns)
        assert shown[0] == first and shown.count("$path") == 1 and shown[-1] == "$path"


def test_a_tables_partitions_are_a_table(athena: Any, shapes: str) -> None:
    answer = done(athena, f'SELECT max(day) AS latest FROM {shapes}."shapes$partitions"')
    assert answer.columns == {"latest": "date"} and answer.rows == [["2024-01-02"]]
    count = done(athena, "SELECT count(*) FROM \"raw_prices$partitions\" WHERE year = '2013'")
    assert count.rows == [["12"]]
    assert run(athena, f'SELECT * FROM {shapes}."seen$partitions"').reason.startswith("TABLE_NOT_FOUND: ")


def test_the_api_describes_databases_and_tables(athena: Any, shapes: str) -> None:
    catalog = {"CatalogName": "AwsDataCatalog"}
    assert athena.get_database(**catalog, DatabaseName=shapes)["Database"]["Name"] == shapes
    pages = athena.get_paginator("list_databases").paginate(**catalog, PaginationConfig={"PageSize": 1})
    names = [database["Name"] for page in pages for database in page["DatabaseList"]]
    assert shapes in names and len(names) == len(set(names)) > 1
    table = athena.get_table_metadata(**catalog, DatabaseName=shapes, TableName="shapes")["TableMetadata"]
    assert table["PartitionKeys"] == [{"Name": "day", "Type": "date"}]
    assert table["Columns"][0] == {"Name": "a", "Type": "string", "Comment": "first"}
    assert table["Parameters"]["location"] == f"s3://{BUCKET}/catalog-shapes/"
    listed = athena.list_table_metadata(**catalog, DatabaseName=shapes, Expression="s.*s")
    assert [found["Name"] for found in listed["TableMetadataList"]] == ["shapes"]
    paged = athena.get_paginator("list_table_metadata").paginate(
        **catalog, DatabaseName=shapes, PaginationConfig={"PageSize": 1}
    )
    assert [t["Name"] for page in paged for t in page["TableMetadataList"]] == ["seen", "shapes"]
    for call, arguments in (
        (athena.get_table_metadata, {**catalog, "DatabaseName": shapes, "TableName": "nothing"}),
        (athena.list_table_metadata, {**catalog, "DatabaseName": "nothing"}),
        (athena.get_database, {"CatalogName": "nothing", "DatabaseName": shapes}),
    ):
        with pytest.raises(athena.exceptions.MetadataException):
            call(**arguments)


def test_a_prepared_statement_runs_with_its_parameters(athena: Any) -> None:
    done(athena, "PREPARE volumes FROM SELECT sum(volume) FROM raw_prices WHERE year = ? AND close_price > ?")
    expected = [[str(sum(b["volume"] for b in bars() if b["date"][:4] == "2014" and b["close_price"] > 60))]]
    by_sql = done(athena, "EXECUTE volumes USING '2014', 60")
    assert by_sql.rows == expected and by_sql.execution["StatementType"] == "DML"
    assert done(athena, "EXECUTE volumes", ExecutionParameters=["'2014'", "60"]).rows == expected
    held = athena.get_prepared_statement(StatementName="volumes", WorkGroup="primary")
    assert held["PreparedStatement"]["QueryStatement"].startswith("SELECT sum(volume)")
    athena.create_prepared_statement(StatementName="one", WorkGroup="primary", QueryStatement="SELECT ? AS a")
    assert done(athena, "EXECUTE one USING 'x, y'").rows == [["x, y"]]
    for sql in (
        "EXECUTE nothing",
        "EXECUTE one",
        "EXECUTE one USING 1, 2",
        "PREPARE bad FROM DROP TABLE x",
        "CREATE VIEW v AS SELECT ?",
    ):
        with pytest.raises(athena.exceptions.InvalidRequestException):
            start(athena, sql)
    done(athena, "DEALLOCATE PREPARE volumes")
    with pytest.raises(athena.exceptions.InvalidRequestException, match="volumes was not found"):
        start(athena, "EXECUTE volumes USING '2014', 60")
    assert run(athena, "DEALLOCATE PREPARE volumes").state == "FAILED"


def test_explain_validates_and_shows_no_plan(athena: Any) -> None:
    valid = done(athena, "EXPLAIN (TYPE VALIDATE) SELECT close_price FROM raw_prices")
    assert valid.lines == [["true"]] and valid.columns == {"Valid": "boolean"} and valid.scanned == 0
    assert run(athena, "EXPLAIN (TYPE VALIDATE) SELECT nope FROM raw_prices").reason.startswith(
        "COLUMN_NOT_FOUND: "
    )
    with pytest.raises(athena.exceptions.InvalidRequestException, match="not supported"):
        start(athena, "EXPLAIN SELECT 1")
