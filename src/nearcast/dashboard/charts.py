"""The figures of the dashboard: pure functions from rows to Plotly figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from nearcast.dashboard.data import Bar, History, NextDayForecast

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

UP, DOWN, MISS = "#16a37f", "#e0525f", "#e0a02c"
BAND, LATE, NEXT = "90,140,255", "140,150,165", "245,150,40"
BAND_WIDTH_MS = 0.82 * 24 * 3600 * 1000
PRICE_DOMAIN, VOLUME_DOMAIN = (0.2, 1.0), (0.0, 0.15)


def price_figure(history: History) -> Figure:
    """Return candles and volume, the bands that were forecast for each day, and the next day's fan.

    Parameters
    ----------
    history
        At least one bar.
    """
    from plotly.graph_objects import Figure

    days = {bar.date for bar in history.bars}
    past = [forecast for forecast in history.forecasts if forecast.date in days]
    traces = [
        *_bands([one for one in past if not one.late], BAND, ""),
        *_bands([one for one in past if one.late], LATE, " late"),
        _candles(history.bars),
        *_misses(history.bars, past),
        *(_fan(history.coming) if history.coming else []),
        _volume(history.bars),
    ]
    return Figure(data=traces, layout=_layout(history))


def missing_weekdays(days: Sequence[date]) -> list[date]:
    """Return the weekdays between the first and the last of ``days`` (in order) that are not among them."""
    known, first, last = set(days), days[0], days[-1]
    between = (first + timedelta(days=step) for step in range((last - first).days))
    return [day for day in between if day.weekday() < 5 and day not in known]


def range_breaks(days: Sequence[date]) -> list[dict[str, Any]]:
    """Return Plotly's breaks of a date axis: weekends, and the weekdays between ``days`` (in order)."""
    holidays = missing_weekdays(days)
    return [{"bounds": ["sat", "mon"]}, *([{"values": holidays}] if holidays else [])]


def quantile_labels(day: date, top: float, median: float, bottom: float) -> list[dict[str, Any]]:
    """Return the prices of three quantiles as annotations to the right of a fan's end."""
    return [
        {
            "x": day,
            "y": price,
            "text": f"{price:,.2f}",
            "xanchor": "left",
            "yanchor": anchor,
            "xshift": 6,
            "showarrow": False,
            "font": {"color": f"rgb({NEXT})", "size": 12},
        }
        for price, anchor in ((top, "bottom"), (median, "middle"), (bottom, "top"))
    ]


def _bands(forecasts: list[NextDayForecast], colour: str, suffix: str) -> list[dict[str, Any]]:
    """Return the 95 % and the 80 % band of each day, as floating bars behind the candles."""
    if not forecasts:
        return []
    outer = [(one.q025, one.q975) for one in forecasts]
    inner = [(one.q100, one.q900) for one in forecasts]
    return [
        _band("95 % band" + suffix, forecasts, outer, f"rgba({colour},0.20)"),
        _band("80 % band" + suffix, forecasts, inner, f"rgba({colour},0.30)"),
    ]


def _band(
    name: str, forecasts: list[NextDayForecast], bounds: list[tuple[float, float]], colour: str
) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": name,
        "x": [one.date for one in forecasts],
        "base": [low for low, _ in bounds],
        "y": [high - low for low, high in bounds],
        "customdata": bounds,
        "width": BAND_WIDTH_MS,
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": "%{customdata[0]:.2f} to %{customdata[1]:.2f}",
    }


def _candles(bars: list[Bar]) -> dict[str, Any]:
    return {
        "type": "candlestick",
        "name": "price",
        "x": [bar.date for bar in bars],
        "open": [bar.open_price for bar in bars],
        "high": [bar.high_price for bar in bars],
        "low": [bar.low_price for bar in bars],
        "close": [bar.close_price for bar in bars],
        "increasing": {"line": {"color": UP, "width": 1.2}, "fillcolor": UP},
        "decreasing": {"line": {"color": DOWN, "width": 1.2}, "fillcolor": DOWN},
        "showlegend": False,
    }


def _misses(bars: list[Bar], forecasts: list[NextDayForecast]) -> list[dict[str, Any]]:
    """Mark the closes that fell outside of their 95 % band: about one day in twenty should."""
    closes = {bar.date: bar.close_price for bar in bars}
    outside = [one.date for one in forecasts if not one.q025 <= closes[one.date] <= one.q975]
    if not outside:
        return []
    marker = {"symbol": "diamond", "size": 8, "color": MISS, "line": {"width": 1, "color": "white"}}
    return [
        {
            "type": "scatter",
            "name": "close outside 95 %",
            "mode": "markers",
            "x": outside,
            "y": [closes[day] for day in outside],
            "marker": marker,
            "hoverinfo": "skip",
        }
    ]


def _fan(coming: NextDayForecast) -> list[dict[str, Any]]:
    """Return the next day's 95 % and 80 % fan and its median, opening from the newest close."""
    start, end = coming.as_of_date, coming.date

    def part(name: str, low: float, high: float, opacity: float) -> dict[str, Any]:
        return {
            "type": "scatter",
            "name": name,
            "mode": "lines",
            "x": [start, end, end, start],
            "y": [coming.last_close, high, low, coming.last_close],
            "fill": "toself",
            "fillcolor": f"rgba({NEXT},{opacity})",
            "line": {"width": 1, "color": f"rgba({NEXT},0.9)"},
            "hoverinfo": "skip",
            "showlegend": False,
        }

    median = {
        "type": "scatter",
        "name": "next session",
        "mode": "lines+markers",
        "x": [start, end],
        "y": [coming.last_close, coming.q500],
        "line": {"color": f"rgb({NEXT})", "width": 2},
        "marker": {"size": [0, 7]},
        "hovertemplate": "%{y:.2f}",
    }
    return [
        part("next session: 95 %", coming.q025, coming.q975, 0.25),
        part("next session: 80 %", coming.q100, coming.q900, 0.45),
        median,
    ]


def _volume(bars: list[Bar]) -> dict[str, Any]:
    colours = [UP if bar.close_price >= bar.open_price else DOWN for bar in bars]
    return {
        "type": "bar",
        "name": "volume",
        "x": [bar.date for bar in bars],
        "y": [bar.volume for bar in bars],
        "yaxis": "y2",
        "marker": {"color": colours, "opacity": 0.5, "line": {"width": 0}},
        "hovertemplate": "%{y:,.4s}",
        "showlegend": False,
    }


def _layout(history: History) -> dict[str, Any]:
    days, coming = [bar.date for bar in history.bars], history.coming
    end = coming.date if coming else days[-1]
    return {
        "height": 530,
        "margin": {"l": 10, "r": 62, "t": 20, "b": 10},
        "barmode": "overlay",
        "hovermode": "x unified",
        "dragmode": "pan",
        # The same revision keeps a person's zoom over a refresh; another symbol starts anew.
        "uirevision": f"{history.symbol} {len(days)}",
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
        "xaxis": {
            "range": [days[0] - timedelta(days=1), end + timedelta(days=1 + len(days) // 60)],
            "rangebreaks": range_breaks([*days, end] if end > days[-1] else days),
            "rangeslider": {"visible": False},
            "anchor": "y2",
        },
        "yaxis": {"domain": PRICE_DOMAIN, "tickprefix": "$"},
        "yaxis2": {"domain": VOLUME_DOMAIN, "nticks": 3},
        "annotations": quantile_labels(coming.date, coming.q975, coming.q500, coming.q025) if coming else [],
    }
