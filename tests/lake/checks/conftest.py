"""Real daily bars as the checks take them, and a lake of them."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.forecast.conftest import all_bars, home, lake

__all__ = ["all_bars", "home", "lake"]


@pytest.fixture(scope="session")
def real(all_bars: pd.DataFrame) -> pd.DataFrame:
    """The bundled prices with the types of a snapshot; not to be changed."""
    return all_bars.astype({"volume": "Int64", "version": "Int64"})


@pytest.fixture
def rows(real: pd.DataFrame) -> pd.DataFrame:
    """A copy of them, to plant faults in."""
    return real.copy()
