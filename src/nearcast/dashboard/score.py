"""The running score of the stored forecasts against the last close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nearcast.dashboard.cards import Card, cards, section, table
from nearcast.errors import NearcastError

if TYPE_CHECKING:
    from nearcast.dashboard.data import Overview
    from nearcast.forecast.scores import Scores

EVERY_S = 20.0


@dataclass(frozen=True)
class Score:
    """The scores by horizon, in sessions; or why there are none."""

    by_horizon: dict[int, Scores] | None = None
    problem: str = ""


def compute_score(dsn: str) -> Score:
    """Score every stored forecast whose day was published; a failure is a value too."""
    import psycopg

    from nearcast.forecast.scores import Choice, record
    from nearcast.source.database import connect

    try:
        with connect(dsn) as connection:
            return Score(record(connection, Choice(horizon=None)).scores_by("horizon"))
    except NearcastError as error:
        return Score(problem=error.happened)
    except psycopg.Error as error:
        return Score(problem=str(error))


def score_html(score: Score | None, overview: Overview) -> str:
    """Return the cards of a next session: the ratio of losses, both coverages, early and late forecasts."""
    return cards("nc-scores", [*_skill_cards(score), _timing_card(overview)])


def horizons_html(score: Score | None) -> str:
    """Return the table of the scores by horizon; nothing while there is none."""
    if score is None or not score.by_horizon:
        return ""
    heading = ("ahead", "scored", "not early", "loss ÷ last close’s", "in 80 %", "in 95 %")
    lines = (
        (
            str(horizon),
            f"{found.scored:,}",
            f"{found.late:,}",
            _ratio(found),
            _share(found.coverage80),
            _share(found.coverage95),
        )
        for horizon, found in sorted(score.by_horizon.items())
    )
    title = section("The record by sessions ahead", "every symbol; not early: stored after publication")
    return f'<div class="nc-numbers">{title}{table(heading, lines)}</div>'


def _ratio(scores: Scores) -> str:
    if scores.pinball_ratio is None:
        return "–"
    if scores.interval is None:
        return f"{scores.pinball_ratio:.3f}"
    return f"{scores.pinball_ratio:.3f} ({scores.interval.low:.3f} to {scores.interval.high:.3f})"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _skill_cards(score: Score | None) -> list[Card]:
    title = "Pinball loss ÷ the last close’s"
    if score is None:
        return [Card(title, "…", ["being computed"])]
    if score.by_horizon is None:
        return [Card(title, "–", [score.problem], tone="bad")]
    found = score.by_horizon.get(1)
    if found is None or found.pinball_ratio is None:
        return [Card(title, "–", ["no forecast day has an outcome yet"])]
    return [
        Card(
            title,
            f"{found.pinball_ratio:.3f}",
            [_interval_note(found), "below 1 is better"],
            tone=_ratio_tone(found),
        ),
        _coverage_card("80 %", found.coverage80, found.scored),
        _coverage_card("95 %", found.coverage95, found.scored),
    ]


def _interval_note(scores: Scores) -> str:
    if scores.interval is None:
        return f"{scores.scored} forecasts: too few days yet for an interval"
    return f"95 % interval {scores.interval.low:.3f} to {scores.interval.high:.3f}, {scores.scored} forecasts"


def _ratio_tone(scores: Scores) -> str:
    """Good or bad only when the interval leaves no doubt."""
    if scores.interval is None or scores.interval.low <= 1 <= scores.interval.high:
        return ""
    return "good" if scores.interval.high < 1 else "bad"


def _coverage_card(band: str, share: float | None, scored: int) -> Card:
    return Card(f"Closes within the {band} band", _share(share), [f"should be {band}, over {scored}"])


def _timing_card(overview: Overview) -> Card:
    notes = [f"{overview.late:,} stored after it", "late ones are never counted as early"]
    return Card("Stored before publication", f"{overview.early:,}", notes)
