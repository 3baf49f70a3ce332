"""One schema: every hop names and types a daily bar as nearcast.schema does."""

from __future__ import annotations

import re
from pathlib import Path

import sqlglot
from sqlglot import exp

from nearcast import schema
from nearcast.deploy.templates import parse, template_text
from nearcast.lake import hudi_job
from nearcast.stream import transformer

ROOT = Path(__file__).parents[1]


def postgres_columns(table: str) -> dict[str, str]:
    """Return names and types of a table of sql/create_tables.sql."""
    text = (ROOT / "sql" / "create_tables.sql").read_text()
    start = text.index(f"CREATE TABLE IF NOT EXISTS nearcast.{table} ")
    create = sqlglot.parse_one(text[start : text.index(";", start)], read="postgres")
    return {
        column.name: column.args["kind"].sql("postgres").lower() for column in create.find_all(exp.ColumnDef)
    }


def test_postgresql_holds_the_bar_under_its_names_and_types() -> None:
    columns = postgres_columns("prices")
    assert {column.name: column.postgres for column in schema.BAR}.items() <= columns.items()


def test_the_transformer_emits_the_bar() -> None:
    names = ("stock_symbol", "date", *transformer.PRICES, *transformer.INTEGERS)
    assert names == tuple(column.name for column in schema.BAR)


def test_the_hudi_job_writes_and_registers_the_bar() -> None:
    written = [column.split(" ") for column in hudi_job.SPARK_SCHEMA.split(", ")]
    assert written == [[column.name, column.lake] for column in schema.BAR] + [["year", "string"]]
    *columns, commit_time = hudi_job.CATALOG_COLUMNS
    assert commit_time == ("_hoodie_commit_time", "string")
    registered = [*columns, ("stock_symbol", "string")]
    assert sorted(registered) == sorted((column.name, column.lake) for column in schema.BAR)
    assert hudi_job.PRICES == transformer.PRICES == schema.PRICE_COLUMNS
    assert hudi_job.SYMBOL.pattern == transformer.SYMBOL.pattern
    positions = [hudi_job.OPEN_PRICE, hudi_job.VERSION, hudi_job.YEAR]
    assert [written[i][0] for i in positions] == ["open_price", "version", "year"]
    assert hudi_job.RECORD_KEY == schema.RECORD_KEY
    assert hudi_job.ORDERING_FIELD == schema.ORDERING_FIELD


def test_forecasts_have_the_same_quantiles_in_postgresql_and_in_the_lake() -> None:
    template = parse(template_text("lake"))
    table = template["Resources"]["ForecastsTable"]["Properties"]["TableInput"]
    lake = [str(column["Name"]) for column in table["StorageDescriptor"]["Columns"]]
    assert lake == list(postgres_columns("forecasts"))
    assert tuple(name for name in lake if re.fullmatch(r"q\d{3}", name)) == schema.QUANTILE_COLUMNS
    assert [int(name[1:]) / 1000 for name in schema.QUANTILE_COLUMNS] == list(schema.QUANTILE_LEVELS)
    assert table["Name"] == schema.FORECASTS_TABLE
