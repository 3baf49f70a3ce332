"""The pieces of an estimate: positions, parts, stops."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date as Date  # noqa: N812
from typing import Any

from nearcast.cost.tables import limits, price_table


@dataclass(frozen=True)
class Line:
    """A position of the bill: so many units of a price in a month."""

    price: str
    quantity: float

    @property
    def usd(self) -> float:
        """US dollars a month."""
        return price_table().prices[self.price].cost(self.quantity)

    @property
    def unit(self) -> str:
        """What is counted."""
        return price_table().prices[self.price].unit


@dataclass(frozen=True)
class Stop:
    """A limit that the workload is beyond, and what to change.

    ``limit`` is a published limit's name or, where Nearcast's own code or settings end first, None.
    """

    reason: str
    change: str
    limit: str | None = None


@dataclass(frozen=True)
class Part:
    """A part of the system: its settings, its positions, and where it stops."""

    name: str
    settings: str
    lines: tuple[Line, ...]
    stops: tuple[Stop, ...] = ()
    details: dict[str, float | None] = field(default_factory=dict)

    @property
    def usd(self) -> float:
        """US dollars a month."""
        return sum(line.usd for line in self.lines)


@dataclass(frozen=True)
class Estimate:
    """What a workload takes: all parts."""

    parts: tuple[Part, ...]

    @property
    def usd(self) -> float:
        """US dollars a month."""
        return sum(part.usd for part in self.parts)

    @property
    def region(self) -> str:
        """The prices' region."""
        return price_table().region

    @property
    def compiled(self) -> Date:
        """When the prices were put together."""
        return price_table().compiled

    def part(self, name: str) -> Part:
        """Return the part of that name."""
        [found] = [part for part in self.parts if part.name == name]
        return found

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "region": self.region,
            "prices_compiled": self.compiled.isoformat(),
            "usd_per_month": round(self.usd, 4),
            "parts": [_part_document(part) for part in self.parts],
        }


def _part_document(part: Part) -> dict[str, Any]:
    return {
        "part": part.name,
        "settings": part.settings,
        "usd_per_month": round(part.usd, 4),
        "lines": [
            {"price": line.price, "quantity": line.quantity, "unit": line.unit, "usd": round(line.usd, 6)}
            for line in part.lines
        ],
        "stops": [{"reason": stop.reason, "change": stop.change, "limit": stop.limit} for stop in part.stops],
        **part.details,
    }


def beyond(name: str, needed: float, reason: str, change: str) -> tuple[Stop, ...]:
    """Return a stop when ``needed`` is more than the published limit ``name``."""
    return (Stop(reason, change, name),) if needed > limits()[name].value else ()


def own(is_beyond: bool, reason: str, change: str) -> tuple[Stop, ...]:
    """Return a stop where Nearcast itself is what ends."""
    return (Stop(reason, change),) if is_beyond else ()
