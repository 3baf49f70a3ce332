"""Glue crawlers: list a prefix, infer the schema of its JSON, make the table and its partitions.

Source: docs.aws.amazon.com/glue/latest/dg/crawler-configuration.html
"""

from __future__ import annotations

import re
import time
import uuid
from collections import defaultdict
from fnmatch import fnmatch
from typing import Any

from nearcast.local.gateway import calls, journal
from nearcast.local.gateway.calls import StoredObject
from nearcast.local.gateway.hooks import Action, AwsError
from nearcast.log import get_logger

HIVE_TYPES = {
    "BIGINT": "bigint",
    "UBIGINT": "bigint",
    "HUGEINT": "bigint",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "VARCHAR": "string",
    # Glue's crawlers leave dates and times in JSON as strings.
    "DATE": "string",
    "TIMESTAMP": "string",
    "TIME": "string",
    "JSON": "string",
    "UUID": "string",
}
JSON_SERDE = "org.openx.data.jsonserde.JsonSerDe"
BATCH = 100
PartitionKeys = tuple[tuple[str, str], ...]
log = get_logger("crawler")


def actions() -> dict[str, Action]:
    """Return the crawler actions that are done here; the others are ministack's."""
    return {"StartCrawler": start_crawler}


def start_crawler(request: dict[str, Any]) -> dict[str, Any]:
    """Start a crawl in the background; GetCrawler tells its state and outcome."""
    from ministack.core.concurrency import spawn_background
    from ministack.services import glue

    name = request["Name"]
    crawler = glue._crawlers.get(name)
    if crawler is None:
        raise AwsError("EntityNotFoundException", f"Crawler with name {name} does not exist")
    if crawler["State"] != "READY":
        raise AwsError("CrawlerRunningException", f"Crawler with name {name} has already started")
    crawler["State"] = "RUNNING"
    journal.note("crawler", name, {"State": "RUNNING"})
    spawn_background(_run, crawler, thread_name="gateway-crawler")
    return {}


def _run(crawler: dict[str, Any]) -> None:
    last = {
        "Status": "SUCCEEDED",
        "LogGroup": "/aws-glue/crawlers",
        "LogStream": crawler["Name"],
        "MessagePrefix": str(uuid.uuid4()),
        "StartTime": time.time(),
    }
    try:
        for target in crawler["Targets"].get("S3Targets", []):
            _crawl(crawler, target)
    except Exception as error:
        # A crawl that fails must say so in LastCrawl, whatever the failure was.
        log.exception("crawl failed", crawler=crawler["Name"])
        last |= {"Status": "FAILED", "ErrorMessage": str(error)[:2048]}
    # Noted before anyone can see it.
    journal.note("crawler", crawler["Name"], {"State": "READY", "LastCrawl": last})
    crawler["LastCrawl"] = last
    crawler["State"] = "READY"


def _crawl(crawler: dict[str, Any], target: dict[str, Any]) -> None:
    root = target["Path"].rstrip("/") + "/"
    bucket, prefix = calls.split_uri(root)
    folders = _folders(calls.list_objects(bucket, prefix), prefix, target.get("Exclusions") or [])
    if not folders:
        return
    keys = [name for name, _ in next(iter(folders))]
    if any([name for name, _ in folder] != keys for folder in folders):
        raise AwsError(
            "InvalidInputException", f"{root}: its folders do not all have the partition keys {keys}"
        )
    _check_classifiers(crawler.get("Classifiers") or [])
    columns = _infer(_sample(folders, target.get("SampleSize")), keys)
    table = re.sub(r"[^a-z0-9_]", "_", (prefix.rstrip("/").rpartition("/")[2] or bucket).lower())
    name = (crawler.get("TablePrefix") or "") + table
    descriptor = _descriptor(root, columns)
    _put_table(crawler, name, descriptor, keys)
    add_partitions(
        crawler["DatabaseName"],
        name,
        descriptor,
        {tuple(value for _, value in folder): _location(root, folder) for folder in folders},
    )


def _folders(
    objects: list[StoredObject], prefix: str, exclusions: list[str]
) -> dict[PartitionKeys, list[StoredObject]]:
    """Group objects by their Hive-style folder; empty, hidden and excluded objects do not count."""
    folders: defaultdict[PartitionKeys, list[StoredObject]] = defaultdict(list)
    for item in objects:
        relative = item.key[len(prefix) :]
        hidden = relative.rpartition("/")[2].startswith(("_", "."))
        if not item.size or hidden or any(fnmatch(relative, pattern) for pattern in exclusions):
            continue
        parts = [part.partition("=") for part in relative.split("/")[:-1]]
        folders[tuple((name, value) for name, equals, value in parts if equals)].append(item)
    return dict(folders)


def _check_classifiers(names: list[str]) -> None:
    """Refuse what is not done here: only a JSON classifier of whole records."""
    for name in names:
        classifier = calls.glue("GetClassifier", Name=name)["Classifier"]
        path = (classifier.get("JsonClassifier") or {}).get("JsonPath")
        if path not in ("$", "$[*]"):
            raise AwsError(
                "InvalidInputException",
                f"Classifier {name}: only a JsonClassifier with JsonPath $ or $[*] is supported locally",
            )


def _sample(folders: dict[PartitionKeys, list[StoredObject]], size: int | str | None) -> list[StoredObject]:
    """Take the newest ``size`` objects of each folder (Glue's SampleSize), or all."""
    if not size:
        return [item for items in folders.values() for item in items]
    newest = (sorted(items, key=lambda item: item.last_modified) for items in folders.values())
    return [item for items in newest for item in items[-int(size) :]]


def _infer(objects: list[StoredObject], partition_keys: list[str]) -> list[dict[str, str]]:
    """Infer names and Hive types of the columns; name the object that cannot be read."""
    import duckdb

    query = (
        "DESCRIBE SELECT * FROM read_json(?, format='newline_delimited', union_by_name=true,"
        " hive_partitioning=false, sample_size=-1)"
    )
    with duckdb.connect() as connection:
        try:
            described = connection.execute(query, [[str(item.path) for item in objects]]).fetchall()
        except duckdb.Error as error:
            raise AwsError(
                "InvalidInputException", _name_culprit(connection, query, objects, error)
            ) from error
    return [
        {"Name": name.lower(), "Type": HIVE_TYPES.get(str(kind).partition("(")[0], "string")}
        for name, kind, *_ in described
        if name not in partition_keys
    ]


def _name_culprit(connection: Any, query: str, objects: list[StoredObject], error: Exception) -> str:
    import duckdb

    for item in objects:
        try:
            connection.execute(query, [[str(item.path)]])
        except duckdb.Error as alone:
            return f"Object {item.key} cannot be read as JSON: {alone}"
    return f"The objects' schemas do not merge: {error}"


def _descriptor(location: str, columns: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "Columns": columns,
        "Location": location,
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "SerdeInfo": {
            "SerializationLibrary": JSON_SERDE,
            "Parameters": {"paths": ",".join(column["Name"] for column in columns)},
        },
        "Parameters": {"classification": "json"},
    }


def _put_table(crawler: dict[str, Any], name: str, descriptor: dict[str, Any], keys: list[str]) -> None:
    database = crawler["DatabaseName"]
    table = {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in keys],
        "StorageDescriptor": descriptor,
        "Parameters": {"classification": "json", "UPDATED_BY_CRAWLER": crawler["Name"]},
    }
    try:
        calls.glue("CreateTable", DatabaseName=database, TableInput=table)
    except AwsError as error:
        if error.code != "AlreadyExistsException":
            raise
        calls.glue("UpdateTable", DatabaseName=database, TableInput=table)


def _location(root: str, folder: PartitionKeys) -> str:
    return root + "".join(f"{name}={value}/" for name, value in folder)


def add_partitions(
    database: str, table: str, descriptor: dict[str, Any], locations: dict[tuple[str, ...], str]
) -> int:
    """Add the partitions (values to location) that the catalog lacks; return how many.

    Raises AwsError when the catalog refuses one.
    """
    from ministack.services import glue

    known = {tuple(item["Values"]) for item in glue._partitions.get(f"{database}/{table}") or []}
    missing = [
        {"Values": list(values), "StorageDescriptor": {**descriptor, "Location": location}}
        for values, location in locations.items()
        if values not in known
    ]
    for start in range(0, len(missing), BATCH):
        answer = calls.glue(
            "BatchCreatePartition",
            DatabaseName=database,
            TableName=table,
            PartitionInputList=missing[start : start + BATCH],
        )
        errors = [error for error in answer.get("Errors") or [] if not _already_there(error)]
        if errors:
            raise AwsError("InvalidInputException", str(errors[:2]))
    return len(missing)


def _already_there(error: dict[str, Any]) -> bool:
    """Return whether a partition was refused because another statement has added it meanwhile."""
    return bool(error.get("ErrorDetail", {}).get("ErrorCode") == "AlreadyExistsException")
