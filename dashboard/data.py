"""Cached questions to `analysis`: ask by name, get the answer of the store as it is on disk now.

Everything an answer depends on is part of its key: path, modification time and size of the store, the
question, its arguments. A changed file is asked again, so no time limit is needed. While an ingest holds
the file, the last known answer is shown and the page says so (`was_stale`).
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import streamlit as st

import analysis
from dashboard.launch import state_path, store_path
from ingest import IngestError, StoreLocked, open_store

# A page may wait this long for an ingest before it shows what it knew before.
PATIENCE_SECONDS = 2.0
MOST_REMEMBERED = 600
_STALE = "_answers_are_stale"


def ask(question: str, /, *positional: Any, **arguments: Any) -> Any:
    """Answer `analysis.<question>(connection, *positional, **arguments)`, from the cache where nothing changed.

    Raises IngestError where the store cannot be read and nothing is remembered either.
    """
    path = store_path()
    key = f"{path.absolute()}|{question}|{positional!r}|{sorted(arguments.items())!r}"
    try:
        answer = _answer(path, _stamp(path), question, positional, arguments)
    except StoreLocked:
        remembered = _remembered()
        if key not in remembered:
            raise
        st.session_state[_STALE] = True
        return remembered[key]
    _remember(key, answer)
    return answer


def was_stale() -> bool:
    """Whether an answer of this run was an older one, because the store was being written; asking resets it."""
    return bool(st.session_state.pop(_STALE, False))


def triage() -> analysis.TriageState:
    """The states, notes and assignees that people set, in their own file beside the store."""
    return analysis.TriageState(state_path(store_path()))


def store_error() -> IngestError | None:
    """Why the store cannot be read at all, or None."""
    try:
        ask("health")
    except IngestError as error:
        return error
    return None


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


@st.cache_data(max_entries=MOST_REMEMBERED, show_spinner=False)
def _answer(
    path: Path, stamp: tuple[int, int], question: str, positional: tuple[Any, ...], arguments: dict[str, Any]
) -> Any:
    with open_store(path, patience_seconds=PATIENCE_SECONDS) as store:
        return getattr(analysis, question)(store, *positional, **arguments)


@st.cache_resource
def _remembered() -> OrderedDict[str, Any]:
    return OrderedDict()


def _remember(key: str, answer: Any) -> None:
    remembered = _remembered()
    remembered[key] = answer
    remembered.move_to_end(key)
    while len(remembered) > MOST_REMEMBERED:
        remembered.popitem(last=False)


def newest() -> datetime | None:
    """When the newest sync or error in the store happened, naive UTC; None for a store without any."""
    found: datetime | None = ask("newest_moment")
    return found
