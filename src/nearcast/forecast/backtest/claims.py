"""What a backtest shows, in plain sentences that claim no more than the intervals support."""

from __future__ import annotations

from collections.abc import Iterator
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
    """Return the sentences on every model of a verdict of `nearcast.forecast.backtest.judge`."""
    return [sentence for model in document["models"] for sentence in _claims(document, model)]


def _claims(document: Document, model: Document) -> Iterator[str]:
    name = shown_name(model)
    if model["leaking"]:
        yield f"{name}: it saw days of the future when it learnt, so none of its figures is a forecast's."
    if model["name"] != REFERENCE:
        yield f"{name} is {against(model['pinball_ratio'], REFERENCE)} by pinball loss."
        yield f"{name} is {against(model['crps_ratio'], REFERENCE)} by CRPS."
    if model is focal(document):
        shown = {one["name"]: shown_name(one) for one in document["models"]}
        for other, ratio in model["pinball_ratios"].items():
            if other != REFERENCE:
                yield f"{name} is {against(ratio, shown[other])} by pinball loss."
    yield f"{name}'s median is {_point(model)}."
    for percent in BANDS:
        yield f"{name}'s {percent} % band {_coverage(model, percent)}."
    if sentence := _direction(model):
        yield f"{name}{sentence}."


def against(ratio: Document, other: str) -> str:
    """Return what an interval of a ratio of losses supports: ahead, behind or a tie."""
    interval = f"ratio {ratio['value']:.3f}, 95 % interval {ratio['low']:.3f} to {ratio['high']:.3f}"
    if ratio["high"] < 1:
        return f"ahead of {other}: {interval}, below 1"
    if ratio["low"] > 1:
        return f"behind {other}: {interval}, above 1"
    return f"in a tie with {other}: {interval}, which holds 1"


def _point(model: Document) -> str:
    ratio = {name: model[f"mae_ratio{end}"] for name, end in (("value", ""), ("low", "_low"), ("high", "_high"))}
    return f"{against(ratio, 'the last close as it is')} by absolute error"


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
        return ""
    interval = f"{100 * one['value']:.1f} % [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"
    majority = f"always naming the commoner direction: {100 * one['majority']:.1f} %"
    if one["low"] > one["majority"]:
        return f" names the direction on {interval} of the days, more than {majority}"
    return f" names the direction on {interval} of the days; no skill is shown ({majority})"
