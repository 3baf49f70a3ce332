"""A daily bar: the prices and the volume of one symbol on one trading day."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - `date` is the field's name

SMALLEST_PRICE, LARGEST_PRICE = 1e-130, 9.9e125
"""What a number in DynamoDB can hold (AWS: Supported data types and naming rules in DynamoDB)."""

LARGEST_VOLUME = 2**63 - 1
"""What a bigint can hold."""


@dataclass(frozen=True)
class Bar:
    """One row of the source; prices in US dollars, volume in shares."""

    stock_symbol: str
    date: Date
    open_price: float
    high_price: float
    low_price: float
    close_price: float
    volume: int
    adjusted_close: float | None = None


def fault(bar: Bar) -> str | None:
    """Return why ``bar`` cannot be a true trading day, or None when nothing speaks against it."""
    for name in ("open_price", "high_price", "low_price", "close_price", "adjusted_close"):
        price = getattr(bar, name)
        if price is not None and (wrong := _price_fault(price)):
            return f"{name.replace('_', ' ')} {price!r} {wrong}"
    if bar.high_price < bar.low_price:
        return f"high {bar.high_price!r} is below low {bar.low_price!r}"
    for name in ("open_price", "close_price"):
        price = getattr(bar, name)
        if price > bar.high_price:
            return f"high {bar.high_price!r} is below {name.removesuffix('_price')} {price!r}"
        if price < bar.low_price:
            return f"low {bar.low_price!r} is above {name.removesuffix('_price')} {price!r}"
    if not 0 <= bar.volume <= LARGEST_VOLUME:
        return f"volume {bar.volume} is {'negative' if bar.volume < 0 else 'too large'}"
    return None


def _price_fault(price: float) -> str | None:
    if not math.isfinite(price):
        return "is not finite"
    if price <= 0:
        return "is not positive"
    return None if SMALLEST_PRICE <= price <= LARGEST_PRICE else "is out of range"
