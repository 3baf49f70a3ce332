"""The fan chart: the bands of the last months, and the sessions to come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nearcast.forecast.backtest.report.style import ACTUAL, BAND_COLOURS, MEDIAN, date_axis, figure

if TYPE_CHECKING:
    from nearcast.forecast.backtest.model import Array
    from nearcast.forecast.backtest.run import Answered, Run

SESSIONS = 120
SHOWN = 6
"""Symbols that are drawn: more would not be seen."""

ENDS = {95: (0, 6), 80: (1, 5), 50: (2, 4)}
MIDDLE = 3


def fan(run: Run, model: Answered, name: str) -> Any:
    """Return the figure of each symbol: the next close forecast a day before over 120 sessions, and ten ahead."""
    symbols = np.unique(run.days.symbol)[:SHOWN]
    columns = 1 if len(symbols) == 1 else 2
    made, axes = figure(-(-len(symbols) // columns), columns, 4.2 if columns == 1 else 3.1)
    for place, symbol in zip(axes.flat, symbols, strict=False):
        _draw(place, run, model, str(symbol))
    for place in axes.flat[len(symbols) :]:
        place.remove()
    count = f"{model.horizons} sessions" if model.horizons > 1 else "session"
    made.suptitle(f"{name}: the next close, forecast a day before; then the next {count}")
    made.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    return made


def _draw(axes: Any, run: Run, model: Answered, symbol: str) -> None:
    days = run.days
    mine = np.flatnonzero(days.symbol == symbol)
    known = mine[np.isfinite(days.next_close[mine])][-SESSIONS:]
    past = days.last_close[known, None] * np.exp(model.quantiles[known, 0])
    session = days.session[known].astype("datetime64[s]")
    _bands(axes, session, past)
    axes.plot(session, days.next_close[known], ".", color=ACTUAL, ms=3, label="close")
    newest = mine[-1]
    ahead = days.last_close[newest] * np.exp(model.quantiles[newest, : model.horizons])
    from_now = np.vstack([np.full(ahead.shape[1], days.last_close[newest]), ahead])
    start = days.as_of[newest]
    # an exchange holiday more or less is not seen in the drawing
    dates = np.busday_offset(start, np.arange(len(from_now)), roll="forward").astype("datetime64[s]")
    _bands(axes, dates, from_now, labelled=False)
    axes.axvline(start.astype("datetime64[s]"), color=ACTUAL, lw=0.8, ls=":")
    axes.set_title(f"{symbol}; dotted: {start}, the newest day", fontsize=10)
    axes.set_ylabel("US dollars")
    date_axis(axes)


def _bands(axes: Any, dates: Any, prices: Array, labelled: bool = True) -> None:
    for percent, (low, high) in ENDS.items():
        axes.fill_between(
            dates,
            prices[:, low],
            prices[:, high],
            color=BAND_COLOURS[percent],
            lw=0,
            label=f"{percent} % band" if labelled else None,
        )
    axes.plot(dates, prices[:, MIDDLE], color=MEDIAN, lw=1, label="median" if labelled else None)
