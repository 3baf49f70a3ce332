"""The losses of each fit's epochs."""

from __future__ import annotations

from typing import Any

from nearcast.forecast.backtest.report.style import figure, palette

LINES = ("-", "--", ":", "-.")


def training_curves(name: str, histories: dict[int, list[dict[str, float]]]) -> Any:
    """Return the figure of one model's losses by epoch, a colour for each fold.

    Parameters
    ----------
    histories
        By fold: a value of each loss for each epoch.
    """
    made, axes = figure()
    place, colours = axes[0, 0], palette([str(year) for year in histories])
    for year, history in histories.items():
        for style, loss in zip(LINES, history[0], strict=False):
            values = [epoch[loss] for epoch in history]
            place.plot(
                range(1, len(values) + 1),
                values,
                style,
                color=colours[str(year)],
                lw=1.4,
                label=f"{year} {loss.replace('_', ' ')}",
            )
    place.set(title=f"{name}: loss by epoch, each fold", xlabel="epoch", ylabel="loss")
    place.legend(fontsize=8, ncols=2)
    return made
