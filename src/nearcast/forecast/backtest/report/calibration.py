"""Whether outcomes fall below each quantile as often as its level says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.backtest.losses import LEVELS, Common
from nearcast.forecast.backtest.report.style import MEDIAN, figure, palette, percent_axis
from nearcast.forecast.plots import probability_integral_transform

if TYPE_CHECKING:
    from collections.abc import Mapping


def calibration(one: Common, focal: str, names: Mapping[str, str]) -> Any:
    """Return the figure of all models' levels against what came, and of one model's PIT.

    Parameters
    ----------
    one
        The losses of horizon 1.
    focal
        The model whose probability integral transform is drawn.
    names
        The name to show of each model.
    """
    made, axes = figure(1, 2, 4.4)
    left, right = axes[0]
    colours = palette(list(names))
    left.axhline(0, color="black", lw=0.8, ls="--")
    for name, shown in names.items():
        losses = one.losses[name]
        below = (losses.actual[:, None] <= losses.quantiles).mean(axis=0)
        left.plot(LEVELS, below - LEVELS, "o-", ms=4, color=colours[name], label=shown)
    left.set(title="Outcomes below each quantile", xlabel="level", ylabel="share below it, less the level")
    percent_axis(left.xaxis)
    percent_axis(left.yaxis, 1)
    left.legend(fontsize=8)
    losses = one.losses[focal]
    edges = np.r_[0.0, LEVELS, 1.0]
    transform = probability_integral_transform(losses.actual, losses.quantiles, LEVELS)
    density = np.histogram(transform, edges)[0] / len(transform) / np.diff(edges)
    right.stairs(density, edges, fill=True, color=MEDIAN, alpha=0.55)
    right.axhline(1, color="black", lw=0.8, ls="--")
    right.set(
        title=f"{names[focal]}: PIT",
        xlabel="level at which the outcome fell",
        ylabel="density (flat at 1 is right)",
    )
    percent_axis(right.xaxis)
    return made
