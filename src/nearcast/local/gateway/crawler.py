"""Glue crawlers: list a prefix, read what is new in it, and make its table and partitions in the catalog.

All objects are read before anything is changed: a crawl that fails leaves the catalog as it was.

Source: docs.aws.amazon.com/glue/latest/dg/add-crawler.html, crawler-configuration.html and
aws-glue-api-crawler-crawling.html
"""

from __future__ import annotations

import json
import statistics
import time
import uuid
from pathlib import Path
from typing import Any

from nearcast.local.gateway import calls, crawler_catalog, crawler_classifiers, journal
from nearcast.local.gateway.crawler_catalog import Changes
from nearcast.local.gateway.crawler_memory import Memory
from nearcast.local.gateway.crawler_plan import Plan, plan
from nearcast.local.gateway.crawler_policy import Policy, invalid, policy_of
from nearcast.local.gateway.hooks import Action, AwsError
from nearcast.log import get_logger

BATCH = 100
log = get_logger("crawler")


class CrawlStoppedError(Exception):
    """StopCrawler was called; nothing was changed."""


class Crawlers:
    """Runs crawlers; their definitions are ministack's, so GetCrawler answers with them.

    Parameters
    ----------
    folder
        Where each crawler's memory lies.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self) -> None:
        """Let a crawler's memory go with the crawler, whether the API or CloudFormation deletes it."""
        from ministack.services import glue

        delete = glue._delete_crawler

        def deleted(request: dict[str, Any]) -> Any:
            self._memory(request["Name"]).forget()
            return delete(request)

        glue._delete_crawler = deleted

    def actions(self) -> dict[str, Action]:
        """Return the crawler actions that are done here; the others are ministack's."""
        return {
            "StartCrawler": self.start_crawler,
            "StopCrawler": self.stop_crawler,
            "DeleteCrawler": self.delete_crawler,
            "GetCrawlerMetrics": self.get_crawler_metrics,
            "ListCrawls": self.list_crawls,
            "UpdateClassifier": update_classifier,
        }

    def start_crawler(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start a crawl in the background; GetCrawler tells its state and outcome."""
        from ministack.core.concurrency import spawn_background

        crawler = _crawler(request["Name"])
        if crawler["State"] != "READY":
            raise AwsError(
                "CrawlerRunningException", f"Crawler with name {crawler['Name']} has already started"
            )
        policy_of(crawler)
        crawler["State"] = "RUNNING"
        crawler["CrawlStarted"] = time.time()
        journal.note("crawler", crawler["Name"], {"State": "RUNNING"})
        spawn_background(self._run, crawler, thread_name="gateway-crawler")
        return {}

    def stop_crawler(self, request: dict[str, Any]) -> dict[str, Any]:
        """Stop a crawl before it changes the catalog; one that is at that already ends by itself."""
        crawler = _crawler(request["Name"])
        if crawler["State"] == "STOPPING":
            raise AwsError(
                "CrawlerStoppingException", f"Crawler with name {crawler['Name']} is already stopping"
            )
        if crawler["State"] != "RUNNING":
            raise AwsError("CrawlerNotRunningException", f"Crawler with name {crawler['Name']} isn't running")
        crawler["State"] = "STOPPING"
        return {}

    def delete_crawler(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete a crawler. Raises AwsError while it runs."""
        from ministack.services import glue

        crawler = _crawler(request["Name"])
        if crawler["State"] != "READY":
            raise AwsError("CrawlerRunningException", f"Crawler with name {crawler['Name']} is running")
        glue._delete_crawler(request)
        return {}

    def get_crawler_metrics(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the tables that each crawler's last crawl created, updated and deleted, and how long it took."""
        from ministack.services import glue

        names = request.get("CrawlerNameList") or list(glue._crawlers)
        return {"CrawlerMetricsList": [self._metrics(_crawler(name)) for name in names]}

    def _metrics(self, crawler: dict[str, Any]) -> dict[str, Any]:
        crawls = self._memory(crawler["Name"]).crawls
        times = [crawl["EndTime"] - crawl["StartTime"] for crawl in crawls]
        median = statistics.median(times) if times else 0.0
        tables = json.loads(crawls[-1]["Summary"]).get("TABLE", {}) if crawls else {}
        running = crawler["State"] != "READY"
        elapsed = time.time() - crawler.get("CrawlStarted", time.time())
        return {
            "CrawlerName": crawler["Name"],
            "TimeLeftSeconds": max(median - elapsed, 0.0) if running else 0.0,
            "StillEstimating": running and not times,
            "LastRuntimeSeconds": times[-1] if times else 0.0,
            "MedianRuntimeSeconds": median,
            **{
                f"Tables{word}": tables.get(what, {}).get("Count", 0)
                for word, what in (("Created", "ADD"), ("Updated", "UPDATE"), ("Deleted", "DELETE"))
            },
        }

    def list_crawls(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a crawler's last crawls, the newest first. Raises AwsError for filters."""
        if request.get("Filters"):
            raise invalid("Filters are not supported here")
        crawls = self._memory(_crawler(request["CrawlerName"])["Name"]).crawls[::-1]
        start, size = int(request.get("NextToken") or 0), int(request.get("MaxResults") or 20)
        rest = {"NextToken": str(start + size)} if start + size < len(crawls) else {}
        return {"Crawls": crawls[start : start + size], **rest}

    def _memory(self, name: str) -> Memory:
        from ministack.core.responses import get_account_id, get_region

        return Memory(self.folder / f"{get_account_id()}-{get_region()}", name)

    def _run(self, crawler: dict[str, Any]) -> None:
        name, started = crawler["Name"], time.time()
        memory = self._memory(name)
        changes, status, message = Changes(), "SUCCEEDED", ""
        try:
            _crawl(crawler, memory, changes)
        except CrawlStoppedError:
            status = "CANCELLED"
        except Exception as error:
            # A crawl that fails must say so in LastCrawl, whatever the failure was.
            log.exception("crawl failed", crawler=name)
            status, message = "FAILED", str(error)[:2048]
        logged = {"LogGroup": "/aws-glue/crawlers", "LogStream": name, "MessagePrefix": str(uuid.uuid4())}
        failed = {"ErrorMessage": message} if message else {}
        memory.add_crawl(
            {
                "CrawlId": logged["MessagePrefix"],
                "State": {"SUCCEEDED": "COMPLETED", "CANCELLED": "STOPPED"}.get(status, status),
                "StartTime": started,
                "EndTime": time.time(),
                "Summary": json.dumps(changes.summary()),
                **failed,
                **logged,
            }
        )
        if _is_held(crawler):
            memory.save()
        last = {"Status": status, "StartTime": started, **failed, **logged}
        # Noted before anyone can see it.
        journal.note("crawler", name, {"State": "READY", "LastCrawl": last})
        crawler["LastCrawl"] = last
        crawler["State"] = "READY"


def _is_held(crawler: dict[str, Any]) -> bool:
    """Tell whether this very crawler is still there: CloudFormation may delete one that runs."""
    from ministack.services import glue

    return glue._crawlers.get(crawler["Name"]) is crawler


def _crawler(name: str) -> dict[str, Any]:
    from ministack.services import glue

    found: dict[str, Any] | None = glue._crawlers.get(name)
    if found is None:
        raise AwsError("EntityNotFoundException", f"Crawler with name {name} does not exist")
    return found


def update_classifier(request: dict[str, Any]) -> dict[str, Any]:
    """Change a classifier; what was crawled with it is not read again (add-classifier.html)."""
    from ministack.services import glue

    for kind, changes in request.items():
        held = (glue._classifiers.get(changes["Name"]) or {}).get(kind)
        if held is None:
            raise AwsError("EntityNotFoundException", f"{kind} {changes['Name']} not found")
        changed = {**held, **changes, "LastUpdated": int(time.time()), "Version": held["Version"] + 1}
        glue._classifiers[changes["Name"]] = {kind: changed}
    return {}


def _crawl(crawler: dict[str, Any], memory: Memory, changes: Changes) -> None:
    policy = policy_of(crawler)
    classifiers = crawler_classifiers.of_crawler(crawler.get("Classifiers") or [])
    targets = crawler["Targets"].get("S3Targets") or []
    plans = [plan(crawler, policy, target, classifiers, memory) for target in targets]
    if crawler["State"] == "STOPPING":
        raise CrawlStoppedError
    for planned in plans:
        _carry_out(crawler, policy, planned, changes)
        memory.remember(planned.root, planned.seen)
    log.info("crawled", crawler=crawler["Name"], objects_read=sum(planned.objects_read for planned in plans))


def _carry_out(crawler: dict[str, Any], policy: Policy, planned: Plan, changes: Changes) -> None:
    """Make the catalog what was found."""
    database, name = crawler["DatabaseName"], crawler_catalog.table_name(crawler, planned.root)
    there = planned.found.partitions if planned.found else {}
    if planned.found:
        descriptor = crawler_catalog.put_table(crawler, policy, name, planned.found, changes)
        if planned.found.keys:
            known = crawler_catalog.values(database, name)
            add_partitions(database, name, descriptor, there)
            changes.partitions["ADD"] += [
                f"{name}/{'/'.join(values)}" for values in there if values not in known
            ]
            if policy.inherit:
                crawler_catalog.update_partitions(database, name, descriptor, changes)
    gone = crawler_catalog.values(database, name, planned.root) - set(there)
    crawler_catalog.remove_gone(crawler, policy, name, set(there), sorted(gone), changes)


def add_partitions(
    database: str, table: str, descriptor: dict[str, Any], locations: dict[tuple[str, ...], str]
) -> int:
    """Add the partitions (values to location) that the catalog lacks; return how many.

    Raises AwsError when the catalog refuses one.
    """
    known = crawler_catalog.values(database, table)
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
