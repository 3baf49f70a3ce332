"""Figures of a trained model over its test days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearcast.forecast.evaluate import HeldOut

    Array = npt.NDArray[np.float64]

BANDS = ((0, 6, "95 %", 0.15), (1, 5, "80 %", 0.25), (2, 4, "50 %", 0.35))


def _axes(title: str, x: str, y: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    return figure, axes


def fan(test: HeldOut, quantiles: Array) -> Any:
    """Return the figure of one symbol's test days: its bands and what came (next close, US dollars)."""
    mine = test.symbol == test.symbol[0]
    close = test.last_close[mine]
    prices = close[:, None] * np.exp(quantiles[mine])
    figure, axes = _axes(f"{test.symbol[0]}: next close, forecast a day before", "as-of day", "US dollars")
    days = test.date[mine].astype("datetime64[ns]")
    for low, high, label, alpha in BANDS:
        axes.fill_between(days, prices[:, low], prices[:, high], alpha=alpha, color="C0", label=label, lw=0)
    axes.plot(days, close * np.exp(test.log_return[mine]), "k.", ms=2, label="actual")
    axes.legend()
    return figure


def probability_integral_transform(actual: Array, quantiles: Array, levels: Array) -> Array:
    """Return the level at which each outcome fell, between quantiles linearly; 0 or 1 beyond the ends."""
    pairs = zip(actual, quantiles, strict=True)
    return np.array([np.interp(value, row, levels, left=0, right=1) for value, row in pairs])


def calibration(actual: Array, quantiles: Array, levels: Array) -> Any:
    """Return the figure of the share of outcomes below each quantile against its level, and the PIT."""
    figure, axes = _axes("Calibration over the test days", "level", "share of outcomes")
    below = (actual[:, None] <= quantiles).mean(axis=0)
    axes.plot([0, 1], [0, 1], "k--", lw=0.8, label="perfect")
    axes.plot(levels, below, "o-", label="outcomes below the quantile")
    pit = probability_integral_transform(actual, quantiles, levels)
    edges = np.r_[0.0, levels, 1.0]
    density = np.histogram(pit, edges)[0] / len(pit) / np.diff(edges) / 2
    axes.stairs(density, edges, alpha=0.5, label="PIT density / 2 (flat at 0.5 is perfect)")
    axes.legend()
    return figure


def training_curve(history: list[dict[str, float]]) -> Any:
    """Return the figure of the losses of each epoch."""
    figure, axes = _axes("Training", "epoch", "pinball loss, relative")
    for name in history[0]:
        axes.plot(range(1, len(history) + 1), [epoch[name] for epoch in history], "o-", label=name)
    axes.legend()
    return figure
