"""The live page: what is published, in the lake and forecast now; it draws itself anew when something changes."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from nearcast.dashboard import champion, delivery, rejected, score
from nearcast.dashboard.alerts import MOST, alerts_html
from nearcast.dashboard.background import Background
from nearcast.dashboard.charts import price_figure
from nearcast.dashboard.checks import draw_checks
from nearcast.dashboard.data import Change, Database, History, Overview
from nearcast.dashboard.fan import draw_fan
from nearcast.dashboard.header import header_html
from nearcast.dashboard.hops import hops_html
from nearcast.errors import NearcastError
from nearcast.log import get_logger
from nearcast.settings import Settings, load_settings

# Seconds between two looks for something new; only then is the page drawn anew.
LOOK_S = 1.0
# Sessions that the chart may show.
WINDOWS = {"1 month": 21, "3 months": 63, "6 months": 120, "1 year": 250}


@dataclass(frozen=True)
class Sources:
    """What all sessions of one process share."""

    database: Database
    rejected: Background[rejected.Rejected]
    delivery: Background[delivery.Delivery]
    score: Background[score.Score]
    champion: Background[champion.Champion]


@dataclass(frozen=True)
class Seen:
    """All that the page is drawn from; None for the change while PostgreSQL is away."""

    change: Change | None
    rejected: rejected.Rejected | None
    delivery: delivery.Delivery | None
    score: score.Score | None
    champion: champion.Champion | None
    problem: str = ""


NOTHING = Seen(None, None, None, None, None)


@st.cache_resource(max_entries=4, show_spinner=False)
def _sources(_settings: Settings, dsn: str, names: tuple[str | None, ...]) -> Sources:
    # Plotly and a thread that import NumPy at the same time fail: import it before there are threads.
    import numpy as np  # noqa: F401
    import pandas as pd  # noqa: F401

    return Sources(
        Database(dsn),
        Background(lambda: rejected.count_rejected(_settings), rejected.EVERY_S),
        Background(lambda: delivery.read_delivery(_settings), delivery.EVERY_S),
        Background(lambda: score.compute_score(dsn), score.EVERY_S),
        Background(lambda: champion.read_champion(_settings, dsn), champion.EVERY_S),
    )


def sources() -> Sources:
    """Return the shared sources of the current settings. Raises NearcastError when they name no database."""
    settings = load_settings()
    dsn = settings.need("postgres_reader_dsn")
    names = (
        settings.aws_endpoint_url,
        settings.raw_bucket,
        settings.delivery_stream,
        settings.mlflow_tracking_uri,
    )
    return _sources(settings, dsn, names)


def look() -> Seen:
    """Look whether there is something new; cheap."""
    try:
        shared = sources()
        change = shared.database.change()
    except NearcastError as error:
        return Seen(None, None, None, None, None, _words(error))
    scored = shared.score.latest(change.scored)
    # MLflow last: it is the slowest to import, and two threads had better not import the same things at once.
    model = shared.champion.latest() if scored is not None else None
    return Seen(change, shared.rejected.latest(), shared.delivery.latest(), scored, model)


@st.fragment(run_every=LOOK_S)
def watch(drawn: Seen) -> None:
    """Draw the whole page anew as soon as it would look different; else do nothing."""
    just_drawn = time.monotonic() - st.session_state["drawn_at"] < LOOK_S / 2
    if not just_drawn and look() != drawn:
        st.rerun()


def live() -> None:
    """Draw the page."""
    seen = look()
    if seen.change is None:
        _draw_away(seen.problem)
    else:
        seen = _try_to_draw(seen)
    st.session_state["drawn_at"] = time.monotonic()
    watch(seen)


def _try_to_draw(seen: Seen) -> Seen:
    """Draw what was seen; return it, or NOTHING after a failure, so that the next look draws anew."""
    try:
        _draw(sources().database, seen)
    except NearcastError as error:
        _draw_away(_words(error))
        return NOTHING
    except Exception as error:  # the page must come back by itself, whatever this was
        st.exception(error)
        get_logger("dashboard").exception("the page could not be drawn")
        return NOTHING
    return seen


def _words(error: NearcastError) -> str:
    return f"{error.happened.rstrip('.')}. {error.todo}".strip()


def _draw_away(problem: str) -> None:
    st.title("Nearcast")
    st.error(f"**The prices cannot be read now.** {problem}")
    st.caption("This page looks every second and comes back by itself.")


def _draw(database: Database, seen: Seen) -> None:
    overview, symbols = database.overview(), database.symbols()
    if not symbols:
        _draw_empty(overview, seen)
        return
    head, controls = st.columns([3, 2], vertical_alignment="center")
    with controls, st.container(horizontal=True, horizontal_alignment="right"):
        symbol = (
            str(st.selectbox("Symbol", symbols, key="symbol", width=120, label_visibility="collapsed"))
            if len(symbols) > 1
            else symbols[0]
        )
        window = st.segmented_control(
            "Sessions", list(WINDOWS), default="6 months", key="window", label_visibility="collapsed"
        )
    history = database.history(symbol, WINDOWS[window or "6 months"])
    with head:
        st.html(header_html(history, overview))
    if alerts := alerts_html(database.alerts(MOST)):
        st.html(alerts)
    st.html(hops_html(overview, seen.rejected))
    _draw_chart(history)
    _draw_ahead(database, symbol, seen)
    st.html(score.score_html(seen.score, overview))
    champion.draw_champion(seen.champion)
    st.html(delivery.delivery_html(seen.delivery))
    draw_checks(database)


def _draw_empty(overview: Overview, seen: Seen) -> None:
    st.title("Nearcast")
    st.info(
        "**No prices yet.** Load some: `nearcast load prices.csv --symbol NFLX`, then `nearcast publish`."
    )
    st.html(hops_html(overview, seen.rejected))


def _draw_chart(history: History) -> None:
    if not history.bars:
        st.info(f"The first rows of {history.symbol} are being published.")
        return
    if not history.published:
        st.warning(
            "**Loaded, not published yet:** nothing has left PostgreSQL. Next: `nearcast publish`.",
            icon=":material/pause_circle:",
        )
    st.plotly_chart(
        price_figure(history),
        key="prices",
        config={"displaylogo": False, "scrollZoom": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]},
    )


def _draw_ahead(database: Database, symbol: str, seen: Seen) -> None:
    """Draw the fan beside what forecasts of as many sessions ahead were worth."""
    if not (horizons := score.horizons_html(seen.score)):
        draw_fan(database.fan(symbol))
        return
    left, right = st.columns([3, 2])
    with left:
        draw_fan(database.fan(symbol))
    with right:
        st.html(horizons)
