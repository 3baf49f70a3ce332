"""awswrangler, unchanged, works on this Athena as on AWS's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from tests.local.gateway.athena_client import BUCKET, DATABASE, RESULTS, bars
from tests.local.gateway.conftest import REGION, Gateway


@pytest.fixture
def wrangler(athena: Any, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """awswrangler, sent to the gateway, and the session for its calls."""
    # with Ray installed it would go through a Ray cluster, and import Ray before the tests of that set its switches
    monkeypatch.setenv("WR_ENGINE", "python")
    import awswrangler
    import boto3

    services = ("s3", "athena", "glue", "sts")
    for service in services:
        setattr(awswrangler.config, f"{service}_endpoint_url", gateway.endpoint)
    session = boto3.Session("000000000000", "local", region_name=REGION)
    yield awswrangler, session
    for service in services:
        awswrangler.config.reset(f"{service}_endpoint_url")


@pytest.mark.parametrize("approach", ["ctas", "unload", "csv"])
def test_read_sql_query_gives_the_prices_of_the_file(wrangler: tuple[Any, Any], approach: str) -> None:
    awswrangler, session = wrangler
    read = awswrangler.athena.read_sql_query(
        "SELECT date, close_price, volume FROM raw_prices WHERE year = :year",
        database=DATABASE,
        params={"year": "2014"},
        ctas_approach=approach == "ctas",
        unload_approach=approach == "unload",
        s3_output=f"{RESULTS}{approach}/",
        boto3_session=session,
    )
    expected = pd.DataFrame(bar for bar in bars() if bar["date"] > "2014")
    read = read.sort_values("date")
    assert [str(day)[:10] for day in read.date] == list(expected.date)
    assert list(read.close_price) == list(expected.close_price)
    assert list(read.volume) == list(expected.volume)
    names = awswrangler.catalog.tables(database=DATABASE, boto3_session=session)["Table"]
    assert not any(name.startswith("temp_table") for name in names)


def test_repair_and_describe_work(wrangler: tuple[Any, Any]) -> None:
    awswrangler, session = wrangler
    options = {"database": DATABASE, "s3_output": RESULTS, "boto3_session": session}
    assert awswrangler.athena.repair_table("raw_prices", **options) == "SUCCEEDED"
    described = awswrangler.athena.describe_table("raw_prices", **options)
    assert list(described["Column Name"])[:2] == ["stock_symbol", "date"]
    assert list(described["Type"])[:2] == ["string", "date"]


@pytest.mark.parametrize("approach", ["ctas", "unload", "csv"])
def test_chunks_hold_every_row_once(wrangler: tuple[Any, Any], approach: str) -> None:
    awswrangler, session = wrangler
    chunks = awswrangler.athena.read_sql_query(
        "SELECT date FROM raw_prices",
        database=DATABASE,
        ctas_approach=approach == "ctas",
        unload_approach=approach == "unload",
        chunksize=100,
        s3_output=f"{RESULTS}chunks-{approach}/",
        boto3_session=session,
    )
    sizes, days = [], []
    for chunk in chunks:
        sizes.append(len(chunk))
        days += [str(day)[:10] for day in chunk.date]
    assert max(sizes) <= 100 and sorted(days) == [bar["date"] for bar in bars()]


def test_a_frame_put_into_the_catalog_is_read_back(wrangler: tuple[Any, Any]) -> None:
    awswrangler, session = wrangler
    frame = pd.DataFrame(bars())
    frame["year"] = frame.date.str[:4]
    frame["date"] = pd.to_datetime(frame.date).dt.date
    options = {"database": DATABASE, "boto3_session": session}
    for year in ("2013", "2014"):
        awswrangler.s3.to_parquet(
            frame[frame.year == year],
            path=f"s3://{BUCKET}/frames/",
            dataset=True,
            mode="append",
            table="frames",
            partition_cols=["year"],
            **options,
        )
    read = awswrangler.athena.read_sql_table("frames", s3_output=f"{RESULTS}frames/", **options)
    read = read.sort_values("date").reset_index(drop=True)
    assert list(read.close_price) == list(frame.close_price) and list(read.volume) == list(frame.volume)
    assert list(read.year.astype(str)) == list(frame.year)
    catalog = awswrangler.catalog.get_partitions(table="frames", **options)
    assert sorted(values[0] for values in catalog.values()) == ["2013", "2014"]


def test_its_own_statements_and_catalog_calls_work(wrangler: tuple[Any, Any]) -> None:
    awswrangler, session = wrangler
    options = {"database": DATABASE, "s3_output": RESULTS, "boto3_session": session}
    shown = awswrangler.athena.show_create_table("raw_prices", **options)
    assert shown.startswith("CREATE EXTERNAL TABLE `raw_prices`(")
    made = awswrangler.athena.create_ctas_table(
        sql="SELECT * FROM raw_prices WHERE year = '2013'", ctas_table="wrangled", wait=True, **options
    )
    assert made["ctas_table"] == "wrangled"
    parameters = {"s3_output": RESULTS, "boto3_session": session, "database": DATABASE}
    query = awswrangler.athena.start_query_execution(
        "INSERT INTO wrangled SELECT * FROM raw_prices WHERE year = '2014'", wait=True, **parameters
    )
    assert query["SubstatementType"] == "INSERT"
    count = awswrangler.athena.read_sql_query(
        "SELECT count(*) AS n FROM wrangled", ctas_approach=False, **options
    )
    assert int(count.n[0]) == len(bars())
