"""Pages of what Athena's API lists."""

from __future__ import annotations

from typing import Any

from nearcast.local.gateway.hooks import AwsError


def page(name: str, items: list[Any], request: dict[str, Any], most: int) -> dict[str, Any]:
    """Return the page of ``items`` that a request asks for, at most ``most`` long, and where the next begins.

    Raises AwsError (InvalidRequestException): its NextToken is none of ours.
    """
    token = request.get("NextToken") or "0"
    if not token.isdecimal():
        raise AwsError("InvalidRequestException", "Invalid NextToken")
    start, size = int(token), min(int(request.get("MaxResults") or most), most)
    shown = {name: items[start : start + size]}
    return {**shown, "NextToken": str(start + size)} if start + size < len(items) else shown
