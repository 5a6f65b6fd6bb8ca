"""Saved views: a page with all its URL parameters under a name, shared by all users of the store.

They are lines in the activity log of the triage file, with user and time. No line is overwritten. The newest line of
a name is current; a line without a page removes the name.
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

LOG_NAME = "saved-views"
_MAX_NAME_LENGTH = 60
_NAME = "save-view-name"


@dataclass(frozen=True, slots=True)
class SavedView:
    """A page with its URL parameters under a name."""

    name: str
    page: str
    query: Mapping[str, tuple[str, ...]]
    saved_by: str


def read_saved_views(log: Iterable[Activity]) -> list[SavedView]:
    """Return the current views in log lines, sorted by name. Other lines are ignored."""
    views: dict[str, SavedView | None] = {}
    for line in log:
        entry = _parse_line(line.reason)
        if entry is not None:
            views[entry["name"]] = _to_saved_view(entry, line.actor)
    return sorted((view for view in views.values() if view), key=lambda view: view.name.casefold())


def save_view(
    state: TriageState, name: str, page: str, query: Mapping[str, Iterable[str]], *, actor: str
) -> None:
    """Save a page with its parameters under a name. It replaces an older view with this name."""
    entry = {"name": name, "page": page, "query": {key: list(values) for key, values in query.items()}}
    state.add_note(LOG_NAME, json.dumps(entry, sort_keys=True), actor=actor, at=now())


def remove_view(state: TriageState, name: str, *, actor: str) -> None:
    """Remove a view. The log keeps its history."""
    state.add_note(LOG_NAME, json.dumps({"name": name, "page": None}), actor=actor, at=now())


def show_menu(page: str) -> None:
    """Show the saved views as links, and a field to save the current view."""
    views = read_saved_views(data.triage_state().activity(LOG_NAME))
    with st.expander(f"Saved views ({len(views)})" if views else "Saved views", key="saved-views"):
        for view in views:
            _show_view_link(view)
        if not views:
            st.caption(
                "No saved views yet. A saved view is a page with its period, filters, search and selection."
            )
        st.text_input(
            "Save this view as", key=_NAME, max_chars=_MAX_NAME_LENGTH, placeholder="Name, visible to all users",
            disabled=not auth.can_edit(),
        )  # fmt: skip
        st.button(
            "Save view", key="save-view", icon=":material/bookmark_add:", disabled=not auth.can_edit(),
            on_click=_save_current_view, args=(page, _current_query()),
        )  # fmt: skip


def _show_view_link(view: SavedView) -> None:
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key=f"line-{view.name}"):
        # A link within the app would keep the current filters; this one opens exactly the saved view.
        st.markdown(f"[{escape(view.name)}]({pages.page_url(view.page, view.query)})", width="stretch")
        st.button(
            "Remove", key=f"remove-{view.name}", icon=":material/close:", type="tertiary",
            help=f"Saved by {escape(view.saved_by)}. Removes the view for all users.", disabled=not auth.can_edit(),
            on_click=issue_actions.run_action,
            args=(lambda: remove_view(data.triage_state(), view.name, actor=issue_actions.current_actor()),),
        )  # fmt: skip


def _save_current_view(page: str, query: Mapping[str, list[str]]) -> None:
    name = " ".join(str(st.session_state.get(_NAME, "")).split())
    if not name:
        st.toast("Nothing was saved: enter a name first.", icon=":material/bookmark_add:")
        return
    issue_actions.run_action(
        lambda: save_view(data.triage_state(), name, page, query, actor=issue_actions.current_actor())
    )
    st.session_state[_NAME] = ""


def _current_query() -> dict[str, list[str]]:
    return {key: st.query_params.get_all(key) for key in st.query_params}


def _parse_line(text: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(text)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("name"), str) else None


def _to_saved_view(entry: Mapping[str, Any], saved_by: str) -> SavedView | None:
    query = entry.get("query", {})
    if entry.get("page") not in pages.PAGE_NAMES or not isinstance(query, dict):
        return None
    parameters = {
        str(key): tuple(map(str, values)) for key, values in query.items() if isinstance(values, list)
    }
    return SavedView(entry["name"], entry["page"], parameters, saved_by)
