"""The crawler through boto3: tables, types and partitions from the objects that lie there, read once."""

from __future__ import annotations

import io
import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nearcast.aws import client
from nearcast.settings import Settings
from tests.local.gateway.athena_client import run

BUCKET = "crawled"
LOG_ONLY = {"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
DELETING = {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DELETE_FROM_DATABASE"}
NEW_FOLDERS = {"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"}, "SchemaChangePolicy": LOG_ONLY}
numbers = itertools.count()


class Place:
    """A prefix of its own in the bucket, with a crawler over it."""

    def __init__(self, deployed: Settings, **options: Any) -> None:
        self.s3, self.glue = client("s3", deployed), client("glue", deployed)
        self.athena = client("athena", deployed)
        self.home = deployed.home
        self.name = f"place{next(numbers)}"
        self.glue.create_crawler(
            **{
                "Name": self.name,
                "Role": "r",
                "DatabaseName": "nearcast",
                "Targets": {"S3Targets": [{"Path": f"s3://{BUCKET}/{self.name}/"}]},
                "TablePrefix": "t_",
                **options,
            }
        )

    def put(self, key: str, body: str | bytes | list[dict[str, Any]]) -> None:
        """Put an object; rows become JSON lines."""
        if isinstance(body, list):
            body = "".join(json.dumps(row) + "\n" for row in body)
        self.s3.put_object(Bucket=BUCKET, Key=f"{self.name}/{key}", Body=body)

    def delete(self, key: str) -> None:
        """Delete an object."""
        self.s3.delete_object(Bucket=BUCKET, Key=f"{self.name}/{key}")

    def spoil(self, key: str) -> None:
        """Overwrite an object's file behind S3's back: whoever reads it again fails."""
        [path] = (self.home / "gateway" / "s3").glob(f"**/{BUCKET}/**/{self.name}/{key}")
        path.write_bytes(b"{spoilt")

    def crawl(self) -> dict[str, Any]:
        """Run the crawler to its end; return LastCrawl."""
        self.glue.start_crawler(Name=self.name)
        while (crawler := self.glue.get_crawler(Name=self.name)["Crawler"])["State"] != "READY":
            time.sleep(0.02)
        last: dict[str, Any] = crawler["LastCrawl"]
        return last

    def succeed(self) -> None:
        """Run the crawler, which must not fail."""
        last = self.crawl()
        assert last["Status"] == "SUCCEEDED", last

    def table(self) -> dict[str, Any]:
        """Return the table."""
        found: dict[str, Any] = self.glue.get_table(DatabaseName="nearcast", Name=f"t_{self.name}")["Table"]
        return found

    def columns(self) -> list[tuple[str, str]]:
        """Return the table's columns and types."""
        return [(c["Name"], c["Type"]) for c in self.table()["StorageDescriptor"]["Columns"]]

    def partitions(self) -> list[dict[str, Any]]:
        """Return the partitions by their values."""
        pages = self.glue.get_paginator("get_partitions")
        answers = pages.paginate(DatabaseName="nearcast", TableName=f"t_{self.name}")
        return sorted((p for page in answers for p in page["Partitions"]), key=lambda p: p["Values"])

    def values(self) -> list[list[str]]:
        """Return the partitions' values."""
        return [partition["Values"] for partition in self.partitions()]

    def metrics(self) -> tuple[int, int, int]:
        """Return the counts of tables that the last crawl created, updated and deleted."""
        [found] = self.glue.get_crawler_metrics(CrawlerNameList=[self.name])["CrawlerMetricsList"]
        return found["TablesCreated"], found["TablesUpdated"], found["TablesDeleted"]

    def rows(self, what: str = "*") -> list[list[str | None]]:
        """Return the rows of the table through Athena, sorted."""
        answer = run(
            self.athena,
            f"SELECT {what} FROM t_{self.name}",
            QueryExecutionContext={"Database": "nearcast"},
            ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"},
        )
        assert answer.state == "SUCCEEDED", answer.reason
        return sorted(answer.rows, key=str)


@pytest.fixture(scope="module")
def bucket(deployed: Settings) -> str:
    """The bucket that the places are in."""
    client("s3", deployed).create_bucket(Bucket=BUCKET)
    return BUCKET


@pytest.fixture
def place(deployed: Settings, bucket: str) -> Iterator[Callable[..., Place]]:
    """Return a function that makes places; their crawlers and tables go with the test."""
    made: list[Place] = []

    def make(**options: Any) -> Place:
        made.append(Place(deployed, **options))
        return made[-1]

    yield make
    for one in made:
        one.glue.delete_crawler(Name=one.name)
        names = [t["Name"] for t in one.glue.get_tables(DatabaseName="nearcast")["TableList"]]
        if f"t_{one.name}" in names:
            one.glue.delete_table(DatabaseName="nearcast", Name=f"t_{one.name}")


@pytest.fixture
def months(place: Callable[..., Place]) -> Place:
    """A place with JSON lines in two partitions, and with what is not to be read."""
    one = place()
    one.put("year=2024/month=01/one", [{"a": "x", "b": 1}])
    one.put("year=2024/month=02/one", [{"a": "y", "b": 2.5, "c": 7}])
    one.put("_hidden", "no json")
    one.put("_temporary/year=2024/month=03/x", "no json")
    return one


def test_a_crawl_makes_the_table_with_merged_columns_and_its_partitions(months: Place) -> None:
    months.succeed()
    table = months.table()
    assert months.columns() == [("a", "string"), ("b", "double"), ("c", "bigint")]
    assert [(key["Name"], key["Type"]) for key in table["PartitionKeys"]] == [
        ("year", "string"),
        ("month", "string"),
    ]
    serde = table["StorageDescriptor"]["SerdeInfo"]
    assert serde["SerializationLibrary"] == "org.openx.data.jsonserde.JsonSerDe"
    assert serde["Parameters"]["paths"] == "a,b,c"
    assert table["Parameters"]["classification"] == "json"
    assert table["Parameters"]["UPDATED_BY_CRAWLER"] == months.name
    assert months.values() == [["2024", "01"], ["2024", "02"]]
    for partition in months.partitions():
        year, month = partition["Values"]
        storage = partition["StorageDescriptor"]
        assert storage["Location"] == f"s3://{BUCKET}/{months.name}/year={year}/month={month}/"
        assert storage["Columns"] == table["StorageDescriptor"]["Columns"]
    assert months.metrics() == (1, 0, 0)


def test_a_second_crawl_reads_and_changes_nothing(months: Place) -> None:
    months.succeed()
    before = months.table(), months.partitions()
    months.spoil("year=2024/month=01/one")
    months.spoil("year=2024/month=02/one")
    months.succeed()
    assert (months.table(), months.partitions()) == before
    assert months.metrics() == (0, 0, 0)


def test_only_new_and_changed_objects_are_read(months: Place) -> None:
    months.succeed()
    months.spoil("year=2024/month=01/one")
    months.put("year=2024/month=01/two", [{"d": True, "c": None}])
    months.put("year=2024/month=02/one", [{"c": 0.5}])
    months.put("year=2024/month=03/one", [{"a": None}])
    months.succeed()
    assert months.columns() == [("a", "string"), ("b", "double"), ("c", "double"), ("d", "boolean")]
    assert months.values() == [["2024", "01"], ["2024", "02"], ["2024", "03"]]
    assert months.metrics() == (0, 1, 0)
    months.put("year=2024/month=01/one", [{"e": 1}])
    months.succeed()
    assert months.columns()[-1] == ("e", "bigint")


def test_a_column_that_was_only_null_takes_the_type_that_comes(place: Callable[..., Place]) -> None:
    one = place()
    one.put("x=1/1", [{"price": None, "version": 1}])
    one.succeed()
    assert one.columns() == [("price", "string"), ("version", "bigint")]
    one.put("x=1/2", [{"price": 1.5}])
    one.succeed()
    one.put("x=1/3", [{"price": None}])
    one.succeed()
    assert one.columns() == [("price", "double"), ("version", "bigint")]
    # A new crawler knows nothing: what the table has stays where its objects say nothing.
    one.glue.delete_crawler(Name=one.name)
    for key in ("x=1/1", "x=1/2"):
        one.delete(key)
    target = {"S3Targets": [{"Path": f"s3://{BUCKET}/{one.name}"}]}
    one.glue.create_crawler(
        Name=one.name, Role="r", DatabaseName="nearcast", Targets=target, TablePrefix="t_"
    )
    one.succeed()
    assert one.columns() == [("price", "double"), ("version", "bigint")]


def test_what_others_gave_the_table_stays(months: Place) -> None:
    months.succeed()
    table = months.table()
    storage = table["StorageDescriptor"]
    storage["Columns"][0]["Comment"] = "ours"
    storage["SerdeInfo"]["Parameters"]["case.insensitive"] = "false"
    given = {"Name": table["Name"], "StorageDescriptor": storage, "PartitionKeys": table["PartitionKeys"]}
    parameters = {**table["Parameters"], "projection.enabled": "false"}
    months.glue.update_table(DatabaseName="nearcast", TableInput={**given, "Parameters": parameters})
    months.put("year=2024/month=01/two", [{"z": 1}])
    months.succeed()
    after = months.table()
    assert after["Parameters"]["projection.enabled"] == "false"
    assert after["StorageDescriptor"]["SerdeInfo"]["Parameters"]["case.insensitive"] == "false"
    assert after["StorageDescriptor"]["Columns"][0] == {"Name": "a", "Type": "string", "Comment": "ours"}
    assert months.columns()[-1] == ("z", "bigint")


def test_a_table_or_partition_that_somebody_deleted_comes_back_unread(months: Place) -> None:
    months.succeed()
    before = months.columns(), months.values()
    months.spoil("year=2024/month=01/one")
    months.glue.delete_partition(
        DatabaseName="nearcast", TableName=f"t_{months.name}", PartitionValues=["2024", "01"]
    )
    months.succeed()
    assert (months.columns(), months.values()) == before
    months.glue.delete_table(DatabaseName="nearcast", Name=f"t_{months.name}")
    months.succeed()
    assert (months.columns(), months.values()) == before


def test_a_crawl_fails_with_the_objects_name_and_changes_nothing_until_it_is_mended(months: Place) -> None:
    months.succeed()
    before = months.table(), months.partitions()
    months.put("year=2024/month=03/broken", b'{"new": "x"}\n{]')
    months.put("year=2024/month=04/fine", [{"fine": 1}])
    for _ in range(2):
        last = months.crawl()
        assert last["Status"] == "FAILED"
        assert "month=03/broken" in last["ErrorMessage"] and "line 2" in last["ErrorMessage"]
        assert (months.table(), months.partitions()) == before
    months.put("year=2024/month=03/broken", [{"new": "x"}])
    months.succeed()
    assert [name for name, _ in months.columns()] == ["a", "b", "c", "fine", "new"]
    months.put("year=2024/month=05/broken", "nothing that is known")
    assert "month=05/broken" in months.crawl()["ErrorMessage"]
    months.delete("year=2024/month=05/broken")
    months.succeed()
    assert months.values() == [["2024", month] for month in ("01", "02", "03", "04")]


def test_lines_that_the_serde_ignores_do_not_hold_the_crawler_up(months: Place) -> None:
    months.succeed()
    table = months.table()
    storage = table["StorageDescriptor"]
    storage["SerdeInfo"]["Parameters"]["ignore.malformed.json"] = "true"
    given = {"Name": table["Name"], "StorageDescriptor": storage, "PartitionKeys": table["PartitionKeys"]}
    months.glue.update_table(DatabaseName="nearcast", TableInput={**given, "Parameters": table["Parameters"]})
    months.put("year=2024/month=03/broken", b'{"new": "x"}\n{]\n')
    months.succeed()
    assert months.columns()[-1] == ("new", "string")
    assert [row[-2:] for row in months.rows("new, year, month") if row[0]] == [["2024", "03"]]


def test_folders_without_names_are_numbered_partitions_and_mixed_ones_are_refused(
    place: Callable[..., Place],
) -> None:
    one = place()
    one.put("2024/01/one", [{"a": 1}])
    one.put("2024/02/one", [{"a": 2}])
    one.succeed()
    assert [key["Name"] for key in one.table()["PartitionKeys"]] == ["partition_0", "partition_1"]
    assert one.rows() == [["1", "2024", "01"], ["2", "2024", "02"]]
    one.put("2024/deeper/03/one", [{"a": 3}])
    last = one.crawl()
    assert last["Status"] == "FAILED" and "2024/deeper/03/one" in last["ErrorMessage"]


def test_a_value_that_hive_escaped_in_a_folders_name_is_read(place: Callable[..., Place]) -> None:
    one = place()
    one.put("At=10%3A30/one", [{"a": 1}])
    one.succeed()
    assert one.values() == [["10:30"]]
    assert one.partitions()[0]["StorageDescriptor"]["Location"].endswith("/At=10%3A30/")
    assert one.rows() == [["1", "10:30"]]


def test_only_new_folders_are_crawled_where_the_policy_says_so(place: Callable[..., Place]) -> None:
    one = place(**NEW_FOLDERS)
    one.put("x=1/1", [{"a": 1, "b": 2.5}])
    one.succeed()
    one.put("x=1/2", "a folder that was crawled is not looked at again")
    one.put("x=2/1", [{"a": 3, "b": 4, "c": "new columns are not taken"}])
    one.put("x=3/1", [{"a": "of another type"}])
    one.put("x=4/1", "p,q\n1,2\n")
    one.succeed()
    assert one.columns() == [("a", "bigint"), ("b", "double")]
    assert one.values() == [["1"], ["2"]]
    assert one.metrics() == (0, 0, 0)
    one.put("x=5/1", b"{broken")
    assert f"{one.name}/x=5/1" in one.crawl()["ErrorMessage"]


def test_a_logged_schema_change_leaves_the_table_and_adds_the_partition(place: Callable[..., Place]) -> None:
    one = place(SchemaChangePolicy=LOG_ONLY)
    one.put("x=1/1", [{"a": 1}])
    one.succeed()
    one.put("x=2/1", [{"b": 1}])
    one.succeed()
    assert (one.columns(), one.values()) == ([("a", "bigint")], [["1"], ["2"]])


def test_merging_new_columns_only_keeps_types_and_partitions_can_inherit(place: Callable[..., Place]) -> None:
    output = {
        "Tables": {"AddOrUpdateBehavior": "MergeNewColumns"},
        "Partitions": {"AddOrUpdateBehavior": "InheritFromTable"},
    }
    one = place(Configuration=json.dumps({"Version": 1.0, "CrawlerOutput": output}))
    one.put("x=1/1", [{"a": 1}])
    one.succeed()
    one.put("x=2/1", [{"a": 1.5, "b": 1}])
    one.succeed()
    assert one.columns() == [("a", "bigint"), ("b", "bigint")]
    for partition in one.partitions():
        assert partition["StorageDescriptor"]["Columns"] == one.table()["StorageDescriptor"]["Columns"]
    updated = json.loads(one.glue.list_crawls(CrawlerName=one.name)["Crawls"][0]["Summary"])
    assert updated["PARTITION"]["UPDATE"]["Details"]["names"] == [f"t_{one.name}/1"]


@pytest.mark.parametrize(
    ("policy", "left", "metrics"),
    [({}, ["1", "2"], (0, 1, 0)), (DELETING, None, (0, 0, 1)), (LOG_ONLY, ["1", "2"], (0, 0, 0))],
)
def test_what_is_gone_stays_is_marked_or_goes_as_the_policy_says(
    policy: dict[str, str], left: list[str] | None, metrics: tuple[int, int, int], place: Callable[..., Place]
) -> None:
    one = place(SchemaChangePolicy=policy)
    one.put("x=1/1", [{"a": 1}])
    one.put("x=2/1", [{"a": 1}])
    one.succeed()
    one.delete("x=1/1")
    one.succeed()
    assert one.values() == ([["2"]] if policy == DELETING else [["1"], ["2"]])
    one.delete("x=2/1")
    one.succeed()
    assert one.metrics() == metrics
    if left is None:
        with pytest.raises(one.glue.exceptions.EntityNotFoundException):
            one.table()
        return
    assert ("DEPRECATED_BY_CRAWLER" in one.table()["Parameters"]) == (policy == {})
    one.put("x=2/1", [{"a": 1}])
    one.succeed()
    assert "DEPRECATED_BY_CRAWLER" not in one.table()["Parameters"]


def test_sampling_reads_the_newest_objects_of_each_folder_alone(place: Callable[..., Place]) -> None:
    one = place(Targets={"S3Targets": [{"Path": f"s3://{BUCKET}/sampled/", "SampleSize": 1}]})
    one.s3.put_object(Bucket=BUCKET, Key="sampled/x=1/1", Body=b"not read")
    time.sleep(0.005)
    one.s3.put_object(Bucket=BUCKET, Key="sampled/x=1/0", Body=b'{"a": 1}')
    one.succeed()
    one.succeed()
    table = one.glue.get_table(DatabaseName="nearcast", Name="t_sampled")["Table"]
    assert [column["Name"] for column in table["StorageDescriptor"]["Columns"]] == ["a"]


def test_a_crawl_is_in_the_history_with_what_it_changed(months: Place) -> None:
    started = time.time()
    months.succeed()
    months.put("year=2024/month=03/broken", "?")
    months.crawl()
    failed, first = months.glue.list_crawls(CrawlerName=months.name)["Crawls"]
    assert (failed["State"], first["State"]) == ("FAILED", "COMPLETED")
    assert "month=03/broken" in failed["ErrorMessage"] and json.loads(failed["Summary"]) == {}
    summary = json.loads(first["Summary"])
    assert summary["TABLE"] == {"ADD": {"Count": 1, "Details": {"names": [f"t_{months.name}"]}}}
    assert summary["PARTITION"]["ADD"]["Count"] == 2
    assert started - 1 < first["StartTime"].timestamp() <= first["EndTime"].timestamp() < time.time() + 1
    page = months.glue.list_crawls(CrawlerName=months.name, MaxResults=1)
    rest = months.glue.list_crawls(CrawlerName=months.name, MaxResults=1, NextToken=page["NextToken"])
    assert page["Crawls"] + rest["Crawls"] == [failed, first] and "NextToken" not in rest
    [metrics] = months.glue.get_crawler_metrics(CrawlerNameList=[months.name])["CrawlerMetricsList"]
    times = [(crawl["EndTime"] - crawl["StartTime"]).total_seconds() for crawl in (failed, first)]
    assert metrics["LastRuntimeSeconds"] == pytest.approx(times[0], abs=0.01)
    assert metrics["MedianRuntimeSeconds"] == pytest.approx(sum(times) / 2, abs=0.01)
    assert (metrics["StillEstimating"], metrics["TimeLeftSeconds"]) == (False, 0)
    last = months.glue.get_crawler(Name=months.name)["Crawler"]["LastCrawl"]
    assert last["MessagePrefix"] == failed["MessagePrefix"] == failed["CrawlId"]


def csv_classifier(deployed: Settings, **options: Any) -> str:
    """Make a CSV classifier; return its name."""
    name = f"classifier{next(numbers)}"
    client("glue", deployed).create_classifier(CsvClassifier={"Name": name, "Delimiter": ",", **options})
    return name


def test_built_in_classifiers_find_csv_and_its_table_is_read(place: Callable[..., Place]) -> None:
    one = place()
    one.put("x=1/1", "symbol|close|volume\nA|1.5|10\nB|2|\n")
    one.put("x=2/1", "symbol|close|volume|venue\nC|3|30|Q\n")
    one.succeed()
    table = one.table()
    assert table["StorageDescriptor"]["SerdeInfo"] == {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        "Parameters": {"field.delim": "|"},
    }
    properties = {name: table["Parameters"][name] for name in ("classification", "skip.header.line.count")}
    assert properties == {"classification": "csv", "skip.header.line.count": "1"}
    assert one.columns() == [
        ("symbol", "string"),
        ("close", "double"),
        ("volume", "bigint"),
        ("venue", "string"),
    ]
    assert one.rows() == [
        ["A", "1.5", "10", None, "1"],
        ["B", "2.0", None, None, "1"],
        ["C", "3.0", "30", "Q", "2"],
    ]


def test_a_csv_classifier_says_how_its_objects_are_read(
    place: Callable[..., Place], deployed: Settings
) -> None:
    options = {
        "QuoteSymbol": "'",
        "ContainsHeader": "ABSENT",
        "Header": ["Symbol", "Name"],
        "Serde": "OpenCSVSerDe",
    }
    one = place(Classifiers=[csv_classifier(deployed, **options)])
    one.put("1", "A,'Apple, Inc.'\n'B',it\n")
    one.succeed()
    assert one.table()["StorageDescriptor"]["SerdeInfo"] == {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        "Parameters": {"separatorChar": ",", "quoteChar": "'"},
    }
    assert "skip.header.line.count" not in one.table()["Parameters"]
    assert one.columns() == [("symbol", "string"), ("name", "string")]
    assert one.rows() == [["A", "Apple, Inc."], ["B", "it"]]


def test_a_csv_classifier_of_a_stack_is_the_apis(deployed: Settings) -> None:
    cloudformation, glue = client("cloudformation", deployed), client("glue", deployed)
    properties = {"Name": "of-a-stack", "Delimiter": ";", "ContainsHeader": "PRESENT", "Header": ["a", "b"]}
    resource = {"Type": "AWS::Glue::Classifier", "Properties": {"CsvClassifier": properties}}
    body = json.dumps({"Resources": {"Csv": resource}})
    cloudformation.create_stack(StackName="csv-classifier", TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="csv-classifier", WaiterConfig={"Delay": 0.1}
    )
    made = glue.get_classifier(Name="of-a-stack")["Classifier"]["CsvClassifier"]
    assert {name: made[name] for name in properties} == properties
    cloudformation.delete_stack(StackName="csv-classifier")
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName="csv-classifier", WaiterConfig={"Delay": 0.1}
    )
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_classifier(Name="of-a-stack")


def test_parquet_is_found_and_its_numbers_widen(place: Callable[..., Place]) -> None:
    one = place()
    for key, column in (("x=1/1", pa.array([1], pa.int32())), ("x=2/1", pa.array([2**40], pa.int64()))):
        table = pa.table({"N": column, "s": [["a"]], "m": [{"Y": 1.5}]})
        body = io.BytesIO()
        pq.write_table(table, body)
        one.put(key, body.getvalue())
    one.succeed()
    assert one.columns() == [("n", "bigint"), ("s", "array<string>"), ("m", "struct<y:double>")]
    assert one.table()["Parameters"]["classification"] == "parquet"
    assert one.rows("n, x") == [["1", "1"], [str(2**40), "2"]]


def test_a_changed_classifier_is_for_new_objects(place: Callable[..., Place], deployed: Settings) -> None:
    name = csv_classifier(deployed, ContainsHeader="PRESENT")
    one = place(Classifiers=[name])
    one.put("1", "a,b\n1,x\n")
    one.succeed()
    one.glue.update_classifier(CsvClassifier={"Name": name, "ContainsHeader": "ABSENT"})
    changed = one.glue.get_classifier(Name=name)["Classifier"]["CsvClassifier"]
    assert (changed["Version"], changed["Delimiter"], changed["ContainsHeader"]) == (2, ",", "ABSENT")
    one.succeed()
    one.put("2", "2,y\n")
    last = one.crawl()
    assert last["Status"] == "FAILED" and f"{one.name}/2" in last["ErrorMessage"]


@pytest.mark.parametrize(
    "classifier",
    [
        {"GrokClassifier": {"Classification": "g", "GrokPattern": "%{WORD:w}"}},
        {"XMLClassifier": {"Classification": "x", "RowTag": "row"}},
        {"JsonClassifier": {"JsonPath": "$..deep"}},
        {"CsvClassifier": {"CustomDatatypeConfigured": True, "CustomDatatypes": ["DATE"]}},
    ],
    ids=lambda classifier: next(iter(classifier)),
)
def test_classifiers_that_are_not_done_fail_the_crawl_by_name(
    classifier: dict[str, dict[str, Any]], place: Callable[..., Place]
) -> None:
    one = place()
    name, [(kind, options)] = f"classifier{next(numbers)}", classifier.items()
    one.glue.create_classifier(**{kind: {"Name": name, **options}})
    one.glue.update_crawler(Name=one.name, Classifiers=[name])
    one.put("1", [{"a": 1}])
    last = one.crawl()
    assert last["Status"] == "FAILED" and f"Classifier {name}: " in last["ErrorMessage"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVENT_MODE"}}, "CRAWL_EVENT_MODE"),
        ({"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"}}, "can have only LOG"),
        ({"Targets": {"DynamoDBTargets": [{"Path": "t"}]}}, "DynamoDBTargets"),
        ({"Targets": {"S3Targets": [{"Path": "s3://b/p", "SampleSize": 250}]}}, "SampleSize"),
        (
            {"Configuration": '{"Version": 1.0, "Grouping": {"TableLevelConfiguration": 2}}'},
            "TableLevelConfiguration",
        ),
        ({"Configuration": "{"}, "no JSON"),
    ],
)
def test_what_is_not_done_is_refused_when_a_crawler_is_made_or_changed(
    options: dict[str, Any], named: str, place: Callable[..., Place]
) -> None:
    one = place()
    with pytest.raises(one.glue.exceptions.InvalidInputException, match=named):
        place(**options)
    with pytest.raises(one.glue.exceptions.InvalidInputException, match=named):
        one.glue.update_crawler(Name=one.name, **options)


def test_two_folders_of_one_name_have_two_tables(place: Callable[..., Place]) -> None:
    one = place(
        Targets={"S3Targets": [{"Path": f"s3://{BUCKET}/{side}/same/"} for side in ("left", "right")]}
    )
    for side, column in (("left", "a"), ("right", "b")):
        one.s3.put_object(Bucket=BUCKET, Key=f"{side}/same/1", Body=json.dumps({column: 1}).encode())
    one.succeed()
    one.succeed()
    tables = [t for t in one.glue.get_tables(DatabaseName="nearcast")["TableList"] if "same" in t["Name"]]
    columns = {t["Name"]: [c["Name"] for c in t["StorageDescriptor"]["Columns"]] for t in tables}
    assert columns.pop("t_same") == ["a"]
    assert [(len(name), names) for name, names in columns.items()] == [(len("t_same_") + 32, ["b"])]


def test_a_crawler_that_does_not_exist_or_does_not_run_is_refused(months: Place) -> None:
    with pytest.raises(months.glue.exceptions.EntityNotFoundException):
        months.glue.start_crawler(Name="nobody")
    with pytest.raises(months.glue.exceptions.CrawlerNotRunningException):
        months.glue.stop_crawler(Name=months.name)


def test_a_stopped_crawl_changes_nothing(months: Place) -> None:
    # Long enough to be stopped while it is read.
    months.put("year=2024/month=03/long", '{"a": "x", "b": [1, 2.5, {"c": null}]}\n' * 1_000_000)
    months.glue.start_crawler(Name=months.name)
    months.glue.stop_crawler(Name=months.name)
    while (crawler := months.glue.get_crawler(Name=months.name)["Crawler"])["State"] != "READY":
        time.sleep(0.02)
    assert crawler["LastCrawl"]["Status"] == "CANCELLED"
    with pytest.raises(months.glue.exceptions.EntityNotFoundException):
        months.table()


ROWS = st.dictionaries(st.sampled_from("abc"), st.sampled_from([None, 1, 2.5, "x", True]), min_size=1)
OBJECTS = st.tuples(st.sampled_from(["1", "2", "3 4"]), st.lists(ROWS, min_size=1, max_size=2))


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(st.lists(st.lists(OBJECTS, min_size=1, max_size=3), min_size=2, max_size=3))
def test_a_crawl_after_each_batch_is_one_crawl_after_all(
    place: Callable[..., Place], batches: list[list[tuple[str, list[dict[str, Any]]]]]
) -> None:
    configuration = (
        '{"Version": 1.0, "CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}}}'
    )
    often, once = place(Configuration=configuration), place(Configuration=configuration)
    folders: set[str] = set()
    for number, batch in enumerate(batches):
        for place_in_batch, (folder, rows) in enumerate(batch):
            folders.add(folder)
            for one in (often, once):
                one.put(f"x={folder}/{number}-{place_in_batch}", rows)
        often.succeed()
    once.succeed()
    assert often.columns() == once.columns()
    assert often.values() == once.values() == [[folder] for folder in sorted(folders)]
    for one in (often, once):
        assert all(
            p["StorageDescriptor"]["Columns"] == one.table()["StorageDescriptor"]["Columns"]
            for p in one.partitions()
        )
    before = often.table(), often.partitions()
    often.succeed()
    assert (often.table(), often.partitions()) == before
