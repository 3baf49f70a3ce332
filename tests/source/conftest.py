"""The bundled prices."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def bundled_prices() -> Path:
    """data/stocks_daily.csv: 2,699 real days of six symbols."""
    return Path(__file__).parents[2] / "data" / "stocks_daily.csv"
