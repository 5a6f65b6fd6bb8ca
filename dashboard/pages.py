"""Which pages there are, and ways to get from one to another without losing the view."""

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
    """One page: its file in `views/`, its names, and whether the menu lists it."""

    name: str
    title: str
    icon: str
    section: str
    description: str
    listed: bool = True


ENTRIES = (
    PageEntry(
        "overview", "Overview", "monitoring", "Triage", "Health of the fleet and what needs attention."
    ),
    PageEntry("issues", "Issues", "checklist", "Triage", "Every group of errors, the most harmful first."),
    PageEntry(
        "issue", "Issue", "error", "Triage", "One issue: who, since when, why, and the fix.", listed=False
    ),
    PageEntry(
        "devices",
        "Devices",
        "tablet_mac",
        "Fleet",
        "Stuck, silent and stale devices, and what waits on them.",
    ),
    PageEntry("device", "Device", "tablet", "Fleet", "One device: its history and its levers.", listed=False),
    PageEntry(
        "explain", "Explain", "compare", "Understand", "What the failing syncs of some days have in common."
    ),
    PageEntry(
        "changes", "Changes", "tune", "Understand", "Configuration changes and versions against errors."
    ),
    PageEntry("fixes", "Fixes", "build", "Understand", "What to do first: fixes by the records they free."),
    PageEntry(
        "slo",
        "SLO & alerts",
        "speed",
        "Health",
        "Objectives, their budgets, and what alerts would have said.",
    ),
    PageEntry("lint", "Configuration", "rule", "Health", "Known misconfigurations, found before they hurt."),
    PageEntry(
        "quality",
        "Data quality",
        "fact_check",
        "Health",
        "What was loaded, what was refused, what is unseen.",
    ),
    PageEntry(
        "report", "Report card", "school", "Health", "How right the causes are, where the truth is known."
    ),
)
PAGE_NAMES = frozenset(entry.name for entry in ENTRIES)


def streamlit_page(name: str) -> st.Page:
    """The Streamlit page of an entry."""
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
    """All pages, for `st.navigation`."""
    return [streamlit_page(entry.name) for entry in ENTRIES]


def show_menu() -> None:
    """Draw the menu: listed pages under the names of their sections.

    It is made of links of our own, because the lists of `st.navigation` are none to a screen reader.
    """
    with st.sidebar.container(key="menu", gap=None):
        for section, entries in groupby(ENTRIES, key=lambda entry: entry.section):
            st.caption(section)
            for entry in entries:
                if entry.listed:
                    st.page_link(streamlit_page(entry.name))


def show_link(name: str, label: object, *, icon: str | None = None, **selection: str) -> None:
    """Draw a link to a page that keeps the filters; `selection` names the issue or device to open there.

    The controls put period, zone and filters back into the address by themselves; a link that brings them
    along as well would leave them there twice.
    """
    held = {*SELECTIONS, *CONTROLS}
    query = {key: st.query_params.get_all(key) for key in st.query_params if key not in held}
    chosen = {**query, **{key: [value] for key, value in selection.items()}}
    st.page_link(streamlit_page(name), label=escape(label), icon=icon, query_params=chosen or None)


def page_url(name: str, query: Mapping[str, Sequence[str]]) -> str:
    """The address of a page with exactly these parameters, as seen from any page."""
    path = "./" if name == ENTRIES[0].name else name
    return f"{path}?{urlencode(dict(query), doseq=True, quote_via=quote)}"


def open_page(name: str, **selection: str) -> NoReturn:
    """Open a page now. Bound filters put themselves back into the URL; Streamlit refuses to set them here."""
    st.switch_page(streamlit_page(name), query_params=selection)


def selected_id(name: str) -> str | None:
    """The id that the URL selects, for instance of an issue."""
    return st.query_params.get(name) or None
