"""The app that Streamlit runs: menu, controls and the selected page. Started by `synclens dashboard`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from analysis import AnalysisError
from dashboard import auth, controls, data, pages, saved_views, widgets
from dashboard.escaping import escape
from ingest import IngestError, StoreLocked, StoreMissing

HERE = Path(__file__).parent
# Local icons: Streamlit would fetch a named icon from a Google server.
st.set_page_config(
    page_title="SyncLens", page_icon=str(HERE / "icon.svg"), layout="wide", initial_sidebar_state=250
)
st.logo(HERE / "wordmark.svg", size="large", icon_image=HERE / "icon.svg")
# A triage list needs more width than Streamlit's margins leave. Streamlit's CSV button is hidden, because it does not
# escape formulas; the export buttons below the tables do.
STYLE = """
.stMainBlockContainer {padding-left: 2.2rem; padding-right: 2.2rem;}
.st-key-menu {margin-bottom: 0.8rem;}
.st-key-menu [data-testid="stCaptionContainer"] {margin: 0.6rem 0 -0.85rem 0.1rem; letter-spacing: 0.02em;}
/* The title of an issue uses the width beside the badge and wraps there. */
[class*="st-key-line-"] {flex-wrap: nowrap; align-items: flex-start;}
[class*="st-key-line-"] > :first-child {flex: 1 1 0; min-width: 0;}
[class*="st-key-line-"] a {margin-left: -0.45rem;}
[class*="st-key-line-"] a p {font-weight: 600; white-space: normal;}
.st-key-menu a {padding-top: 0.16rem; padding-bottom: 0.16rem;}
/* Streamlit's captions have too little contrast for small text. */
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p {color: inherit; opacity: 1;}
[data-testid="stCaptionContainer"] {opacity: 0.78;}
button[aria-label^="Download as CSV"] {display: none;}
@media (max-width: 1100px) {  /* tablet: columns go below each other */
  .stMain [data-testid="stHorizontalBlock"] {flex-wrap: wrap;}
  .stMain [data-testid="stColumn"] {min-width: 100%;}
  .st-key-aside-first > div > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"]:nth-child(2),
  .st-key-aside-first > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"]:nth-child(2) {order: -1;}
}
"""
st.html(f"<style>{STYLE}</style>")


def main() -> None:
    """Show the selected page. Known errors are shown with their next step."""
    if auth.is_sign_in_configured() and not auth.is_signed_in():
        sign_in()
        return
    page = st.navigation(pages.all_pages(), position="hidden")
    pages.show_menu()
    notice = st.container()
    try:
        reviewing = data.is_review_running()
        newest = data.newest_timestamp()
        controls.show_sidebar(newest=newest, options=data.filter_options())
        with st.sidebar:
            saved_views.show_menu(page.url_path or pages.ENTRIES[0].name)
        widgets.show_footer(newest)
        if reviewing:
            widgets.show_review_note(data.is_review_running)
        if newest is None:
            widgets.show_heading(page.title)
            widgets.show_no_data()
        else:
            page.run()
        if data.pop_stale_flag():
            with notice:
                widgets.show_stale_note()
    except StoreMissing:
        widgets.show_heading(page.title)
        widgets.show_no_data()
    except StoreLocked as error:
        st.warning(f"{escape(error)}. {escape(error.next_step)}", icon=":material/hourglass:")
        st.button("Try again", type="primary")
    except (IngestError, AnalysisError) as error:
        st.error(f"{escape(error)}. {escape(error.next_step)}", icon=":material/error:")


def sign_in() -> None:
    """Show the sign-in page."""
    widgets.show_heading("SyncLens", "Sign in to view the fleet.")
    st.button("Sign in", type="primary", icon=":material/login:", on_click=st.login)


main()
