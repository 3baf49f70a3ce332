"""What a data check finds."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nearcast.lake.quarantine import Version

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Finding:
    """A row that breaks a check, by its exact version; a session without a row has none."""

    check: str
    stock_symbol: str
    date: datetime.date
    version: int | None
    reason: str

    @property
    def row(self) -> Version:
        """Which version of which row it is about."""
        return self.stock_symbol, self.date, self.version or 0


def findings(check: str, rows: pd.DataFrame, reasons: Iterable[str]) -> list[Finding]:
    """Return a finding of ``check`` for each row, with its reason."""
    columns = (
        rows["stock_symbol"].tolist(),
        rows["date"].dt.date.tolist(),
        rows["version"].tolist(),
        reasons,
    )
    return [Finding(check, *values) for values in zip(*columns, strict=True)]
