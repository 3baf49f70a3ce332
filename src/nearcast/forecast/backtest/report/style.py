"""How the figures look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 10.0
"""Inches."""

BAND_COLOURS = {95: "#cfe0f1", 80: "#9cc3e4", 50: "#5d9fd3"}
"""Of a band, by its percentage."""

ACTUAL, MEDIAN, REFERENCE = "#222222", "#1f5c99", "#8c8c8c"


def figure(rows: int = 1, columns: int = 1, height: float = 4.2, **options: Any) -> tuple[Any, Any]:
    """Return a figure and the (rows, columns) array of its axes."""
    import seaborn  # type: ignore[import-untyped]
    from matplotlib.figure import Figure

    with seaborn.axes_style("whitegrid", {"grid.color": "#e6e6e6", "axes.edgecolor": "#b0b0b0"}):
        made = Figure(figsize=(WIDTH, height * rows), layout="constrained")
        axes = made.subplots(rows, columns, squeeze=False, **options)
    for one in np.ravel(axes):
        seaborn.despine(ax=one)
    return made, axes


def palette(names: Sequence[str]) -> dict[str, Any]:
    """Return a colour for each name, each told apart from the others."""
    import seaborn

    base = "colorblind" if len(names) <= 10 else "husl"
    return dict(zip(names, seaborn.color_palette(base, len(names)), strict=True))


def date_axis(axes: Any) -> None:
    """Label a time axis without overlapping."""
    from matplotlib import dates

    locator = dates.AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def percent_axis(axis: Any, decimals: int = 0) -> None:
    """Label an axis of shares in per cent."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=decimals, symbol=" %"))
