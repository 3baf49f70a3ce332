"""What a crawler has seen, and how its crawls ended: a file for each crawler beside the gateway's state.

"A crawler keeps track of previously crawled data" (docs.aws.amazon.com/glue/latest/dg/add-classifier.html). An object
is remembered by eight bytes, made of its key and its ETag; what it held, by what it added to its table's columns. The
file is replaced after the catalog was changed: a gateway that is killed between the two reads some objects again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nearcast.local.gateway.calls import StoredObject
from nearcast.local.gateway.crawler_formats import Format
from nearcast.local.gateway.crawler_types import Schema

DIGEST = 8
CRAWLS_KEPT = 100


def digest(item: StoredObject) -> bytes:
    """Return what tells this object, with this content, from others."""
    return hashlib.blake2b(
        f"{item.etag} {item.key}".encode(errors="surrogatepass"), digest_size=DIGEST
    ).digest()


@dataclass
class Seen:
    """What was seen of one target: its objects by folder, their format, and the columns of all of them."""

    format: Format | None = None
    schema: Schema = field(default_factory=dict)
    folders: dict[str, set[bytes]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "format": self.format.document() if self.format else None,
            "schema": self.schema,
            "folders": {
                folder: base64.b64encode(b"".join(sorted(digests))).decode()
                for folder, digests in self.folders.items()
            },
        }


def _seen(document: dict[str, Any]) -> Seen:
    folders = {}
    for folder, encoded in document["folders"].items():
        packed = base64.b64decode(encoded)
        folders[folder] = {packed[start : start + DIGEST] for start in range(0, len(packed), DIGEST)}
    return Seen(Format(**document["format"]) if document["format"] else None, document["schema"], folders)


class Memory:
    """The memory of the crawler with this name, in the folder of its account and region."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{quote(name, safe='')}.json"
        try:
            document = json.loads(self.path.read_text())
        except FileNotFoundError:
            document = {"targets": {}, "crawls": []}
        self.targets: dict[str, dict[str, Any]] = document["targets"]
        self.crawls: list[dict[str, Any]] = document["crawls"]

    def seen(self, target: str) -> Seen:
        """Return what was seen of a target (its s3:// address)."""
        found = self.targets.get(target)
        return _seen(found) if found else Seen()

    def remember(self, target: str, seen: Seen) -> None:
        """Take what a crawl has seen of a target."""
        self.targets[target] = seen.document()

    def add_crawl(self, crawl: dict[str, Any]) -> None:
        """Add a crawl's record to the history."""
        self.crawls = [*self.crawls, crawl][-CRAWLS_KEPT:]

    def save(self) -> None:
        """Write the file, in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        document = {"targets": self.targets, "crawls": self.crawls}
        temporary.write_text(json.dumps(document))
        temporary.replace(self.path)

    def forget(self) -> None:
        """Remove the file: the crawler is deleted."""
        self.path.unlink(missing_ok=True)
