"""Cached questions to `analysis`: ask by name, get the answer of the store as it is on disk now.

Everything an answer depends on is part of its key: path, modification time and size of the store and of
the triage file, the question, its arguments. A changed file is asked again, so no time limit is needed.
While an ingest holds the store, the last known answer is shown and the page says so (`was_stale`).
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

import analysis
from analysis.review import review
from analysis.states import TriageState
from dashboard.launch import state_path, store_path
from dashboard.view import View
from ingest import StoreLocked, open_store

# A page may wait this long for an ingest before it shows what it knew before.
PATIENCE_SECONDS = 2.0
MOST_REMEMBERED = 600
_STALE = "_answers_are_stale"
_WITH_TRIAGE = ("list_issues", "issue")


def ask(question: str, /, *positional: Any, **arguments: Any) -> Any:
    """Answer `analysis.<question>(connection, *positional, **arguments)`, cached while nothing changes.

    Questions about issues are answered with the states that people gave them. Raises IngestError where the
    store cannot be read and nothing is remembered either.
    """
    path = store_path()
    stamp = (_stamp(path), _stamp(state_path(path)) if question in _WITH_TRIAGE else None)
    key = f"{path.absolute()}|{question}|{positional!r}|{sorted(arguments.items())!r}"
    try:
        answer = _answer(path, stamp, question, positional, arguments)
    except StoreLocked:
        remembered = _remembered()
        if key not in remembered:
            raise
        st.session_state[_STALE] = True
        return remembered[key]
    _remember(key, answer)
    return answer


def ask_before(question: str, view: View) -> Any:
    """The same question about the period before; None where there is none."""
    asked = view.before()
    return None if asked is None else ask(question, **asked)


def measured(name: str, view: View) -> pd.DataFrame:
    """A metric of a view, beside its values of the period before where the view compares."""
    if view.before() is None:
        found: pd.DataFrame = ask("measure", name, **view.arguments())
    else:
        found = ask("measure_compared", name, **view.bounded())
    return found


def newest() -> datetime | None:
    """When the newest sync or error in the store happened, naive UTC; None for a store without any."""
    found: datetime | None = ask("health").as_of
    return found


def issues(view: View, query: str = "") -> pd.DataFrame:
    """The triage list of a view, with the title and the one-line fix of each cause."""
    found: pd.DataFrame = ask("list_issues", query=query, **view.arguments())
    first = ask("list_issues").set_index("issue_id")["first_seen"]
    return found.assign(
        cause_title=found["cause"].map(cause_title),
        fix=found["cause"].map(short_fix),
        first_seen=found["issue_id"].map(first),  # of all time: a period must not make an old issue look new
    )


def changes(view: View) -> pd.DataFrame:
    """Configuration changes of a period with a label each, oldest first."""
    return pd.DataFrame({"changed_at": [], "label": []})


def options() -> dict[str, list[str]]:
    """The values that each filter can take, as far as the store shows them."""
    found = ask("list_issues")
    rates = ask("measure", "success_rate")
    return {
        "sync_type": sorted(rates["sync_type"].dropna()),
        "app_version": sorted({one for versions in found["app_versions"] for one in versions}, reverse=True),
        "object": sorted({one for objects in found["objects"] for one in objects}),
        "cause": sorted(found["cause"].unique()),
    }


def triage() -> TriageState:
    """The states, notes and assignees that people set, in their own file beside the store."""
    return TriageState.beside(store_path())


def bring_states_up_to_date() -> None:
    """Let the automatic review look at the store, once for each state of the file; a locked store waits."""
    with suppress(StoreLocked):
        _reviewed(store_path(), _stamp(store_path()))


@cache
def playbook(cause: str) -> analysis.Playbook:
    """The playbook of a cause; a cause of somebody else's catalogue gets the one for unknown errors."""
    try:
        return analysis.load_playbook(cause)
    except analysis.AnalysisError:
        return analysis.load_playbook("unknown")


def cause_title(cause: str) -> str:
    """What a cause is called, in the words of its playbook."""
    found = playbook(cause)
    return found.title if found.cause == cause else cause


def short_fix(cause: str) -> str:
    """The first sentence of the fix of a cause."""
    return playbook(cause).short_fix


def was_stale() -> bool:
    """Whether this run used an older answer because the store was being written; asking resets it."""
    return bool(st.session_state.pop(_STALE, False))


def _stamp(path: Path) -> tuple[int, int]:
    """What tells one state of a file from the next; SQLite writes beside the file first."""
    newest, size = 0, 0
    for name in (path, path.with_name(f"{path.name}-wal")):
        if name.exists():
            status = name.stat()
            newest, size = max(newest, status.st_mtime_ns), size + status.st_size
    return (newest, size)


@st.cache_data(max_entries=MOST_REMEMBERED, show_spinner=False)
def _answer(
    path: Path,
    stamp: tuple[tuple[int, int], tuple[int, int] | None],
    question: str,
    positional: tuple[Any, ...],
    arguments: dict[str, Any],
) -> Any:
    with open_store(path, patience_seconds=PATIENCE_SECONDS) as store:
        more: dict[str, Any] = {"triage": triage()} if stamp[1] is not None else {}
        return getattr(analysis, question)(store, *positional, **arguments, **more)


@st.cache_data(max_entries=20, show_spinner=False)
def _reviewed(path: Path, stamp: tuple[int, int]) -> int:
    with open_store(path, patience_seconds=PATIENCE_SECONDS) as store:
        newest = analysis.health(store).as_of
        return 0 if newest is None else len(review(store, triage(), newest))


@st.cache_resource
def _remembered() -> OrderedDict[str, Any]:
    return OrderedDict()


def _remember(key: str, answer: Any) -> None:
    remembered = _remembered()
    remembered[key] = answer
    remembered.move_to_end(key)
    while len(remembered) > MOST_REMEMBERED:
        remembered.popitem(last=False)
