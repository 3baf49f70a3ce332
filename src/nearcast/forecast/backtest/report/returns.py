"""What was to be forecast: the returns, and how the symbols move together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.backtest.report.style import MEDIAN, figure, palette

if TYPE_CHECKING:
    from nearcast.forecast.backtest.run import Run

REACH, STEP = 7.0, 0.25
"""How far the histogram goes, and the width of its bins, in standard deviations."""

SHOWN = 20
"""Symbols in the drawing: more would not be read."""


def distribution(run: Run) -> Any:
    """Return the figure of the daily log returns: all in their symbol's deviations, and each symbol's own."""
    import pandas as pd
    import seaborn  # type: ignore[import-untyped]
    from scipy.stats import norm

    days = run.days
    table = pd.DataFrame({"symbol": days.symbol, "log_return": days.outcome[:, 0]}).dropna()
    by_symbol = table.groupby("symbol")["log_return"]
    scaled = table["log_return"] / by_symbol.transform("std")
    made, axes = figure(1, 2, 4.2)
    left, right = axes[0]
    edges = np.arange(-REACH, REACH + STEP, STEP)
    density = np.histogram(scaled, edges)[0] / max(len(scaled), 1) / STEP
    left.stairs(density, edges, fill=True, color=MEDIAN, alpha=0.55, label="outcomes")
    grid = np.linspace(-REACH, REACH, 281)
    left.plot(grid, norm.pdf(grid), "k--", lw=1, label="normal")
    left.set_yscale("log")
    left.set_ylim(1e-5, 1)
    left.set(
        title="All symbols, each in its own deviations",
        xlabel="standard deviations",
        ylabel="density (logarithmic)",
    )
    left.legend(fontsize=8)
    symbols = [str(name) for name in by_symbol.groups][:SHOWN]
    shown = table[table["symbol"].isin(symbols)]
    seaborn.boxenplot(
        shown,
        x="log_return",
        y="symbol",
        hue="symbol",
        palette=palette(symbols),
        ax=right,
        flier_kws={"s": 6},
    )
    right.set(title="Each symbol", xlabel="daily log return", ylabel="")
    return made


def correlation(run: Run) -> Any:
    """Return the figure of the correlations of the symbols' daily log returns; None for one symbol."""
    import pandas as pd
    import seaborn

    days = run.days
    known = np.isfinite(days.outcome[:, 0])
    table = pd.DataFrame(
        {"symbol": days.symbol[known], "day": days.session[known], "log_return": days.outcome[known, 0]}
    )
    wide = table.pivot(index="day", columns="symbol", values="log_return").iloc[:, :SHOWN]
    if wide.shape[1] < 2:
        return None
    made, axes = figure(1, 1, 1.5 + 0.55 * wide.shape[1])
    place = axes[0, 0]
    seaborn.heatmap(
        wide.corr(), ax=place, annot=True, fmt=".2f", cmap="crest", vmin=0, vmax=1, square=True, cbar=False
    )
    place.set(title="Correlation of the daily log returns", xlabel="", ylabel="")
    return made
