"""Cached questions to `analysis`: ask by name, get the answer of the store as it is on disk now.

Everything an answer depends on is part of its key: path, modification time and size of the store and of
the triage file, the question, its arguments. A changed file is asked again, so no time limit is needed.
While an ingest holds the store, the last known answer is shown and the page says so (`was_stale`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Lock, Thread
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

import analysis
from analysis.fixes.playbook import load_nearest_playbook
from analysis.issues.listing import get_issue as issue_of
from analysis.issues.listing import is_quiet, list_issues
from analysis.metrics.compare import measure_compared
from analysis.metrics.local_days import count_time_zones, measure_by_local_day
from analysis.metrics.registry import measure
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for
from analysis.triage.auto_review import update_issue_states
from analysis.triage.database import triage_path
from analysis.triage.states import TriageState
from dashboard.launcher import store_path
from dashboard.view_state import View
from ingest import IngestError, StoreLocked, open_store

# A page may wait this long for an ingest before it shows what it knew before.
STORE_WAIT_SECONDS = 2.0
REVIEW_WAIT_SECONDS = 2.0
MAX_CACHED_RESULTS = 600
_STALE = "_answers_are_stale"
_WITH_TRIAGE = (list_issues, issue_of)
_USER_COLUMNS = ("country", "territory", "security_profile", "application_profile")
Result = TypeVar("Result")
# A function of a connection and of whatever it is about; the dashboard never names the connection's type.
Query = Callable[..., Result]


def fetch(question: Query[Result], /, *about: object, **arguments: object) -> Result:
    """Answer `question(connection, *about, **arguments)`, cached while nothing changes.

    Questions about issues are answered with the states that people gave them. Raises IngestError where the
    store cannot be read and nothing is remembered either.
    """
    path = store_path()
    stamp = (_file_version(path), _file_version(triage_path(path)) if question in _WITH_TRIAGE else None)
    name = f"{question.__module__}.{question.__qualname__}"
    key = f"{path.absolute()}|{name}|{about!r}|{sorted(arguments.items())!r}"
    try:
        with _key_locks().lock(key):  # readers who ask the same at once wait for one answer
            answer: Result = _cached_result(path, stamp, name, about, arguments, question)
    except StoreLocked:
        remembered = _last_results()
        if key not in remembered:
            raise
        st.session_state[_STALE] = True
        known: Result = remembered[key]
        return known
    _keep_last_result(key, answer)
    return answer


def fetch_previous(question: Query[Result], view: View) -> Result | None:
    """The same question about the period before; None where there is none."""
    asked = view.previous_arguments()
    return None if asked is None else fetch(question, **asked)


def fetch_metric(name: str, view: View) -> pd.DataFrame:
    """A metric of a view, beside its values of the period before where the view compares."""
    earlier = view.previous_arguments()
    if view.local_days:
        now = fetch(measure_by_local_day, name, **view.arguments())
        return (
            now
            if earlier is None
            else _join_previous_days(now, fetch(measure_by_local_day, name, **earlier), view)
        )
    if earlier is None:
        found: pd.DataFrame = fetch(measure, name, **view.arguments())
    else:
        found = fetch(measure_compared, name, **view.bounded_arguments())
    return found


def _join_previous_days(now: pd.DataFrame, earlier: pd.DataFrame, view: View) -> pd.DataFrame:
    """Days on people's own clocks, each beside the day as many days earlier as the period is long."""
    length = pd.Timedelta(view.until - view.since) if view.until and view.since else pd.Timedelta(0)
    moved = earlier.assign(day=pd.to_datetime(earlier["day"]) + length.round("D"))
    return now.merge(moved, on="day", how="left", suffixes=("", "_before"))


def fetch_daily_metric(name: str, view: View, **more: str) -> pd.DataFrame:
    """A metric by day: days are UTC's, or each person's own where the view asks for it."""
    question = measure_by_local_day if view.local_days else measure
    found: pd.DataFrame = fetch(question, name, **view.arguments() | more)
    return found


def count_issue_days(found: analysis.Issue, view: View) -> pd.DataFrame:
    """Errors of one issue by day, with a zero for each day between that has none."""
    days = (
        fetch_daily_metric("errors_by_day", view, issue_id=found.issue_id)
        if view.local_days
        else found.by_day
    )
    whole = days.assign(day=pd.to_datetime(days["day"])).drop(columns="cause", errors="ignore")
    whole = whole.groupby("day").sum(numeric_only=True).resample("D").sum()
    return whole.reset_index()


def local_day_note(view: View) -> str | None:
    """Whose days are local and whose are not, where the view counts by people's own days."""
    return fetch(count_time_zones).describe() if view.local_days else None


def newest_timestamp() -> datetime | None:
    """When the newest sync or error in the store happened, naive UTC; None for a store without any."""
    found: datetime | None = fetch(_newest_timestamp)
    return found


def _newest_timestamp(connection: Any) -> datetime | None:  # noqa: ANN401 - see Question
    return reference_time_for(connection, Filters())


def fetch_issues(view: View, query: str = "", **more: str) -> pd.DataFrame:
    """The triage list of a view, with the title and the one-line fix of each cause.

    `shown_state` is the state, or "quiet" for what is open and has had no error for days.
    """
    found: pd.DataFrame = fetch(list_issues, query=query, **view.arguments() | more)
    everything: pd.DataFrame = fetch(list_issues)
    first = dict(zip(everything["issue_id"], everything["first_seen"], strict=True))
    # A person's word counts at once; the store follows with the next load.
    given, ids = triage_state().corrected_causes(), found["issue_id"]
    found = found.assign(
        cause=[given.get(one, cause) for one, cause in zip(ids, found["cause"], strict=True)]
    )
    silent = is_quiet(found, view.until or newest_timestamp())
    return found.assign(
        shown_state=found["state"].mask(silent, "quiet"),
        cause_title=found["cause"].map(cause_title),
        fix=found["cause"].map(short_fix),
        # Of all time: a period must not make an old issue look new.
        first_seen=pd.to_datetime(pd.Series([first[one] for one in ids], index=found.index)),
    )


def fetch_issue(issue_id: str, view: View) -> analysis.Issue:
    """One issue of a view, with the cause that a person gave it and its `shown_state`. Raises UnknownIssue."""
    found: analysis.Issue = fetch(issue_of, issue_id, **view.arguments())
    cause = triage_state().corrected_causes().get(issue_id, found.summary["cause"])
    silent = is_quiet(pd.DataFrame([found.summary]), view.until or newest_timestamp()).iloc[0]
    shown = {"cause": cause, "shown_state": "quiet" if silent else found.summary["state"]}
    return replace(found, summary=found.summary | shown)


def fetch_newest_rows(table: str, by: str, *, most: int, where: str = "true") -> tuple[pd.DataFrame, int]:
    """The `most` newest rows of a table of the store, as they are, and how many rows it has in all.

    `where` is a condition in SQL, written by the page and never by a reader.
    """
    found: tuple[pd.DataFrame, int] = fetch(_newest_rows, table, by, most, where)
    return found


def _newest_rows(connection: Any, table: str, by: str, most: int, where: str) -> tuple[pd.DataFrame, int]:  # noqa: ANN401 - see Question
    everything = connection.table(table).filter(where)
    return everything.order(f"{by} DESC").limit(most).df(), everything.count("*").fetchall()[0][0]


def _distinct_rows(connection: Any, table: str, *columns: str) -> pd.DataFrame:  # noqa: ANN401 - see Question
    """Every combination of values that some columns of a table or view take."""
    found: pd.DataFrame = connection.table(table).select(*columns).distinct().df()
    return found


def _config_changes(connection: Any) -> pd.DataFrame:  # noqa: ANN401 - see Question
    found: pd.DataFrame = connection.table("config_change").order("changed_at").df()
    return found


def fetch_config_changes(view: View) -> pd.DataFrame:
    """Configuration changes of a period, oldest first, each with a `label` of what it was."""
    found: pd.DataFrame = fetch(_config_changes)
    if view.since is not None:
        found = found[found["changed_at"] >= view.since].reset_index(drop=True)
    return found.assign(label=[_change_label(change) for change in found.itertuples()])


def has_config_changes() -> bool:
    """Whether the store holds any configuration change of any time."""
    return not fetch(_config_changes).empty


def _change_label(change: Any) -> str:  # noqa: ANN401 - a row of itertuples
    what = f"{change.kind.replace('_', ' ')} {change.target}"
    told = [str(value) for value in (change.before, change.after) if isinstance(value, str)]
    return f"{what}: {' → '.join(told)}" if told else what


def filter_options() -> dict[str, list[str]]:
    """The values that each filter can take, as far as the store shows them."""
    found = fetch(list_issues)
    people: pd.DataFrame = fetch(_distinct_rows, "current_user_info", *_USER_COLUMNS)
    types: pd.DataFrame = fetch(_distinct_rows, "sync_tracking__v", "sync_type__v")
    devices: pd.DataFrame = fetch(_distinct_rows, "current_device", "app_version", "platform")
    return {
        "sync_type": _distinct_values(types["sync_type__v"]),
        "app_version": _distinct_values(devices["app_version"], found["app_versions"].explode())[::-1],
        "platform": _distinct_values(devices["platform"]),
        "country": _distinct_values(people["country"]),
        "territory": _distinct_values(people["territory"]),
        "profile": _distinct_values(people["security_profile"], people["application_profile"]),
        "object": _distinct_values(found["objects"].explode()),
        "cause": _distinct_values(found["cause"]),
    }


def _distinct_values(*columns: pd.Series[Any]) -> list[str]:
    return sorted({str(value) for column in columns for value in column.dropna()})


def triage_state() -> TriageState:
    """The states, notes and assignees that people set, in their own file beside the store."""
    return TriageState.for_store(store_path())


def is_review_running() -> bool:
    """Let the automatic review look at the store, once for each state of the file.

    Returns whether it is still at it; a page waits REVIEW_SECONDS for it and no longer. A locked store is
    looked at by the next page.
    """
    path = store_path()
    if not path.exists():
        return False
    work = _start_review(path, _file_version(path))
    work.join(REVIEW_WAIT_SECONDS)
    return work.is_alive()


def cause_title(cause: str) -> str:
    """What a cause is called, in the words of its playbook."""
    found = load_nearest_playbook(cause)
    return found.title if found.cause == cause else cause


def short_fix(cause: str) -> str:
    """The first sentence of the fix of a cause."""
    return load_nearest_playbook(cause).short_fix


def pop_stale_flag() -> bool:
    """Whether this run used an older answer because the store was being written; asking resets it."""
    return bool(st.session_state.pop(_STALE, False))


def _file_version(path: Path) -> tuple[int, int]:
    """What tells one state of a file from the next; SQLite writes beside the file first."""
    newest, size = 0, 0
    for name in (path, path.with_name(f"{path.name}-wal")):
        if name.exists():
            status = name.stat()
            newest, size = max(newest, status.st_mtime_ns), size + status.st_size
    return (newest, size)


@st.cache_data(max_entries=MAX_CACHED_RESULTS, show_spinner=False)
def _cached_result(
    path: Path,
    stamp: tuple[tuple[int, int], tuple[int, int] | None],
    name: str,
    about: tuple[object, ...],
    arguments: dict[str, object],
    _question: Query[Any],  # the underscore keeps it out of the key; its name is in it
) -> Any:  # noqa: ANN401 - whatever the question answers
    with open_store(path, timeout_seconds=STORE_WAIT_SECONDS) as store:
        more: dict[str, Any] = {"triage": triage_state()} if stamp[1] is not None else {}
        return _question(store, *about, **arguments, **more)


@st.cache_resource(max_entries=20, show_spinner=False)
def _start_review(path: Path, stamp: tuple[int, int]) -> Thread:
    """The one review of a state of the store, begun. Ten million syncs take it half a minute."""

    def look() -> None:
        try:
            with open_store(path, timeout_seconds=STORE_WAIT_SECONDS) as store:
                newest = _newest_timestamp(store)
                if newest is not None:
                    update_issue_states(store, TriageState.for_store(path), newest)
        except IngestError:
            _start_review.clear(path, stamp)

    work = Thread(target=look, name="review", daemon=True)
    work.start()
    return work


class _KeyLocks:
    """One lock for each question that somebody is asking just now."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._locks: dict[str, tuple[Lock, int]] = {}

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        with self._guard:
            turn, waiting = self._locks.get(key, (Lock(), 0))
            self._locks[key] = (turn, waiting + 1)
        try:
            with turn:
                yield
        finally:
            with self._guard:
                turn, waiting = self._locks.pop(key)
                if waiting > 1:
                    self._locks[key] = (turn, waiting - 1)


@st.cache_resource
def _key_locks() -> _KeyLocks:
    return _KeyLocks()


@st.cache_resource
def _last_results() -> OrderedDict[str, Any]:
    return OrderedDict()


def _keep_last_result(key: str, answer: object) -> None:
    remembered = _last_results()
    remembered[key] = answer
    remembered.move_to_end(key)
    while len(remembered) > MAX_CACHED_RESULTS:
        remembered.popitem(last=False)
