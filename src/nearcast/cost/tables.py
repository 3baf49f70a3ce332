"""AWS's prices and limits as they lie in this folder."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Price:
    """What a unit costs.

    Parameters
    ----------
    name
        Its key in prices.toml.
    unit
        What is counted, in the plural.
    per
        Of so many units.
    tiers
        (up to how many units of a month, US dollars for ``per`` units); the last one has no end (inf).
    source
        AWS's page with the price.
    stated
        The newest day for which a reading of it with this price was found; None: none with a day was.
    note
        What else is to be known.
    """

    name: str
    unit: str
    per: int
    tiers: tuple[tuple[float, float], ...]
    source: str
    stated: Date | None = None
    note: str = ""

    def cost(self, quantity: float) -> float:
        """Return US dollars for ``quantity`` units of a month, tier by tier."""
        total, below = 0.0, 0.0
        for up_to, usd in self.tiers:
            total += max(0.0, min(quantity, up_to) - below) / self.per * usd
            below = up_to
        return total

    def __str__(self) -> str:
        """Return US dollars for how many; of tiers the first one's."""
        amount = f"{self.tiers[0][1]:.10f}".rstrip("0").rstrip(".")
        return amount + f" for {self.per:,}" * (self.per > 1) + ", then less" * (len(self.tiers) > 1)


@dataclass(frozen=True)
class PriceTable:
    """Every price, with its region and the day the table was put together."""

    region: str
    compiled: Date
    prices: dict[str, Price]


@dataclass(frozen=True)
class Limit:
    """A limit that AWS publishes; ``adjustable`` ones are raised on request."""

    name: str
    value: float
    unit: str
    adjustable: bool
    source: str
    note: str = ""


@cache
def price_table() -> PriceTable:
    """Read prices.toml."""
    document = _read("prices.toml")
    region, compiled = document.pop("region"), document.pop("compiled")
    return PriceTable(region, compiled, {name: _price(name, entry) for name, entry in document.items()})


def _price(name: str, entry: dict[str, Any]) -> Price:
    tiers = entry.pop("tiers", None) or [{"usd": entry.pop("usd")}]
    return Price(
        name=name, tiers=tuple((tier.get("up_to", math.inf), tier["usd"]) for tier in tiers), **entry
    )


@cache
def limits() -> dict[str, Limit]:
    """Read limits.toml."""
    return {name: Limit(name=name, **entry) for name, entry in _read("limits.toml").items()}


def limit(name: str) -> float:
    """Return a limit's value."""
    return limits()[name].value


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
