"""The champion as MLflow describes it: its version, its times, and what it was trained on. Its model is not loaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nearcast.forecast.reference import Reference, load_reference
from nearcast.forecast.registry import CHAMPION_ALIAS, CHAMPION_MODEL, aliased
from nearcast.forecast.tracking import answering, connect

if TYPE_CHECKING:
    from nearcast.settings import Settings

DECIDED_TAG = "decided_at"
"""Tag of a version with the moment of its promotion, in ISO 8601."""


@dataclass(frozen=True)
class ChampionState:
    """The model in use.

    Parameters
    ----------
    version
        ``<registered model>/<version>``.
    trained_at
        When its training ended.
    promoted_at
        When it became champion; None when that was not noted.
    reference
        What it was trained on; None when that was not noted.
    """

    version: str
    trained_at: datetime
    promoted_at: datetime | None
    reference: Reference | None


def champion_state(settings: Settings) -> ChampionState | None:
    """Return the champion's state; None while there is none.

    Raises
    ------
    ForecastError
        MLflow does not answer.
    """
    with answering(settings):
        client = connect(settings)
        found = aliased(client, CHAMPION_MODEL, CHAMPION_ALIAS)
        if found is None:
            return None
        decided = found.tags.get(DECIDED_TAG)
        return ChampionState(
            version=f"{CHAMPION_MODEL}/{found.version}",
            trained_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
            promoted_at=datetime.fromisoformat(decided) if decided else None,
            reference=load_reference(client, found.run_id),
        )
