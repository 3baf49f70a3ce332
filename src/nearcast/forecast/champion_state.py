"""The champion as MLflow describes it: its version, its times, and what it was trained on. Its model is not loaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nearcast.forecast.reference import Reference, load_reference
from nearcast.forecast.registry import CHAMPION_ALIAS, CHAMPION_MODEL, answering, connect

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
    from mlflow.exceptions import MlflowException

    with answering(settings):
        client = connect(settings)
        try:
            found = client.get_model_version_by_alias(CHAMPION_MODEL, CHAMPION_ALIAS)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise
        decided = found.tags.get(DECIDED_TAG)
        return ChampionState(
            version=f"{CHAMPION_MODEL}/{found.version}",
            trained_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
            promoted_at=datetime.fromisoformat(decided) if decided else None,
            reference=load_reference(client, found.run_id),
        )


def training_symbols(client: Any, version: str) -> frozenset[str] | None:
    """Return the symbols that a version of the champion's model was trained on; None when that was not noted."""
    reference = load_reference(client, client.get_model_version(CHAMPION_MODEL, version).run_id)
    return None if reference is None else frozenset(reference.symbols)
