"""What a backtest shows, in plain sentences that claim no more than the intervals support."""

from __future__ import annotations

from typing import Any

from nearcast.forecast.backtest.losses import BANDS
from nearcast.forecast.backtest.models import REFERENCE

Document = dict[str, Any]

TOLERANCE = 0.015
"""By how much a coverage may differ from the band's share and still be called right."""


def shown_name(model: Document) -> str:
    """Return a model's name, marked when it saw the future."""
    return f"{model['name']} (leaking)" if model["leaking"] else str(model["name"])


def focal(document: Document) -> Document:
    """Return the model that the report is about: the champion, else the first that is not the reference."""
    models: list[Document] = document["models"]
    ranked = sorted(models, key=lambda one: (one["name"] != "champion", one["name"] == REFERENCE))
    return ranked[0]


def claims(document: Document) -> list[str]:
    """Return the sentences on a verdict of `nearcast.forecast.backtest.judge`: all on the report's own model."""
    own = focal(document)
    return [
        *claims_of(document, own),
        *(_overall(model) for model in document["models"] if model["name"] not in (own["name"], REFERENCE)),
    ]


def claims_of(document: Document, model: Document) -> list[str]:
    """Return all that can be said of one model; of one that saw the future, only that."""
    name = shown_name(model)
    if model["leaking"]:
        return [_overall(model)]
    shown = {one["name"]: shown_name(one) for one in document["models"]}
    sentences = [f"{name}'s median is {_point(model)}."]
    if model["name"] != REFERENCE:
        others = model["pinball_ratios"].items()
        sentences = [
            _overall(model),
            f"{name} is {against(model['crps_ratio'], REFERENCE, 'CRPS')}.",
            *(
                f"{name} is {against(ratio, shown[other], 'pinball loss')}."
                for other, ratio in others
                if other != REFERENCE
            ),
            *sentences,
        ]
    sentences += [f"{name}'s {percent} % band {_coverage(model, percent)}." for percent in BANDS]
    return [*sentences, f"{name}{_direction(model)}."]


def _overall(model: Document) -> str:
    name = shown_name(model)
    if model["leaking"]:
        return f"{name} saw days of the future when it learnt: its figures prove nothing."
    return f"{name} is {against(model['pinball_ratio'], REFERENCE, 'pinball loss')}."


def against(ratio: Document, other: str, loss: str) -> str:
    """Return what an interval of a ratio of losses supports: ahead, behind or a tie."""
    interval = f"ratio {ratio['value']:.4f}, 95 % interval {ratio['low']:.4f} to {ratio['high']:.4f}"
    if ratio["high"] < 1:
        return f"ahead of {other} by {loss}: {interval}, below 1"
    if ratio["low"] > 1:
        return f"behind {other} by {loss}: {interval}, above 1"
    return f"in a tie with {other} by {loss}: {interval}, which holds 1"


def _point(model: Document) -> str:
    ratio = {
        name: model[f"mae_ratio{end}"] for name, end in (("value", ""), ("low", "_low"), ("high", "_high"))
    }
    return against(ratio, "the last close as it is", "absolute error")


def _coverage(model: Document, percent: int) -> str:
    held, meant = model[f"coverage{percent}"], percent / 100
    if abs(held - meant) <= TOLERANCE:
        verdict = "within 1.5 points of what it says"
    else:
        verdict = f"too {'narrow' if held < meant else 'wide'} by {100 * abs(held - meant):.1f} points"
    text = f"held {100 * held:.1f} % of the outcomes: {verdict}"
    if worst := model[f"worst_coverage{percent}"]:
        text += (
            f"; at worst {100 * worst['value']:.0f} % in 125 days"
            f" ({worst['symbol']}, {worst['first']} to {worst['last']})"
        )
    return text


def _direction(model: Document) -> str:
    """Return whether the sign of the median beats naming the commoner sign every day."""
    one = model["direction"]
    if one["value"] is None:
        return " names no direction: its median is the last close"
    interval = f"{100 * one['value']:.1f} % [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"
    majority = f"always naming the commoner direction: {100 * one['majority']:.1f} %"
    if one["low"] > one["majority"]:
        return f" names the direction on {interval} of the days, more than {majority}"
    return f" names the direction on {interval} of the days; no skill is shown ({majority})"
