"""Models side by side: their ratios, by sessions ahead too."""

from __future__ import annotations

from typing import Any

from nearcast.forecast.backtest.claims import shown_name
from nearcast.forecast.backtest.models import REFERENCE
from nearcast.forecast.backtest.report.style import figure, palette

Document = dict[str, Any]


def ratios(document: Document) -> Any:
    """Return the figure of each model's pinball ratio to the last close with its interval."""
    models = document["models"]
    made, axes = figure(1, 1, 1.4 + 0.36 * len(models))
    place, colours = axes[0, 0], palette([one["name"] for one in models])
    for row, model in enumerate(models):
        ratio = model["pinball_ratio"]
        arms = [[ratio["value"] - ratio["low"]], [ratio["high"] - ratio["value"]]]
        place.errorbar(
            ratio["value"], row, xerr=arms, fmt="o", color=colours[model["name"]], capsize=3, ms=6, lw=1.6
        )
    place.axvline(1, color="black", lw=0.8, ls="--")
    place.set_yticks(range(len(models)), [shown_name(one) for one in models])
    place.set_ylim(len(models) - 0.5, -0.5)
    place.set(title=f"Pinball loss as a ratio to {REFERENCE}, with 95 % intervals (left of 1: better)")
    return made


def by_horizon(document: Document) -> Any:
    """Return the figure of the pinball ratios by sessions ahead, with the interval of the model it is about."""
    made, axes = figure(1, 1, 4.6)
    place = axes[0, 0]
    shown = {one["name"]: shown_name(one) for one in document["models"]}
    colours = palette(list(shown))
    for at, name in enumerate(shown):
        found = [
            (one["horizon"], model["pinball_ratio"])
            for one in document["by_horizon"]
            for model in one["models"]
            if model["name"] == name
        ]
        ahead = [horizon for horizon, _ in found]
        value, low, high = ([ratio[end] for _, ratio in found] for end in ("value", "low", "high"))
        if at == 0:  # every model's would hide one another
            place.fill_between(ahead, low, high, color=colours[name], alpha=0.15, lw=0, label="its interval")
        place.plot(
            ahead, value, "o-", color=colours[name], ms=4, lw=2.4 if at == 0 else 1.2, label=shown[name]
        )
    place.axhline(1, color="black", lw=0.8, ls="--")
    place.set_xticks([one["horizon"] for one in document["by_horizon"]])
    place.set(
        title=f"Pinball loss by sessions ahead, as a ratio to {REFERENCE}",
        xlabel="sessions ahead",
        ylabel="ratio",
    )
    made.legend(fontsize=8, loc="outside right center")
    return made
