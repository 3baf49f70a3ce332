"""The crawler through boto3: tables, types and partitions from the objects that lie there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from nearcast.aws import client
from nearcast.settings import Settings


@pytest.fixture
def lines(deployed: Settings) -> Iterator[str]:
    """A bucket of its own with JSON lines in two partitions, and a crawler over it; the crawler's name."""
    s3, glue = client("s3", deployed), client("glue", deployed)
    s3.create_bucket(Bucket="crawled")
    for month, rows in {"01": [{"a": "x", "b": 1.5}], "02": [{"a": "y", "b": 2.5, "c": 7}]}.items():
        body = "".join(json.dumps(row) + "\n" for row in rows)
        s3.put_object(Bucket="crawled", Key=f"things/year=2024/month={month}/one", Body=body)
    s3.put_object(Bucket="crawled", Key="things/_hidden", Body=b"no json")
    glue.create_crawler(
        Name="things",
        Role="r",
        DatabaseName="nearcast",
        Targets={"S3Targets": [{"Path": "s3://crawled/things/"}]},
        TablePrefix="t_",
    )
    yield "things"
    glue.delete_crawler(Name="things")
    for found in s3.list_objects_v2(Bucket="crawled")["Contents"]:
        s3.delete_object(Bucket="crawled", Key=found["Key"])
    s3.delete_bucket(Bucket="crawled")


def crawl(settings: Settings, name: str) -> dict[str, Any]:
    """Run a crawler to its end; return GetCrawler's answer."""
    glue = client("glue", settings)
    glue.start_crawler(Name=name)
    while (crawler := glue.get_crawler(Name=name)["Crawler"])["State"] != "READY":
        time.sleep(0.05)
    answer: dict[str, Any] = crawler
    return answer


def test_a_crawl_makes_the_table_with_merged_columns_and_its_partitions(
    deployed: Settings, lines: str
) -> None:
    assert crawl(deployed, lines)["LastCrawl"]["Status"] == "SUCCEEDED"
    glue = client("glue", deployed)
    table = glue.get_table(DatabaseName="nearcast", Name="t_things")["Table"]
    columns = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert columns == {"a": "string", "b": "double", "c": "bigint"}
    assert [key["Name"] for key in table["PartitionKeys"]] == ["year", "month"]

    def partitions() -> list[list[str]]:
        answer = glue.get_partitions(DatabaseName="nearcast", TableName="t_things")
        return sorted(partition["Values"] for partition in answer["Partitions"])

    assert partitions() == [["2024", "01"], ["2024", "02"]]
    crawl(deployed, lines)
    assert partitions() == [["2024", "01"], ["2024", "02"]]


def test_a_crawl_fails_with_the_name_of_the_object_that_cannot_be_read(
    deployed: Settings, lines: str
) -> None:
    s3 = client("s3", deployed)
    s3.put_object(Bucket="crawled", Key="things/year=2024/month=03/broken", Body=b'{"a": "x"\n{]')
    last = crawl(deployed, lines)["LastCrawl"]
    assert last["Status"] == "FAILED"
    assert "month=03/broken" in last["ErrorMessage"]


def test_a_crawler_that_does_not_exist_is_refused(deployed: Settings) -> None:
    glue = client("glue", deployed)
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.start_crawler(Name="nobody")
