"""The dashboard's pages. Run by ``streamlit run app.py``; `nearcast up` does that."""

from __future__ import annotations

import streamlit as st

from nearcast.dashboard.cards import style
from nearcast.dashboard.live import live


def analytics() -> None:
    """Draw the analytics page; what it needs is imported when somebody opens it."""
    from nearcast.dashboard.analytics import draw_analytics

    draw_analytics()


def main() -> None:
    """Draw the page that is open, below the links to all of them."""
    st.set_page_config(page_title="Nearcast", page_icon="📈", layout="wide")
    st.html(style())
    pages = [
        st.Page(live, title="Live", default=True),
        st.Page(analytics, title="Analytics", url_path="analytics"),
    ]
    opened = st.navigation(pages, position="hidden")
    with st.container(horizontal=True, key="pages"):
        for page in pages:
            st.page_link(page, width="content")
    opened.run()


if __name__ == "__main__":
    main()
