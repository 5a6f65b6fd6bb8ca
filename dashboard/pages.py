"""The pages of the dashboard, and links between them that keep the view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, urlencode

import streamlit as st

from dashboard.escaping import escape
from dashboard.view_state import CONTROLS, SELECTIONS

_VIEWS = Path(__file__).parent / "views"


@dataclass(frozen=True, slots=True)
class PageEntry:
    """One page: the name of its file in `views/`, its title, and whether the menu lists it."""

    name: str
    title: str
    icon: str
    section: str
    description: str
    listed: bool = True


ENTRIES = (
    PageEntry(
        "overview", "Overview", "monitoring", "Triage", "Health of the fleet and issues that need attention."
    ),
    PageEntry(
        "issues",
        "Issues",
        "checklist",
        "Triage",
        "Groups of errors, those with the most affected users first.",
    ),
    PageEntry(
        "issue", "Issue", "error", "Triage", "One issue: affected users, start, cause and fix.", listed=False
    ),
    PageEntry(
        "devices",
        "Devices",
        "tablet_mac",
        "Fleet",
        "Stuck, silent and stale devices, and their pending records.",
    ),
    PageEntry(
        "device", "Device", "tablet", "Fleet", "One device: its history and recovery actions.", listed=False
    ),
    PageEntry(
        "explain", "Explain", "compare", "Understand", "Attributes shared by the failed syncs of some days."
    ),
    PageEntry(
        "changes",
        "Changes",
        "tune",
        "Understand",
        "Configuration changes, app versions and errors over time.",
    ),
    PageEntry("fixes", "Fixes", "build", "Understand", "Fixes ranked by the pending records they free."),
    PageEntry(
        "slo",
        "SLO & alerts",
        "speed",
        "Health",
        "Objectives, error budgets, and alerts in the period.",
    ),
    PageEntry(
        "lint", "Configuration", "rule", "Health", "Known misconfigurations in the loaded configuration."
    ),
    PageEntry(
        "quality",
        "Data quality",
        "fact_check",
        "Health",
        "Loads, rejected rows and coverage.",
    ),
    PageEntry("report", "Report card", "school", "Health", "Accuracy of causes on simulated errors."),
)
PAGE_NAMES = frozenset(entry.name for entry in ENTRIES)


def streamlit_page(name: str) -> st.Page:
    """Return the Streamlit page of an entry."""
    entry = next(entry for entry in ENTRIES if entry.name == name)
    return st.Page(
        _VIEWS / f"{entry.name}.py",
        title=entry.title,
        icon=f":material/{entry.icon}:",
        url_path=entry.name,
        default=entry is ENTRIES[0],
        visibility="visible" if entry.listed else "hidden",
        help=entry.description,
    )


def all_pages() -> list[st.Page]:
    """Return all pages, for `st.navigation`."""
    return [streamlit_page(entry.name) for entry in ENTRIES]


def show_menu() -> None:
    """Show the menu with the listed pages by section.

    It uses links, because screen readers do not recognize the lists of `st.navigation`.
    """
    with st.sidebar.container(key="menu", gap=None):
        for section, entries in groupby(ENTRIES, key=lambda entry: entry.section):
            st.caption(section)
            for entry in entries:
                if entry.listed:
                    st.page_link(streamlit_page(entry.name))


def show_link(name: str, label: object, *, icon: str | None = None, **selection: str) -> None:
    """Show a link to a page that keeps the filters. `selection` names the issue or device to open.

    The link omits the parameters of the controls, because the controls restore them in the URL.
    """
    omitted = {*SELECTIONS, *CONTROLS}
    query = {key: st.query_params.get_all(key) for key in st.query_params if key not in omitted}
    parameters = {**query, **{key: [value] for key, value in selection.items()}}
    st.page_link(streamlit_page(name), label=escape(label), icon=icon, query_params=parameters or None)


def page_url(name: str, query: Mapping[str, Sequence[str]]) -> str:
    """Return the relative URL of a page with exactly these parameters."""
    path = "./" if name == ENTRIES[0].name else name
    return f"{path}?{urlencode(dict(query), doseq=True, quote_via=quote)}"


def open_page(name: str, **selection: str) -> NoReturn:
    """Open a page immediately. The controls restore the filters in the URL."""
    st.switch_page(streamlit_page(name), query_params=selection)


def selected_id(name: str) -> str | None:
    """Return the id selected in the URL, for example of an issue."""
    return st.query_params.get(name) or None
