"""The analytics page: the visuals of the QuickSight dashboard, from the same queries on Athena."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from nearcast.dashboard import analytics_charts as charts
from nearcast.dashboard.cards import section
from nearcast.dashboard.lake_queries import Choice, ask, filtered
from nearcast.errors import LakeError, NearcastError
from nearcast.lake.saved import saved_query
from nearcast.schema import SESSIONS_AHEAD
from nearcast.settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

KEPT_S = 60.0
"""Seconds for which an answer is shown again without asking."""
YEAR, MONTH = datetime.timedelta(days=365), datetime.timedelta(days=31)
MISSING = ("TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND", "EntityNotFoundException")


@dataclass(frozen=True)
class Visual:
    """A title with a few words, what it is drawn from, how, and its height in pixels."""

    title: str
    words: str
    query: str
    draw: Callable[[pd.DataFrame], Figure]
    height: int


CANDLES = Visual(
    "Monthly candles",
    "open, high, low, close (US dollars)",
    "monthly_candles",
    charts.monthly_candles,
    320,
)
DAILY = Visual(
    "Daily prices",
    "with the means of the last 20, 50 and 200 closes (US dollars)",
    "price_history",
    charts.daily_prices,
    400,
)
VOLUME = Visual("Volume", "shares traded a day", "price_history", charts.volume, 280)
VOLATILITY = Visual(
    "Volatility",
    "over 20 trading days, of a year of 252: four estimators",
    "price_history",
    charts.volatility,
    280,
)
FORECAST = Visual(
    "Forecast and actual",
    "the bands, the median and the close that came (US dollars)",
    "forecast_outcomes",
    charts.forecast_and_actual,
    400,
)
RATIO = Visual(
    "Pinball ratio by sessions ahead",
    "to the last close's; below 1 is better",
    "forecast_outcomes",
    charts.pinball_ratio,
    300,
)
COVERAGE = Visual(
    "Coverage by sessions ahead",
    "share of closes inside the 80 % and the 95 % band",
    "forecast_outcomes",
    charts.coverage,
    300,
)
VISUALS = (CANDLES, DAILY, VOLUME, VOLATILITY, FORECAST, RATIO, COVERAGE)


def draw_analytics() -> None:
    """Draw the page; what is in the way is said in its place."""
    from botocore.exceptions import BotoCoreError, ClientError

    st.html(section("Analytics", "what QuickSight shows on AWS: the same queries, on Athena"))
    try:
        _draw(load_settings())
    except LakeError as error:
        if any(name in error.happened for name in MISSING):
            st.info(
                "**No prices in the lake yet.** `nearcast demo` brings some there; step by step that is"
                " `nearcast load`, `nearcast publish` and `nearcast lake upsert`."
            )
        else:
            _draw_away(f"{error.happened.rstrip('.')}. {error.todo}")
    except NearcastError as error:
        _draw_away(f"{error.happened.rstrip('.')}. {error.todo}")
    except (BotoCoreError, ClientError) as error:
        _draw_away(f"{error}. `nearcast status` shows the services, `nearcast up` starts them.")


def _draw_away(problem: str) -> None:
    st.error(f"**The lake cannot be read now.** {problem}")
    st.button("Try again", on_click=_answer.clear)


def _draw(settings: Settings) -> None:
    symbols = _rows(settings, saved_query("symbols"))
    if symbols.empty:
        st.info("**No prices in the lake yet.** Next: `nearcast publish`, then `nearcast lake upsert`.")
        return
    choice = _choose(symbols)
    if choice is None:
        st.info("Choose the last day, too.")
        return
    prices = _rows(settings, filtered("price_history", choice))
    if prices.empty:
        st.info(f"**{choice.symbol} has no prices from {choice.first} to {choice.last}.** Choose other days.")
        return
    st.html(section("Prices", f"{len(prices):,} trading days"))
    _show(CANDLES, _rows(settings, filtered("monthly_candles", choice)), choice)
    _show(DAILY, prices, choice)
    for column, visual in zip(st.columns(2), (VOLUME, VOLATILITY), strict=True):
        with column:
            _show(visual, prices, choice)
    _draw_forecasts(_rows(settings, filtered("forecast_outcomes", choice)), choice)


def _choose(symbols: pd.DataFrame) -> Choice | None:
    """Return what a person chose; None while one end of the days is missing."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        symbol = str(st.selectbox("Symbol", list(symbols["stock_symbol"]), key="analytics_symbol", width=140))
        mine = symbols[symbols["stock_symbol"] == symbol]
        first: datetime.date = mine["first_day"].iloc[0]
        newest: datetime.date = mine["last_day"].iloc[0]
        # A month more than there are prices: forecasts are of days to come.
        days = st.date_input(
            "Days",
            (max(first, newest - YEAR), newest + MONTH),
            min_value=first,
            max_value=newest + MONTH,
            key=f"analytics_days_{symbol}",
            width=260,
        )
        st.button("Read again", on_click=_answer.clear, help=f"An answer is kept for {KEPT_S:.0f} s.")
    return Choice(symbol, *days) if isinstance(days, tuple) and len(days) == 2 else None


def _draw_forecasts(forecasts: pd.DataFrame, choice: Choice) -> None:
    come = int(forecasts["actual"].notna().sum()) if len(forecasts) else 0
    st.html(section("Forecasts", f"{len(forecasts):,} stored, of {come:,} the day has come"))
    if forecasts.empty:
        st.info("**No forecast of these days.** `nearcast train` makes a model, `nearcast forecast` uses it.")
        return
    horizons = sorted({int(one) for one in forecasts["horizon"]} & set(range(1, SESSIONS_AHEAD + 1)))
    horizon = st.segmented_control("Sessions ahead", horizons, default=horizons[0], key="analytics_horizon")
    shown = forecasts[(forecasts["horizon"] == (horizon or horizons[0])) & (forecasts["newest"] == 1)]
    _show(FORECAST, shown, choice)
    for column, visual in zip(st.columns(2), (RATIO, COVERAGE), strict=True):
        with column:
            _show(visual, forecasts, choice)


def _show(visual: Visual, rows: pd.DataFrame, choice: Choice) -> None:
    """Draw a visual, with its SQL below."""
    st.html(section(visual.title, visual.words))
    figure: Any = visual.draw(rows)
    if len(figure.data):
        figure.update_layout(height=visual.height)
        st.plotly_chart(figure, key=visual.title, config={"displaylogo": False, "displayModeBar": False})
    else:
        st.info(
            "Nothing to be drawn yet: this needs some days of forecasts, and for scores days that have come."
        )
    with st.expander(f"SQL: {visual.query}"):
        st.code(filtered(visual.query, choice), language="sql")


def _rows(settings: Settings, sql: str) -> pd.DataFrame:
    return _answer(settings, (settings.aws_endpoint_url, settings.workgroup), sql)


@st.cache_data(ttl=KEPT_S, max_entries=64, show_spinner="Athena is asked …")
def _answer(_settings: Settings, where: tuple[str | None, ...], sql: str) -> pd.DataFrame:
    """Return the rows of a query; ``where`` tells one world's answers from another's."""
    return ask(_settings, sql)
