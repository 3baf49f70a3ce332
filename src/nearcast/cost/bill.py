"""The pieces of an estimate: positions, parts, stops."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date as Date  # noqa: N812
from typing import Any

from nearcast.cost.tables import Price, limits, price_table


@dataclass(frozen=True)
class Line:
    """A position of the bill: so many units of the price ``name`` in a month."""

    name: str
    quantity: float

    @property
    def price(self) -> Price:
        """The price."""
        return price_table().prices[self.name]

    @property
    def usd(self) -> float:
        """US dollars a month."""
        return self.price.cost(self.quantity)

    @property
    def unit(self) -> str:
        """What is counted."""
        return self.price.unit


@dataclass(frozen=True)
class Stop:
    """A limit that the workload is beyond, and what to change.

    ``name`` is a published limit's or, where Nearcast's own code or settings end first, one that begins with
    ``nearcast-``.
    """

    name: str
    reason: str
    change: str


@dataclass(frozen=True)
class Modes:
    """What a part's capacity costs in both of its modes, in US dollars a month.

    At ``even_at_hours_per_day`` hours with rows both cost the same (None: at none); with more, provisioned is cheaper.
    """

    on_demand_usd: float
    provisioned_usd: float
    even_at_hours_per_day: float | None


@dataclass(frozen=True)
class Part:
    """A part of the system: its settings, its positions, where it stops, and figures that others build on."""

    name: str
    settings: str
    lines: tuple[Line, ...]
    stops: tuple[Stop, ...] = ()
    details: dict[str, float] = field(default_factory=dict)
    modes: Modes | None = None

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
            {
                "price": line.name,
                "quantity": line.quantity,
                "unit": line.unit,
                "unit_price": str(line.price),
                "usd": round(line.usd, 6),
            }
            for line in part.lines
        ],
        "stops": [asdict(stop) for stop in part.stops],
        **part.details,
        **(asdict(part.modes) if part.modes else {}),
    }


def beyond(name: str, needed: float, reason: str, change: str) -> tuple[Stop, ...]:
    """Return a stop when ``needed`` is more than the published limit ``name``."""
    return (Stop(name, reason, change),) if needed > limits()[name].value else ()
