"""Coverage and loss through time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.backtest.diebold_mariano import daily_means
from nearcast.forecast.backtest.losses import BANDS, Common
from nearcast.forecast.backtest.models import REFERENCE
from nearcast.forecast.backtest.report.style import date_axis, figure, palette, percent_axis
from nearcast.forecast.backtest.rolling_coverage import WINDOW, rolling_coverage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nearcast.forecast.backtest.run import Run

LINES = 12
"""Symbols that have a line: more could not be told apart."""


def coverage_through_time(run: Run, one: Common, focal: str, shown: str) -> Any:
    """Return the figure of each symbol's share of outcomes in the bands over the last 125 days."""
    made, axes = figure(2, 1, 3.2, sharex=True)
    symbol, session = run.days.symbol[one.rows], run.days.session[one.rows]
    names = [str(name) for name in np.unique(symbol) if (symbol == name).sum() >= WINDOW]
    colours = palette(names)
    for place, percent in zip(axes.flat, BANDS, strict=True):
        inside = one.losses[focal].inside(percent)
        for name in names[:LINES]:
            mine = symbol == name
            days = session[mine][WINDOW - 1 :].astype("datetime64[s]")
            place.plot(days, rolling_coverage(inside[mine]), lw=1.1, color=colours[name], label=name)
        place.axhline(percent / 100, color="black", lw=0.8, ls="--")
        place.set_ylabel(f"in the {percent} % band")
        percent_axis(place.yaxis)
        date_axis(place)
    axes.flat[0].set_title(f"{shown}: share of outcomes in the bands over the last {WINDOW} days")
    if names:
        made.legend(
            *axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False
        )
    return made


def cumulative_gain(run: Run, one: Common, names: Mapping[str, str]) -> Any:
    """Return the figure of the loss saved against the last close, summed up to each day.

    Its unit is the last close's loss over all days, so that a line ends at 1 less the model's ratio.
    """
    made, axes = figure()
    place, colours = axes[0, 0], palette(list(names))
    dates = run.days.session[one.rows]
    days = np.unique(dates).astype("datetime64[s]")
    base = daily_means(one.losses[REFERENCE].pinball, dates)
    for name, shown in names.items():
        saved = base - daily_means(one.losses[name].pinball, dates)
        style = {"lw": 1.0, "ls": "--"} if name == REFERENCE else {"lw": 1.4}
        place.plot(days, saved.cumsum() / base.sum(), color=colours[name], label=shown, **style)
    place.set(
        title=f"Pinball loss saved against {REFERENCE} (up: better)",
        ylabel=f"share of {REFERENCE}'s loss over all days",
    )
    percent_axis(place.yaxis, 2)
    date_axis(place)
    place.legend(fontsize=8)
    return made


def residuals(run: Run, one: Common, focal: str, shown: str) -> Any:
    """Return the figure of what the median missed, through time and as a distribution."""
    import seaborn  # type: ignore[import-untyped]

    made, axes = figure(1, 2, 4.2, width_ratios=(2, 1), sharey=True)
    left, right = axes[0]
    losses = one.losses[focal]
    error = losses.actual - losses.quantiles[:, losses.quantiles.shape[1] // 2]
    symbol = run.days.symbol[one.rows]
    names = [str(name) for name in np.unique(symbol)]
    colours = palette(names)
    for name in names:
        mine = symbol == name
        days = run.days.session[one.rows][mine].astype("datetime64[s]")
        left.plot(days, error[mine], ".", ms=2.5, alpha=0.6, color=colours[name], label=name)
    left.axhline(0, color="black", lw=0.8)
    left.set(title=f"{shown}: outcome less median", ylabel="log return")
    date_axis(left)
    if len(names) <= LINES:
        left.legend(fontsize=8, ncols=3, markerscale=3)
    seaborn.histplot(y=error, ax=right, stat="density", color=colours[names[0]], element="step", bins=80)
    right.set(title="its distribution", xlabel="density")
    return made
