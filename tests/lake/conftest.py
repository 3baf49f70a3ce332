"""A gateway for the lake's tests: a process of its own, with the stacks deployed to it, and tables with rows."""

from __future__ import annotations

from tests.lake.athena_tables import bars, events, forecasts, tables
from tests.local.gateway.conftest import deployed, gateway

__all__ = ["bars", "deployed", "events", "forecasts", "gateway", "tables"]
