"""Planning a crawl: what lies under a target, what of it is new, and what table it makes. Nothing is changed yet."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any
from urllib.parse import unquote

from nearcast.local.gateway import calls, crawler_catalog
from nearcast.local.gateway.calls import StoredObject
from nearcast.local.gateway.crawler_catalog import Found
from nearcast.local.gateway.crawler_classifiers import Classifier
from nearcast.local.gateway.crawler_errors import UnreadableError
from nearcast.local.gateway.crawler_memory import Memory, Seen, digest
from nearcast.local.gateway.crawler_policy import Policy
from nearcast.local.gateway.crawler_reading import Reader
from nearcast.local.gateway.crawler_types import Type, merge
from nearcast.log import get_logger

log = get_logger("crawler")


@dataclass(frozen=True)
class Plan:
    """What a crawl has found under one target, and what it will remember of it.

    Parameters
    ----------
    root
        The target's s3:// address, with a slash at its end.
    found
        The table; None where there is no object.
    seen
        What is remembered after the catalog was changed.
    objects_read
        How many objects were read for it.
    """

    root: str
    found: Found | None
    seen: Seen
    objects_read: int


def plan(
    crawler: dict[str, Any],
    policy: Policy,
    target: dict[str, Any],
    classifiers: list[Classifier],
    memory: Memory,
) -> Plan:
    """List a target and read what is new in it. Raises UnreadableError, or AwsError."""
    root = target["Path"].rstrip("/") + "/"
    bucket, prefix = calls.split_uri(root)
    folders = _folders(calls.list_objects(bucket, prefix), prefix, target.get("Exclusions") or [])
    calls.settle()
    seen = memory.seen(root)
    keys = _keys(folders)
    digests = {folder: {digest(item) for item in items} for folder, items in folders.items()}
    fresh = {
        folder: [item for item in items if digest(item) not in seen.folders.get(folder, ())]
        for folder, items in folders.items()
    }
    first_crawl = seen.format is None
    if policy.new_folders_only and not first_crawl:
        fresh = {folder: items for folder, items in fresh.items() if folder not in seen.folders}
    read_now = {folder: _sample(items, target.get("SampleSize")) for folder, items in fresh.items()}
    reader = Reader(classifiers, _ignores_malformed(crawler, root))
    table_format, schema = seen.format, seen.schema
    if policy.new_folders_only and not first_crawl:
        for folder in _incompatible(read_now, reader, seen):
            del folders[folder]
    else:
        everything = [item for items in read_now.values() for item in items]
        table_format, schema = reader.read(everything, table_format, schema)
    found = None
    if folders and table_format is not None:
        columns = {name: kind for name, kind in schema.items() if name not in keys}
        partitions = {tuple(value for _, value in _pairs(folder)): root + folder for folder in folders}
        found = Found(root, keys, partitions, table_format, columns)
    remembered = Seen(table_format, schema, {folder: digests[folder] for folder in folders})
    return Plan(root, found, remembered, sum(map(len, read_now.values())))


def _folders(
    objects: list[StoredObject], prefix: str, exclusions: list[str]
) -> dict[str, list[StoredObject]]:
    """Group objects by their folder below the prefix; empty, hidden and excluded objects do not count."""
    folders: defaultdict[str, list[StoredObject]] = defaultdict(list)
    for item in objects:
        relative = item.key[len(prefix) :]
        hidden = any(part.startswith(("_", ".")) for part in relative.split("/"))
        if item.size and not hidden and not any(fnmatch(relative, pattern) for pattern in exclusions):
            folders[relative[: relative.rfind("/") + 1]].append(item)
    return dict(folders)


def _pairs(folder: str) -> list[tuple[str, str]]:
    """Return a folder's partition keys and values; one that is no ``key=value`` is partition_0, partition_1 …

    Values are those that Hive wrote into the folder's name, where it escapes some characters as %XX.
    """
    parts = [part.partition("=") for part in folder.split("/")[:-1]]
    return [
        (name.lower(), unquote(value)) if equals else (f"partition_{place}", name)
        for place, (name, equals, value) in enumerate(parts)
    ]


def _keys(folders: dict[str, list[StoredObject]]) -> list[str]:
    """Return the partition keys that all folders have. Raises UnreadableError for an object elsewhere."""
    keys: list[str] | None = None
    for folder, items in folders.items():
        own = [name for name, _ in _pairs(folder)]
        if keys is not None and own != keys:
            raise UnreadableError(
                items[0].key, f"its folder has the partition keys {own}, others have {keys}"
            )
        keys = own
    return keys or []


def _sample(items: list[StoredObject], size: int | str | None) -> list[StoredObject]:
    """Return the newest ``size`` objects of a folder (Glue's SampleSize), or all."""
    return sorted(items, key=lambda item: item.last_modified)[-int(size) :] if size else items


def _ignores_malformed(crawler: dict[str, Any], root: str) -> bool:
    """Tell whether the table's SerDe passes over lines that are no JSON: then the crawler does so too."""
    table = crawler_catalog.get_table(crawler["DatabaseName"], crawler_catalog.table_name(crawler, root))
    serde = (table or {}).get("StorageDescriptor", {}).get("SerdeInfo") or {}
    return str((serde.get("Parameters") or {}).get("ignore.malformed.json")).lower() == "true"


def _incompatible(new: dict[str, list[StoredObject]], reader: Reader, seen: Seen) -> list[str]:
    """Return the new folders whose objects do not fit into the table as it is: they are logged and left out.

    AWS: incremental-crawls.html, Notes and restrictions.
    """
    refused = []
    for folder, items in new.items():
        if not items:
            continue
        found, schema = reader.read(items, None, {})
        wider = [name for name, kind in schema.items() if not _fits(kind, seen.schema.get(name, kind))]
        if found != seen.format or wider:
            log.warning("folder is not compatible", folder=folder, format=str(found), columns=wider)
            refused.append(folder)
    return refused


def _fits(kind: Type, known: Type) -> bool:
    return bool(merge(known, kind) == known)
