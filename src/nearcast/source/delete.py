"""Deleting prices from PostgreSQL; each deletion gets a version there and waits to be published."""

from __future__ import annotations

from datetime import date as Date  # noqa: N812
from pathlib import Path

from nearcast.settings import Settings
from nearcast.source.database import connect, refusals


def delete_prices(
    settings: Settings, symbol: str, first: Date | None = None, last: Date | None = None
) -> int:
    """Delete the rows of ``symbol`` from ``first`` to ``last``, both included (None: no bound).

    Parameters
    ----------
    settings
        `postgres_dsn` is the writer's.

    Returns
    -------
    How many rows were deleted.

    Raises
    ------
    SourceError
        PostgreSQL failed; then nothing was deleted.
    """
    statement = Path(__file__).with_name("delete_prices.sql").read_bytes()
    days = {"first": first or "-infinity", "last": last or "infinity"}
    with (
        refusals("Nothing was deleted.", "Mend the cause, then delete again."),
        connect(settings.need("postgres_dsn")) as link,
    ):
        return link.execute(statement, {"symbol": symbol, **days}).rowcount
