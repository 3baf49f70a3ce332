"""analytics.yaml for tests: its resources with every intrinsic function resolved, and the name of its definition."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.infrastructure.templates import templates


def properties(logical_id: str) -> dict[str, Any]:
    """Return a resource's properties with every intrinsic function resolved."""
    template = templates()["analytics"]
    resolved: dict[str, Any] = template.value(template.resources[logical_id]["Properties"])
    return resolved


def definition_hash() -> str:
    """Return the hash that the name of the QuickSight template carries."""
    definition = templates()["analytics"].resources["Template"]["Properties"]["Definition"]
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:12]
