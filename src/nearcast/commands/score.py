"""``nearcast score``."""

from __future__ import annotations

import datetime
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from nearcast.cli import json_option
from nearcast.errors import NearcastError
from nearcast.output import Output
from nearcast.schema import SESSIONS_AHEAD
from nearcast.settings import Settings, load_settings

if TYPE_CHECKING:
    from nearcast.forecast.scores import Choice, Scores

HEADING = ("", "forecasts", "pinball ÷ last close", "95 % interval", "in 80 %", "in 95 %", "direction")


@click.command()
@click.option("--symbol", "symbols", multiple=True, metavar="S", help="A symbol; may be repeated.")
@click.option("--model", metavar="VERSION", help="Only this model's, such as nearcast-quantile/3 or 3.")
@click.option("--horizon", type=click.IntRange(1, SESSIONS_AHEAD), help="Only this many sessions ahead.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Only days from DATE on.")
@click.option("--include-late", is_flag=True, help="Also forecasts stored after their day was published.")
@json_option
def score(
    symbols: tuple[str, ...],
    model: str | None,
    horizon: int | None,
    since: datetime.datetime | None,
    include_late: bool,
    as_json: bool,
) -> None:
    """Score the stored forecasts whose day has come: the live record.

    Each is compared with the last close and the bands of its last 500 returns over as many sessions. Only forecasts
    that were stored before their day was published count, unless --include-late. The figures of models and symbols are
    those of the next session, or of --horizon.

    \b
    Examples:
      nearcast score                          every model, horizon and symbol
      nearcast score --symbol NFLX --since 2023-01-01 --json
      nearcast score --model 3 --horizon 10 --include-late
    """
    from nearcast.forecast.registry import CHAMPION_MODEL
    from nearcast.forecast.scores import Choice

    output, settings = Output(as_json), load_settings()
    choice = Choice(
        model_version=f"{CHAMPION_MODEL}/{model}" if model is not None and model.isdecimal() else model,
        horizon=horizon,
        symbols=symbols,
        since=since.date() if since else None,
        early_only=not include_late,
    )
    document = _document(settings, choice)
    output.result(document, lambda _: _render(output, document))


def _document(settings: Settings, choice: Choice) -> dict[str, Any]:
    from nearcast.forecast.scores import record
    from nearcast.source.database import connect

    headline = replace(choice, horizon=choice.horizon or 1)
    with connect(settings.need("postgres_dsn")) as connection:
        of_all = record(connection, choice)
        made = of_all if choice == headline else record(connection, headline)
    return {
        "horizon": headline.horizon,
        "include_late": not choice.early_only,
        **asdict(made.scores()),
        "models": _grouped(made.scores_by("model_version"), "model_version"),
        "symbols": _grouped(made.scores_by("stock_symbol"), "symbol"),
        "horizons": _grouped(of_all.scores_by("horizon"), "horizon"),
        "drift": _drift(settings),
    }


def _grouped(scores: dict[Any, Scores], name: str) -> list[dict[str, Any]]:
    return [{name: value, **asdict(one)} for value, one in scores.items()]


def _drift(settings: Settings) -> dict[str, Any]:
    """Return the champion's signs of drift, or why they are not known."""
    from nearcast.forecast.drift import champion_signs, reason

    try:
        signs = champion_signs(settings, settings.need("postgres_dsn"))
    except NearcastError as error:
        return {"reason": None, "signs": [], "problem": error.happened}
    return {"reason": reason(signs), "signs": [asdict(sign) for sign in signs], "problem": None}


def _render(output: Output, document: dict[str, Any]) -> None:
    whole = {**document, "all": "all"}
    for title, name, rows in (
        (
            f"{document['horizon']} sessions ahead" if document["horizon"] > 1 else "Next session",
            "all",
            [whole],
        ),
        ("By model", "model_version", document["models"]),
        ("By symbol", "symbol", document["symbols"]),
        ("By sessions ahead", "horizon", document["horizons"]),
    ):
        if rows and (rows[0]["scored"] or name == "all"):
            output.table(title, HEADING, [_row(str(one[name]), one) for one in rows])
    late = "counted too" if document["include_late"] else "left out (--include-late counts them too)"
    output.note(
        f"{document['made']} forecasts stored; of those with an outcome {document['early']} were stored before their"
        f" day was published, and {document['late']} after it: {late}."
    )
    drift = document["drift"]
    output.note(f"drift: {drift['problem'] or drift['reason'] or 'none'}")
    for sign in drift["signs"]:
        output.note(f"  {'!' if sign['drifted'] else ' '} {sign['words']}")


def _row(name: str, one: dict[str, Any]) -> tuple[str, ...]:
    interval, direction = one["interval"], one["direction"]
    return (
        name,
        str(one["scored"]),
        _number(one["pinball_ratio"], ".4f"),
        f"{interval['low']:.4f} to {interval['high']:.4f}" if interval else "–",
        _number(one["coverage80"], ".1%"),
        _number(one["coverage95"], ".1%"),
        f"{direction['value']:.1%} ({direction['low']:.1%} to {direction['high']:.1%})" if direction else "–",
    )


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
