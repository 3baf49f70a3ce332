"""The figures of the analytics page: pure functions from a query's rows to Plotly figures.

They are the visuals of infrastructure/analytics.yaml, under the same titles.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nearcast.dashboard.charts import BAND, DOWN, NEXT, UP, range_breaks

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

LINES = ("#5a8cff", "#e0a02c", "#a06cd5", "#16a37f")
"""Of lines that are compared: they are told apart on a light and on a dark page."""
CLOSE = "#7f8ea3"
BASELINE = "#e0525f"
MARGIN = {"l": 10, "r": 10, "t": 10, "b": 10}


def monthly_candles(months: pd.DataFrame) -> Figure:
    """Return a candle a month."""
    return _figure(
        [_candles(months, "month")],
        {"yaxis": {"tickprefix": "$"}, "xaxis": {"rangeslider": {"visible": False}}},
    )


def daily_prices(prices: pd.DataFrame) -> Figure:
    """Return a candle a day, and the means of the last 20, 50 and 200 closes."""
    means = [
        _line(prices, f"mean_{days}", f"mean of {days}", color=color)
        for days, color in zip((20, 50, 200), LINES, strict=False)
    ]
    layout = {"yaxis": {"tickprefix": "$"}, "xaxis": _days(prices, rangeslider={"visible": False})}
    return _figure([_candles(prices, "date"), *means], layout)


def volume(prices: pd.DataFrame) -> Figure:
    """Return the shares traded a day."""
    colours = [UP if up else DOWN for up in prices["close_price"] >= prices["open_price"]]
    bars = {
        "type": "bar",
        "name": "volume",
        "x": list(prices["date"]),
        "y": list(prices["volume"]),
        "marker": {"color": colours, "opacity": 0.7, "line": {"width": 0}},
        "hovertemplate": "%{y:,.4s}",
        "showlegend": False,
    }
    return _figure([bars], {"xaxis": _days(prices)})


def volatility(prices: pd.DataFrame) -> Figure:
    """Return the four estimators."""
    names = ("close_to_close", "garman_klass", "rogers_satchell", "yang_zhang")
    lines = [
        _line(prices, name, name.replace("_", " "), color=color, hover="%{y:.1%}")
        for name, color in zip(names, LINES, strict=True)
    ]
    return _figure(lines, {"xaxis": _days(prices), "yaxis": {"tickformat": ".0%"}})


def forecast_and_actual(forecasts: pd.DataFrame) -> Figure:
    """Return the bands and the median of each day beside the close that came.

    Parameters
    ----------
    forecasts
        Of one horizon, one a day.
    """
    if len(forecasts) < 2:
        return _figure([], {})
    bands = [
        trace
        for name, low, high, opacity in (("95 %", "q025", "q975", 0.18), ("80 %", "q100", "q900", 0.3))
        for trace in _band(forecasts, f"{name} band", low, high, opacity)
    ]
    median = _line(forecasts, "q500", "median", color=f"rgb({NEXT})")
    actual = _line(forecasts, "actual", "close that came", color=CLOSE, width=2.4)
    actual |= {"mode": "lines+markers", "marker": {"size": 5}}
    return _figure([*bands, median, actual], {"yaxis": {"tickprefix": "$"}, "xaxis": _days(forecasts)})


def pinball_ratio(forecasts: pd.DataFrame) -> Figure:
    """Return the pinball loss over the baseline's by horizon and model, of what has both."""
    scored = forecasts.dropna(subset=["baseline_loss"])
    sums = scored.groupby(["model_version", "horizon"])[["pinball_loss", "baseline_loss"]].sum().reset_index()
    traces = []
    for place, (model, mine) in enumerate(sums.groupby("model_version")):
        ratio = mine["pinball_loss"] / mine["baseline_loss"]
        traces.append(_bars(mine["horizon"], ratio, str(model), LINES[place % len(LINES)], "%{y:.3f}"))
    layout = {
        "xaxis": _horizons(),
        "margin": {**MARGIN, "r": 90},
        "shapes": [_level(1)],
        "annotations": [_label(1, "the last close")],
    }
    return _figure(traces, layout)


def coverage(forecasts: pd.DataFrame) -> Figure:
    """Return the share of closes in each band by horizon, and what it should be."""
    shares = forecasts.groupby("horizon")[["inside_80", "inside_95"]].mean().dropna().reset_index()
    traces = [
        _bars(
            shares["horizon"],
            shares[f"inside_{level}"],
            f"{level} % band",
            f"rgba({BAND},{opacity})",
            "%{y:.1%}",
        )
        for level, opacity in ((80, 0.85), (95, 0.45))
        if not shares.empty
    ]
    layout = {
        "xaxis": _horizons(),
        "yaxis": {"tickformat": ".0%", "range": [0, 1.05]},
        "margin": {**MARGIN, "r": 50},
        "shapes": [_level(0.8), _level(0.95)],
        "annotations": [_label(0.8, "80 %"), _label(0.95, "95 %")],
    }
    return _figure(traces, layout)


def _candles(bars: pd.DataFrame, day: str) -> dict[str, Any]:
    return {
        "type": "candlestick",
        "name": "price",
        "x": list(bars[day]),
        **{name: list(bars[f"{name}_price"]) for name in ("open", "high", "low", "close")},
        "increasing": {"line": {"color": UP, "width": 1.2}, "fillcolor": UP},
        "decreasing": {"line": {"color": DOWN, "width": 1.2}, "fillcolor": DOWN},
        "showlegend": False,
    }


def _line(
    rows: pd.DataFrame, column: str, name: str, *, color: str, width: float = 1.6, hover: str = "%{y:,.2f}"
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": name,
        "mode": "lines",
        "x": list(rows["date"]),
        "y": list(rows[column]),
        "line": {"color": color, "width": width},
        "hovertemplate": hover,
    }


def _band(rows: pd.DataFrame, name: str, low: str, high: str, opacity: float) -> list[dict[str, Any]]:
    """Return a band as its upper bound, filled down to its lower one."""
    edge = {"type": "scatter", "mode": "lines", "x": list(rows["date"]), "line": {"width": 0}}
    lower = {**edge, "name": f"{name}, from", "y": list(rows[low]), "showlegend": False}
    fill = {"fill": "tonexty", "fillcolor": f"rgba({BAND},{opacity})"}
    upper = {**edge, "name": name, "y": list(rows[high]), **fill}
    return [{**one, "hovertemplate": "%{y:,.2f}"} for one in (lower, upper)]


def _bars(x: Iterable[Any], y: Iterable[Any], name: str, color: str, hover: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": name,
        "x": list(x),
        "y": list(y),
        "marker": {"color": color, "line": {"width": 0}},
        "hovertemplate": hover,
        "showlegend": True,
    }


def _days(rows: pd.DataFrame, **more: Any) -> dict[str, Any]:
    return {"rangebreaks": range_breaks(sorted(set(rows["date"]))), **more}


def _horizons() -> dict[str, Any]:
    return {"title": {"text": "sessions ahead"}, "dtick": 1}


def _level(value: float) -> dict[str, Any]:
    line = {"color": BASELINE, "width": 1.4, "dash": "dash"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value, "line": line}


def _label(value: float, text: str) -> dict[str, Any]:
    place = {"xref": "paper", "x": 1.01, "y": value, "xanchor": "left", "yanchor": "middle"}
    return {**place, "text": text, "showarrow": False, "font": {"color": BASELINE, "size": 12}}


def _figure(traces: list[dict[str, Any]], layout: dict[str, Any]) -> Figure:
    from plotly.graph_objects import Figure

    shared = {
        "margin": MARGIN,
        "hovermode": "x unified",
        "barmode": "group",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    }
    return Figure(data=traces, layout={**shared, **layout})
