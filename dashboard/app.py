"""The dashboard: menu, controls, and the page that is asked for. Run by `synclens dashboard`."""

from __future__ import annotations

import streamlit as st

from analysis import AnalysisError
from dashboard import controls, data, pages, parts
from dashboard.safe import escape
from ingest import IngestError, StoreLocked, StoreMissing

st.set_page_config(page_title="SyncLens", page_icon=":material/sync_problem:", layout="wide")


def main() -> None:
    """Draw one page; whatever a person can put right is said on the page, with the next step."""
    chosen = st.navigation(pages.menu(), expanded=True)
    try:
        controls.sidebar(newest=data.newest(), options=data.options())
        data.footer()
        if data.is_empty():
            parts.heading(chosen.title)
            parts.no_data()
            return
        chosen.run()
    except StoreMissing:
        parts.heading(chosen.title)
        parts.no_data()
    except StoreLocked as error:
        st.warning(f"{escape(error)}. {escape(error.next_step)}", icon=":material/hourglass:")
        st.button("Try again", type="primary")
    except (IngestError, AnalysisError) as error:
        st.error(f"{escape(error)}. {escape(error.next_step)}", icon=":material/error:")


main()
