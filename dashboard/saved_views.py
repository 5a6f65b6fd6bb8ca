"""Views that people gave a name: a page with all its parameters, kept beside the store and opened by everyone.

They are lines of the activity log of the triage state, so each says who kept it and when, none is ever
overwritten, and a click waits for no ingest. The newest line with a name counts; one without a page takes the
name back. What a view is, is a link: whoever opens it sees the address and can pass it on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from analysis.triage.states import Activity, TriageState
from dashboard import auth, data, issue_actions, pages
from dashboard.clock import now
from dashboard.escaping import escape

LOG = "saved-views"
_MAX_NAME_LENGTH = 60
_NAME = "save-view-name"


@dataclass(frozen=True, slots=True)
class SavedView:
    """A page and its parameters under the name that somebody gave them."""

    name: str
    page: str
    query: Mapping[str, tuple[str, ...]]
    saved_by: str


def read_saved_views(log: Iterable[Activity]) -> list[SavedView]:
    """The views that lines of the log leave standing, by name; lines that are none are passed over."""
    found: dict[str, SavedView | None] = {}
    for line in log:
        told = _parse_line(line.reason)
        if told is not None:
            found[told["name"]] = _to_saved_view(told, line.actor)
    return sorted((view for view in found.values() if view), key=lambda view: view.name.casefold())


def save_view(
    state: TriageState, name: str, page: str, query: Mapping[str, Iterable[str]], *, actor: str
) -> None:
    """Keep a page with its parameters under a name; an older view of that name gives way."""
    told = {"name": name, "page": page, "query": {key: list(values) for key, values in query.items()}}
    state.add_note(LOG, json.dumps(told, sort_keys=True), actor=actor, at=now())


def remove_view(state: TriageState, name: str, *, actor: str) -> None:
    """Take a name back; the log keeps what it stood for."""
    state.add_note(LOG, json.dumps({"name": name, "page": None}), actor=actor, at=now())


def show_menu(page: str) -> None:
    """Draw the saved views as links, and a field that saves what is shown now; meant for the sidebar."""
    views = read_saved_views(data.triage_state().activity(LOG))
    with st.expander(f"Saved views ({len(views)})" if views else "Saved views", key="saved-views"):
        for view in views:
            _show_view_link(view)
        if not views:
            st.caption("None yet. A saved view is this page with its period, filters, search and selection.")
        st.text_input(
            "Save this view as", key=_NAME, max_chars=_MAX_NAME_LENGTH, placeholder="A name for everyone",
            disabled=not auth.can_edit(),
        )  # fmt: skip
        st.button(
            "Save view", key="save-view", icon=":material/bookmark_add:", disabled=not auth.can_edit(),
            on_click=_save_current_view, args=(page, _current_query()),
        )  # fmt: skip


def _show_view_link(view: SavedView) -> None:
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key=f"line-{view.name}"):
        # A link within the app would bring along what is chosen now; this one opens just what was saved.
        st.markdown(f"[{escape(view.name)}]({pages.page_url(view.page, view.query)})", width="stretch")
        st.button(
            "Remove", key=f"forget-{view.name}", icon=":material/close:", type="tertiary",
            help=f"Kept by {escape(view.saved_by)}. Remove it for everyone.", disabled=not auth.can_edit(),
            on_click=issue_actions.run_action,
            args=(lambda: remove_view(data.triage_state(), view.name, actor=issue_actions.current_actor()),),
        )  # fmt: skip


def _save_current_view(page: str, query: Mapping[str, list[str]]) -> None:
    name = " ".join(str(st.session_state.get(_NAME, "")).split())
    if not name:
        st.toast("Nothing was saved: give the view a name first.", icon=":material/bookmark_add:")
        return
    issue_actions.run_action(
        lambda: save_view(data.triage_state(), name, page, query, actor=issue_actions.current_actor())
    )
    st.session_state[_NAME] = ""


def _current_query() -> dict[str, list[str]]:
    return {key: st.query_params.get_all(key) for key in st.query_params}


def _parse_line(text: str) -> dict[str, Any] | None:
    try:
        told = json.loads(text)
    except ValueError:
        return None
    return told if isinstance(told, dict) and isinstance(told.get("name"), str) else None


def _to_saved_view(told: Mapping[str, Any], by: str) -> SavedView | None:
    query = told.get("query", {})
    if told.get("page") not in pages.PAGE_NAMES or not isinstance(query, dict):
        return None
    kept = {str(key): tuple(map(str, values)) for key, values in query.items() if isinstance(values, list)}
    return SavedView(told["name"], told["page"], kept, by)
