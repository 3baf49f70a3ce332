"""Figures of the classic method; those of a leaking split say so in their titles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from nearcast.forecast.levels.windows import LevelWindows

    Array = npt.NDArray[np.float64]


def _axes(title: str, x: str, y: str, leaking: bool) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=f"LEAKING (shuffled split): {title}" if leaking else title, xlabel=x, ylabel=y)
    return figure, axes


def forecasts(test: LevelWindows, forecast: Array, leaking: bool) -> Any:
    """Return the figure that papers show: forecast and actual closes of one symbol, one over the other."""
    symbol = test.symbol[0]
    mine = test.symbol == symbol
    figure, axes = _axes(f"{symbol}: next close", "as-of day", "US dollars", leaking)
    days = test.date[mine].astype("datetime64[ns]")
    axes.plot(days, test.actual[mine], "k-", lw=0.8, label="actual")
    axes.plot(days, forecast[mine], "C0-", lw=0.8, label="forecast")
    axes.legend()
    return figure


def errors(test: LevelWindows, forecast: Array, leaking: bool) -> Any:
    """Return the figure that they do not: each error beside that of the last close, smallest first."""
    figure, axes = _axes(
        "absolute errors, each in ascending order", "test windows", "% of the close", leaking
    )
    for label, value in (("forecast", forecast), ("last close", test.last_close)):
        axes.plot(np.sort(100 * np.abs(test.actual - value) / test.last_close), label=label)
    axes.legend()
    return figure


def training_curve(history: list[dict[str, float]], leaking: bool) -> Any:
    """Return the figure of the loss of each epoch."""
    figure, axes = _axes("Training", "epoch", "mean squared error of the normalised close", leaking)
    axes.semilogy(range(1, len(history) + 1), [epoch["train_loss"] for epoch in history], "o-")
    return figure
