"""Why a crawl fails."""

from __future__ import annotations

from nearcast.local.gateway.hooks import AwsError


class UnreadableError(AwsError):
    """An object that cannot be read, or does not fit into its table: it is named, and the catalog stays as it was."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__("InvalidInputException", f"Object {key} cannot be crawled: {reason}")
