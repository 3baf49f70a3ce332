"""Alerts: what a person should know of, kept in PostgreSQL and shown on the dashboard."""

from __future__ import annotations

from nearcast.log import get_logger
from nearcast.settings import Settings


def raise_alert(settings: Settings, source: str, text: str) -> None:
    """Store an alert and log it.

    Parameters
    ----------
    settings
        `postgres_dsn` is the writer's.
    source
        What it is about: a DAG, a task, a check.
    text
        What happened, in one sentence.

    Raises
    ------
    SourceError
        PostgreSQL failed.
    """
    from nearcast.source.database import connect, refusals

    get_logger("alerts").warning(text, source=source)
    with (
        refusals("The alert is only in the log.", "See `nearcast status`."),
        connect(settings.need("postgres_dsn")) as link,
    ):
        link.execute("INSERT INTO nearcast.alerts (source, text) VALUES (%s, %s)", (source, text))
