"""The model in use: its version, when it was trained and promoted, and what speaks for another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from nearcast.dashboard.cards import Card, cards, table
from nearcast.errors import NearcastError

if TYPE_CHECKING:
    from datetime import datetime

    from nearcast.forecast.drift import Sign
    from nearcast.settings import Settings

EVERY_S = 60.0


@dataclass(frozen=True)
class Champion:
    """The champion, without a version while there is none; ``problem``: why it, or its signs, are not known."""

    version: str = ""
    trained_at: datetime | None = None
    promoted_at: datetime | None = None
    signs: tuple[Sign, ...] = ()
    problem: str = ""


def read_champion(settings: Settings, dsn: str) -> Champion:
    """Ask MLflow for the champion, and look for drift; a failure is a value too. Imports MLflow: 60 MB, 1.2 s."""
    import psycopg

    from nearcast.forecast.champion_state import champion_state
    from nearcast.forecast.drift import signs
    from nearcast.source.database import connect

    try:
        state = champion_state(settings)
    except NearcastError as error:
        return Champion(problem=f"{error.happened} {error.todo}")
    if state is None:
        return Champion()
    known = (state.version, state.trained_at, state.promoted_at)
    try:
        with connect(dsn) as connection:
            return Champion(*known, signs=tuple(signs(connection, state.version, state.reference)))
    except NearcastError as error:
        return Champion(*known, problem=error.happened)
    except psycopg.Error as error:
        return Champion(*known, problem=str(error))


def draw_champion(champion: Champion | None) -> None:
    """Draw the section."""
    st.html(champion_html(champion))
    if champion is not None and champion.signs:
        with st.expander("Drift: every sign"):
            st.html(signs_html(champion.signs))


def champion_html(champion: Champion | None) -> str:
    """Return the cards: the champion and its drift."""
    if champion is None:
        return cards("nc-champion", [Card("Champion", "…", ["MLflow is being asked"])])
    if not champion.version:
        notes = [champion.problem or "none yet: nearcast train"]
        return cards("nc-champion", [Card("Champion", "–", notes, "warn" if champion.problem else "")])
    times = [f"trained {_moment(champion.trained_at)}", f"promoted {_moment(champion.promoted_at)}"]
    return cards("nc-champion", [Card("Champion", champion.version, times), _drift_card(champion)])


def signs_html(signs: tuple[Sign, ...]) -> str:
    """Return the table of every sign."""
    lines = ((sign.name.replace("_", " "), "drifted" if sign.drifted else "", sign.words) for sign in signs)
    return table(("sign", "", "what it says"), lines)


def _drift_card(champion: Champion) -> Card:
    if champion.problem:
        return Card("Drift", "?", [champion.problem], "warn")
    drifted = [sign for sign in champion.signs if sign.drifted]
    judged = sum(sign.value is not None for sign in champion.signs)
    counted = f"{judged} of {len(champion.signs)} signs could be judged"
    if drifted:
        return Card("Drift", f"{len(drifted)} of {judged} signs", [sign.words for sign in drifted], "warn")
    return Card("Drift", "none" if judged else "–", [counted])


def _moment(moment: datetime | None) -> str:
    return "at a time not noted" if moment is None else f"{moment:%d %b %Y %H:%M} UTC"
