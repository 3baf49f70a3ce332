"""The export of a backtest: what each model forecast for the next session, and what came, in US dollars."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nearcast.errors import ForecastError
from nearcast.forecast.backtest.losses import common
from nearcast.schema import QUANTILE_LEVELS

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.forecast.backtest.run import Run

QUANTILE_HEADINGS = [f"q{level}" for level in QUANTILE_LEVELS]


def export_table(run: Run) -> pd.DataFrame:
    """Return a row per model, symbol and day that counts at horizon 1.

    Returns
    -------
    pandas.DataFrame
        ``symbol, model, date`` (the day that was forecast), ``last_close, actual, q0.025 … q0.975``.
    """
    import pandas as pd

    one, days = common(run, 1), run.days
    last_close = days.last_close[one.rows]
    tables = []
    for name, losses in one.losses.items():
        table = pd.DataFrame(
            {
                "symbol": days.symbol[one.rows],
                "model": name,
                "date": days.session[one.rows].astype("datetime64[s]"),
                "last_close": last_close,
                "actual": days.next_close[one.rows],
            }
        )
        table[QUANTILE_HEADINGS] = last_close[:, None] * np.exp(losses.quantiles)
        tables.append(table)
    whole = pd.concat(tables, ignore_index=True)
    return whole.sort_values(["symbol", "model", "date"], ignore_index=True)


def write_export(run: Run, path: Path) -> int:
    """Write the export as CSV, in one step; return its number of rows."""
    table = export_table(run)
    with _temporary(path) as temporary:
        table.to_csv(temporary, index=False, date_format="%Y-%m-%d")
        temporary.replace(path)
    return len(table)


def check_writable(path: Path) -> None:
    """Raise a ForecastError when a file cannot be written there: before the work, not after it."""
    if path.is_dir():
        raise ForecastError(f"{path} is a folder.", todo="Name a file for the export.")
    with _temporary(path):
        pass


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Yield a new file beside ``path``, which is gone afterwards unless it was renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise ForecastError(
            f"{path} cannot be written: {error.strerror}.", todo="Name a file in a folder that is there."
        ) from error
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
