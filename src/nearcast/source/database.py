"""The one way to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nearcast.errors import SourceError

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow

CONNECT_TIMEOUT_S = 10


def connect(dsn: str) -> Connection[TupleRow]:
    """Connect to PostgreSQL; each transaction ends with `commit` or `rollback`.

    Raises
    ------
    SourceError
        Nothing answers at the address, or it refuses the role, the password or the database.
    """
    import psycopg

    try:
        return psycopg.connect(dsn, application_name="nearcast", connect_timeout=CONNECT_TIMEOUT_S)
    except psycopg.OperationalError as error:
        raise SourceError(
            f"PostgreSQL cannot be reached: {_first_line(error)}",
            kept="Nothing was changed.",
            todo="Run `nearcast up`, or set NEARCAST_POSTGRES_DSN to a database that runs.",
        ) from error


@contextmanager
def refusals(kept: str, todo: str) -> Iterator[None]:
    """Turn what PostgreSQL refuses within this block (a full disk, a lost connection) into a SourceError."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise SourceError(f"PostgreSQL failed: {_first_line(error)}", kept=kept, todo=todo) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
