"""Who is champion: a version is judged and promoted, or the champion goes back to the one before.

The alias `champion` alone says who it is. The registered model's tag `champions` lists those that were, the
newest last, so that going back twice goes back two steps; the alias `previous` shows the next step back.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nearcast.errors import ForecastError
from nearcast.forecast import registry
from nearcast.forecast.promotion import Decision, Forecaster, compare, decide
from nearcast.forecast.registry import CHALLENGER_ALIAS, CHAMPION_ALIAS, PREVIOUS_ALIAS, aliased
from nearcast.forecast.tracking import answering, connect

if TYPE_CHECKING:
    import pandas as pd

    from nearcast.settings import Settings

HISTORY_TAG = "champions"
LONGEST_HISTORY = 100


@dataclass(frozen=True)
class Rollback:
    """The version that is champion again, and the one that no longer is."""

    champion: str
    replaced: str


def judge(settings: Settings, model: str, version: str, bars: pd.DataFrame) -> Decision:
    """Compare a version with the champion, and change nothing.

    Parameters
    ----------
    settings
        The settings.
    model
        Name of the registered model.
    version
        The version to judge.
    bars
        Daily bars of every symbol that is forecast, by symbol and date.

    Raises
    ------
    ForecastError
        There is no such version, it cannot be loaded, or MLflow does not answer.
    """
    with answering(settings):
        client = connect(settings)
        registry.version_of(client, model, version)
        return _judge(client, model, version, registry.load_forecaster(model, version), bars)


def promote_if_better(
    settings: Settings, model: str, version: str, bars: pd.DataFrame, challenger: Forecaster | None = None
) -> Decision:
    """Compare a version with the champion, and make it the champion if the rule says so.

    Parameters
    ----------
    settings, model, version, bars
        As of `judge`.
    challenger
        The version's forecaster, when it is at hand.

    Raises
    ------
    ForecastError
        As of `judge`.
    """
    with answering(settings), _one_at_a_time(settings):
        client = connect(settings)
        registry.version_of(client, model, version)
        decision = _judge(
            client, model, version, challenger or registry.load_forecaster(model, version), bars
        )
        if decision.decision == "promoted":
            _promote(client, model, version)
        if decision.champion != version:
            _record(client, model, decision)
    return decision


def promote_anyway(settings: Settings, model: str, version: str, why: str) -> Decision:
    """Make a version the champion without a comparison; ``why`` is kept with it.

    Raises
    ------
    ForecastError
        There is no such version, it cannot be loaded, or MLflow does not answer.
    """
    with answering(settings), _one_at_a_time(settings):
        client = connect(settings)
        registry.version_of(client, model, version)
        complexity = registry.load_forecaster(model, version).complexity
        champion = aliased(client, model, CHAMPION_ALIAS)
        held = None if champion is None else str(champion.version)
        if held == version:
            return _is_champion(version, complexity)
        decision = _undisputed(version, held, f"forced: {why}", complexity)
        _promote(client, model, version)
        _record(client, model, decision)
    return decision


def roll_back(settings: Settings, model: str) -> Rollback:
    """Make the champion before this one the champion again; versions that were deleted are passed over.

    Raises
    ------
    ForecastError
        There is none, it cannot be loaded, or MLflow does not answer.
    """
    with answering(settings), _one_at_a_time(settings):
        client = connect(settings)
        *earlier, replaced = _history(client, model) or [""]
        if not earlier:
            raise ForecastError(
                f"{model} had no champion before {f'version {replaced}' if replaced else 'now'}.",
                kept="The champion is the one it was.",
                todo="See the versions with `nearcast models list`; `nearcast models promote` takes any of them.",
            )
        registry.load_forecaster(model, earlier[-1])
        # the history first: what ends in between leaves the champion as it was, and its history complete
        _set_history(client, model, earlier)
        client.set_registered_model_alias(model, CHAMPION_ALIAS, earlier[-1])
        client.set_model_version_tag(model, replaced, "rolled_back_at", _now())
    return Rollback(earlier[-1], replaced)


@contextmanager
def _one_at_a_time(settings: Settings) -> Iterator[None]:
    """Let one process of this home at a time compare and promote: no version may win against one that is gone."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "champions.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _judge(client: Any, model: str, version: str, challenger: Forecaster, bars: pd.DataFrame) -> Decision:
    held = aliased(client, model, CHAMPION_ALIAS)
    if held is None:
        return _undisputed(
            version, None, "the first: there is no champion to compare with", challenger.complexity
        )
    name = str(held.version)
    if name == version:
        return _is_champion(version, challenger.complexity)
    try:
        champion = registry.load_forecaster(model, name)
    except registry.UnloadableError as error:
        reason = f"version {name} can no longer make forecasts: {error.happened}"
        return _undisputed(version, name, reason, challenger.complexity)
    comparison = compare(challenger, champion, bars)
    return decide(version, challenger.complexity, name, champion.complexity, comparison)


def _undisputed(version: str, champion: str | None, reason: str, complexity: int) -> Decision:
    return Decision(version, champion, "promoted", reason, 0, None, None, None, complexity, None)


def _is_champion(version: str, complexity: int) -> Decision:
    reason = "is the champion already"
    return Decision(version, version, "champion", reason, 0, None, None, None, complexity, complexity)


def _promote(client: Any, model: str, version: str) -> None:
    """Move the aliases, and add to the history."""
    past = _history(client, model)
    # the alias first: what ends in between is put right by the next look at the history
    client.set_registered_model_alias(model, CHAMPION_ALIAS, version)
    _set_history(client, model, [*past, version])
    challenger = aliased(client, model, CHALLENGER_ALIAS)
    if challenger is not None and str(challenger.version) == version:
        client.delete_registered_model_alias(model, CHALLENGER_ALIAS)


def _history(client: Any, model: str) -> list[str]:
    """Return the versions that were champion and still exist, the one that is last.

    A champion whose alias was set by hand counts.
    """
    existing = {str(version.version) for version in registry.versions(client, model)}
    champion = aliased(client, model, CHAMPION_ALIAS)
    noted = json.loads(client.get_registered_model(model).tags.get(HISTORY_TAG, "[]")) if existing else []
    past = [version for version in noted if version in existing]
    if champion is not None:
        past.append(str(champion.version))
    return [version for version, _ in itertools.groupby(past)]


def _set_history(client: Any, model: str, past: list[str]) -> None:
    client.set_registered_model_tag(model, HISTORY_TAG, json.dumps(past[-LONGEST_HISTORY:]))
    if len(past) > 1:
        client.set_registered_model_alias(model, PREVIOUS_ALIAS, past[-2])
    elif aliased(client, model, PREVIOUS_ALIAS) is not None:
        client.delete_registered_model_alias(model, PREVIOUS_ALIAS)


def _record(client: Any, model: str, decision: Decision) -> None:
    """Note a decision on the version and on its run."""
    from mlflow.entities import Metric, RunTag

    fields = {name: value for name, value in asdict(decision).items() if value is not None}
    version = client.get_model_version(model, decision.version)
    for name, value in {**asdict(decision), "decided_at": _now()}.items():
        if value is not None:
            client.set_model_version_tag(model, decision.version, name, str(value))
        elif name in version.tags:  # of an earlier decision
            client.delete_model_version_tag(model, decision.version, name)
    numbers = ("ratio", "low", "high", "days", "complexity", "champion_complexity")
    now = int(time.time() * 1000)
    client.log_batch(
        version.run_id,
        [
            Metric(f"promotion_{name}", float(fields[name]), now, 0)
            for name in numbers
            if fields.get(name) is not None
        ],
        tags=[RunTag("decision", decision.decision), RunTag("decision_reason", decision.reason)],
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
