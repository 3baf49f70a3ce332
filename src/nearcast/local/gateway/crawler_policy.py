"""What a crawler is told to do: its policies and its configuration, and what is refused of them.

Source: docs.aws.amazon.com/glue/latest/dg/crawler-configuration.html, crawler-schema-changes-prevent.html,
incremental-crawls.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nearcast.local.gateway.hooks import AwsError

RECRAWL = ("CRAWL_EVERYTHING", "CRAWL_NEW_FOLDERS_ONLY")
UPDATE = ("UPDATE_IN_DATABASE", "LOG")
DELETE = ("DEPRECATE_IN_DATABASE", "DELETE_FROM_DATABASE", "LOG")
CONFIGURATION = {
    ("Version",): (1.0,),
    ("CrawlerOutput", "Tables", "AddOrUpdateBehavior"): ("MergeNewColumns",),
    ("CrawlerOutput", "Partitions", "AddOrUpdateBehavior"): ("InheritFromTable",),
    ("Grouping", "TableGroupingPolicy"): ("CombineCompatibleSchemas",),
}
"""The settings of Configuration that are known here, and their values."""
MAX_SAMPLE = 249


@dataclass(frozen=True)
class Policy:
    """A crawler's policies.

    Parameters
    ----------
    new_folders_only
        Only folders that were not there at the last crawl are crawled.
    update
        Tables take changed schemas (UPDATE_IN_DATABASE), or stay as they are (LOG).
    merge_new_columns
        Columns that a table has keep their types.
    inherit
        Partitions take the table's columns each time.
    delete
        What becomes of tables and partitions whose objects are gone.
    """

    new_folders_only: bool
    update: bool
    merge_new_columns: bool
    inherit: bool
    delete: str


def invalid(message: str) -> AwsError:
    """Return InvalidInputException."""
    return AwsError("InvalidInputException", message)


def policy_of(crawler: dict[str, Any]) -> Policy:
    """Return the policies of a crawler. Raises AwsError for what is not done here, or not allowed by AWS."""
    recrawl = _one_of(RECRAWL, crawler.get("RecrawlPolicy"), "RecrawlBehavior")
    changes = crawler.get("SchemaChangePolicy")
    update = _one_of(UPDATE, changes, "UpdateBehavior")
    delete = _one_of(DELETE, changes, "DeleteBehavior")
    if recrawl == "CRAWL_NEW_FOLDERS_ONLY" and (update, delete) != ("LOG", "LOG"):
        raise invalid(
            'The SchemaChangePolicy for "Crawl new folders only" Amazon S3 target can have only LOG DeleteBehavior'
            " value and LOG UpdateBehavior value."
        )
    settings = _settings(crawler.get("Configuration"))
    _check_targets(crawler.get("Targets") or {})
    return Policy(
        new_folders_only=recrawl == "CRAWL_NEW_FOLDERS_ONLY",
        update=update == "UPDATE_IN_DATABASE",
        merge_new_columns=("CrawlerOutput", "Tables", "AddOrUpdateBehavior") in settings,
        inherit=("CrawlerOutput", "Partitions", "AddOrUpdateBehavior") in settings,
        delete=delete,
    )


def _one_of(known: tuple[str, ...], policy: dict[str, Any] | None, name: str) -> str:
    """Return a policy's value, the first that is known where it has none."""
    value = (policy or {}).get(name) or known[0]
    if value not in known:
        raise invalid(f"{name} {value} is not supported here: only {', '.join(known)} are")
    return str(value)


def _settings(configuration: str | None) -> set[tuple[str, ...]]:
    if not configuration:
        return set()
    try:
        found = dict(_leaves(json.loads(configuration), ()))
    except ValueError as error:
        raise invalid(f"Configuration is no JSON: {error}") from error
    for place, value in found.items():
        if value not in CONFIGURATION.get(place, ()):
            raise invalid(f"Configuration {'.'.join(place)} {value!r} is not supported here")
    return set(found)


def _leaves(document: Any, place: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    if not isinstance(document, dict):
        return [(place, document)]
    return [leaf for name, value in document.items() for leaf in _leaves(value, (*place, name))]


def _check_targets(targets: dict[str, Any]) -> None:
    others = [kind for kind, listed in targets.items() if kind != "S3Targets" and listed]
    if others:
        raise invalid(f"{others[0]} are not supported here: only S3Targets are")
    for target in targets.get("S3Targets") or []:
        if not 0 < int(target.get("SampleSize") or 1) <= MAX_SAMPLE:
            raise invalid(f"SampleSize has to be between 1 and {MAX_SAMPLE}")


def install() -> None:
    """Check every crawler that is created or changed, through the API or through CloudFormation."""
    from ministack.services import glue

    glue._create_crawler = _refusing(glue._create_crawler, lambda request: request)
    glue._update_crawler = _refusing(
        glue._update_crawler, lambda request: {**(glue._crawlers.get(request.get("Name")) or {}), **request}
    )


def _refusing(
    action: Callable[..., Any], whole: Callable[[dict[str, Any]], dict[str, Any]]
) -> Callable[..., Any]:
    """Return the action with a check before it of the crawler as it would be afterwards."""
    from ministack.core.responses import error_response_json

    def checked(request: dict[str, Any]) -> Any:
        try:
            policy_of(whole(request))
        except AwsError as error:
            return error_response_json(error.code, str(error), error.status)
        return action(request)

    return checked
