"""The fan of the next sessions: every horizon of the newest forecast, after the closes that it was made from."""

from __future__ import annotations

from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from nearcast.dashboard.cards import section
from nearcast.dashboard.charts import NEXT, quantile_labels, range_breaks

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from nearcast.dashboard.data import Bar, Fan, ForecastAhead

BANDS = (("95 %", "q025", "q975", 0.18), ("80 %", "q100", "q900", 0.28), ("50 %", "q250", "q750", 0.42))
"""Name, lower and upper quantile, opacity; the widest first, so that the others lie upon it."""

CLOSE = "#7f8ea3"
HOVER = (
    "%{y:,.2f}<br>50 %: %{customdata[0]:,.2f} to %{customdata[1]:,.2f}"
    "<br>80 %: %{customdata[2]:,.2f} to %{customdata[3]:,.2f}"
    "<br>95 %: %{customdata[4]:,.2f} to %{customdata[5]:,.2f}"
)


def draw_fan(fan: Fan) -> None:
    """Draw the section."""
    st.html(heading_html(fan))
    if fan.ahead:
        st.plotly_chart(fan_figure(fan), key="fan", config={"displaylogo": False, "displayModeBar": False})


def heading_html(fan: Fan) -> str:
    """Return what the fan is made from, and its marks."""
    if not fan.ahead:
        return section("The next sessions", "no forecast is stored yet")
    first, count = fan.ahead[0], len(fan.ahead)
    title = f"The next {count} sessions" if count > 1 else "The next session"
    known = sum(bar.date > first.as_of_date for bar in fan.bars)
    since = f", {known} published since" if known else ""
    made = f"from the close of {first.as_of_date:%a %d %b %Y}{since} · model {first.model_version}"
    return section(title, made) + marks_html(first.marks)


def marks_html(marks: list[str]) -> str:
    """Return what is odd about the bars that a forecast was made from; nothing where all is as usual."""
    if not marks:
        return ""
    return f'<div class="nc-alerts"><b>Marked:</b> {escape("; ".join(marks))}</div>'


def fan_figure(fan: Fan) -> Figure:
    """Return the closes, the three bands and the median.

    Parameters
    ----------
    fan
        At least one bar and one horizon.
    """
    from plotly.graph_objects import Figure

    bands = [_band(fan.ahead, *band) for band in BANDS]
    return Figure(data=[*bands, _closes(fan.bars), _median(fan.ahead)], layout=_layout(fan))


def _band(ahead: list[ForecastAhead], name: str, low: str, high: str, opacity: float) -> dict[str, Any]:
    """Return a band as a closed outline that opens from the last close: out along its top, back along its bottom."""
    first, back = ahead[0], ahead[::-1]
    return {
        "type": "scatter",
        "name": name,
        "mode": "lines",
        "x": [first.as_of_date, *(one.date for one in ahead), *(one.date for one in back)],
        "y": [first.last_close, *(getattr(one, high) for one in ahead), *(getattr(one, low) for one in back)],
        "fill": "toself",
        "fillcolor": f"rgba({NEXT},{opacity})",
        "line": {"width": 0},
        "hoverinfo": "skip",
    }


def _closes(bars: list[Bar]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": "close",
        "mode": "lines",
        "x": [bar.date for bar in bars],
        "y": [bar.close_price for bar in bars],
        "line": {"color": CLOSE, "width": 1.8},
        "hovertemplate": "%{y:,.2f}",
    }


def _median(ahead: list[ForecastAhead]) -> dict[str, Any]:
    """Return the median from the last close on; the last close itself has no bands."""
    return {
        "type": "scatter",
        "name": "median",
        "mode": "lines+markers",
        "x": [ahead[0].as_of_date, *(one.date for one in ahead)],
        "y": [ahead[0].last_close, *(one.q500 for one in ahead)],
        "customdata": [
            [None] * 6,
            *([one.q250, one.q750, one.q100, one.q900, one.q025, one.q975] for one in ahead),
        ],
        "line": {"color": f"rgb({NEXT})", "width": 2},
        "marker": {"size": [0, *(5 for _ in ahead)]},
        "hovertemplate": ["%{y:,.2f}", *(HOVER for _ in ahead)],
    }


def _layout(fan: Fan) -> dict[str, Any]:
    days, last = [bar.date for bar in fan.bars], fan.ahead[-1]
    every = sorted({*days, *(one.date for one in fan.ahead)})
    return {
        "height": 380,
        "margin": {"l": 10, "r": 62, "t": 20, "b": 10},
        "hovermode": "x unified",
        "dragmode": False,
        "uirevision": fan.symbol,
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "traceorder": "reversed"},
        "xaxis": {
            "range": [days[0] - timedelta(days=1), every[-1] + timedelta(days=1)],
            "rangebreaks": range_breaks(every),
        },
        "yaxis": {"tickprefix": "$"},
        "annotations": quantile_labels(last.date, last.q975, last.q500, last.q025),
    }
