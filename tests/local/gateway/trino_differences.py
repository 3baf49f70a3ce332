"""Where the local Athena differs from Trino on purpose: what it refuses, and what it answers otherwise, and why.

The test of the corpus fails when one of these no longer differs, or differs in another way.
"""

from __future__ import annotations

REFUSED: dict[str, tuple[str, ...]] = {}
"""Refused with NOT_SUPPORTED, by the reason: never answered with something else."""
DIFFERENT: dict[str, tuple[str, ...]] = {}
"""Answered otherwise, by the reason."""
