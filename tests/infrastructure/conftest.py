"""A gateway for these tests: a process of its own, with the stacks deployed to it."""

from __future__ import annotations

from tests.local.gateway.conftest import deployed, gateway

__all__ = ["deployed", "gateway"]
