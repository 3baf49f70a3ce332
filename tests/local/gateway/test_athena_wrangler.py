"""awswrangler, unchanged, works on this Athena as on AWS's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from tests.local.gateway.athena_client import DATABASE, RESULTS, bars
from tests.local.gateway.conftest import REGION, Gateway


@pytest.fixture
def wrangler(athena: Any, gateway: Gateway) -> Iterator[tuple[Any, Any]]:
    """awswrangler, sent to the gateway, and the session for its calls."""
    import awswrangler
    import boto3

    services = ("s3", "athena", "glue", "sts")
    for service in services:
        setattr(awswrangler.config, f"{service}_endpoint_url", gateway.endpoint)
    session = boto3.Session("000000000000", "local", region_name=REGION)
    yield awswrangler, session
    for service in services:
        awswrangler.config.reset(f"{service}_endpoint_url")


@pytest.mark.parametrize("ctas", [True, False])
def test_read_sql_query_gives_the_prices_of_the_file(wrangler: tuple[Any, Any], ctas: bool) -> None:
    awswrangler, session = wrangler
    read = awswrangler.athena.read_sql_query(
        "SELECT date, close_price, volume FROM raw_prices WHERE year = '2014'",
        database=DATABASE,
        ctas_approach=ctas,
        s3_output=RESULTS,
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
