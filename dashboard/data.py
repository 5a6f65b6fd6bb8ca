"""Cached queries on the store for the pages.

A cache key contains the path, modification time and size of the store and of the triage file, the query and its
arguments. A changed file is queried again, so the cache needs no time limit. While a load locks the store, the last
result is returned and the page shows a note (`pop_stale_flag`).
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
from analysis.issues.details import get_issue
from analysis.issues.listing import is_quiet, list_issues
from analysis.metrics.compare import measure_compared
from analysis.metrics.local_days import count_time_zones, measure_by_local_day
from analysis.metrics.registry import measure
from analysis.query.filters import Filters
from analysis.query.runner import reference_time_for
from analysis.sync_failures.kinds import load_failure_kinds
from analysis.triage.auto_review import update_issue_states
from analysis.triage.database import triage_path
from analysis.triage.states import TriageState
from dashboard.launcher import store_path
from dashboard.view_state import View
from ingest import IngestError, StoreLocked, open_store

# Longest wait for a load before the last result is shown.
STORE_WAIT_SECONDS = 2.0
REVIEW_WAIT_SECONDS = 2.0
MAX_CACHED_RESULTS = 600
_STALE = "_results_are_stale"
_WITH_TRIAGE = (list_issues, get_issue)
_USER_COLUMNS = ("country", "territory", "security_profile", "application_profile")
Result = TypeVar("Result")
# A function of a connection and further arguments. The dashboard does not import the type of the connection.
Query = Callable[..., Result]


def fetch(query: Query[Result], /, *values: object, **arguments: object) -> Result:
    """Return `query(connection, *values, **arguments)`, cached until the store changes.

    Issue queries also get the triage state. Raises IngestError if the store cannot be read and there is no earlier
    result.
    """
    path = store_path()
    versions = (_file_version(path), _file_version(triage_path(path)) if query in _WITH_TRIAGE else None)
    name = f"{query.__module__}.{query.__qualname__}"
    key = f"{path.absolute()}|{name}|{values!r}|{sorted(arguments.items())!r}"
    try:
        with _key_locks().lock(key):  # identical queries at the same time run once
            result: Result = _cached_result(path, versions, name, values, arguments, query)
    except StoreLocked:
        last_results = _last_results()
        if key not in last_results:
            raise
        st.session_state[_STALE] = True
        last_result: Result = last_results[key]
        return last_result
    _keep_last_result(key, result)
    return result


def fetch_previous(query: Query[Result], view: View) -> Result | None:
    """Return the result for the previous period; None if the view has none."""
    arguments = view.previous_arguments()
    return None if arguments is None else fetch(query, **arguments)


def fetch_metric(name: str, view: View) -> pd.DataFrame:
    """Return a metric for the view, with the values of the previous period if the view compares."""
    previous = view.previous_arguments()
    if previous is None:
        return fetch_daily_metric(name, view)
    if view.local_days:
        current = fetch(measure_by_local_day, name, **view.arguments())
        return _join_previous_days(current, fetch(measure_by_local_day, name, **previous), view)
    frame: pd.DataFrame = fetch(measure_compared, name, **view.bounded_arguments())
    return frame


def _join_previous_days(current: pd.DataFrame, previous: pd.DataFrame, view: View) -> pd.DataFrame:
    """Join each local day with the day one period earlier."""
    length = pd.Timedelta(view.until - view.since) if view.until and view.since else pd.Timedelta(0)
    moved = previous.assign(day=pd.to_datetime(previous["day"]) + length.round("D"))
    return current.merge(moved, on="day", how="left", suffixes=("", "_before"))


def fetch_daily_metric(name: str, view: View, **filters: str) -> pd.DataFrame:
    """Return a metric by day: UTC days, or each user's local days if the view has them."""
    query = measure_by_local_day if view.local_days else measure
    frame: pd.DataFrame = fetch(query, name, **view.arguments() | filters)
    return frame


def count_issue_days(issue: analysis.Issue, view: View) -> pd.DataFrame:
    """Return the errors of an issue by day, including days without errors in between."""
    days = issue.by_day
    if view.local_days:
        days = fetch(
            measure_by_local_day, "errors_by_day", **view.filter_arguments() | {"issue_id": issue.issue_id}
        )
    frame = days.assign(day=pd.to_datetime(days["day"])).drop(columns="cause", errors="ignore")
    return frame.groupby("day").sum(numeric_only=True).resample("D").sum().reset_index()


def local_day_note(view: View) -> str | None:
    """Return how many users have a known time zone, if the view uses local days."""
    return fetch(count_time_zones).describe() if view.local_days else None


def newest_timestamp() -> datetime | None:
    """Return the time of the newest sync or error in naive UTC; None for an empty store."""
    newest: datetime | None = fetch(_newest_timestamp)
    return newest


def _newest_timestamp(connection: Any) -> datetime | None:  # noqa: ANN401 - see Query
    return reference_time_for(connection, Filters())


def fetch_issues(view: View, query: str = "", **filters: str) -> pd.DataFrame:
    """Return the issues in a view, with the title and the short fix of each cause.

    `shown_state` is the state, or "quiet" for open issues without recent errors.
    """
    issues: pd.DataFrame = fetch(list_issues, query=query, **view.arguments() | filters)
    # A corrected cause shows immediately; the store has it only after the next load.
    corrected, ids = triage_state().corrected_causes(), issues["issue_id"]
    issues = issues.assign(
        cause=[corrected.get(issue_id, cause) for issue_id, cause in zip(ids, issues["cause"], strict=True)]
    )
    quiet = is_quiet(issues, view.until or newest_timestamp())
    return issues.assign(
        shown_state=issues["state"].mask(quiet, "quiet"),
        cause_title=[
            failure_title(kind) or cause_title(cause)
            for kind, cause in zip(issues["failure_kind"], issues["cause"], strict=True)
        ],
        fix=[
            failure_fix(kind) or short_fix(cause)
            for kind, cause in zip(issues["failure_kind"], issues["cause"], strict=True)
        ],
    )


def fetch_issue(issue_id: str, view: View) -> analysis.Issue:
    """Return an issue over all time, like its fix and suspects, with its corrected cause. Raises UnknownIssue."""
    issue: analysis.Issue = fetch(get_issue, issue_id, **view.filter_arguments())
    cause = triage_state().corrected_causes().get(issue_id, issue.summary.cause)
    return replace(issue, summary=replace(issue.summary, cause=cause))


def fetch_newest_rows(table: str, by: str, *, limit: int, where: str = "true") -> tuple[pd.DataFrame, int]:
    """Return the newest rows of a table, at most `limit`, and its total number of rows.

    `where` is an SQL condition from the page's code, never from user input.
    """
    rows: tuple[pd.DataFrame, int] = fetch(_newest_rows, table, by, limit, where)
    return rows


def _newest_rows(connection: Any, table: str, by: str, limit: int, where: str) -> tuple[pd.DataFrame, int]:  # noqa: ANN401 - see Query
    rows = connection.table(table).filter(where)
    return rows.order(f"{by} DESC").limit(limit).df(), rows.count("*").fetchall()[0][0]


def _distinct_rows(connection: Any, table: str, *columns: str) -> pd.DataFrame:  # noqa: ANN401 - see Query
    """Return the distinct combinations of values in some columns of a table or view."""
    rows: pd.DataFrame = connection.table(table).select(*columns).distinct().df()
    return rows


def _config_changes(connection: Any) -> pd.DataFrame:  # noqa: ANN401 - see Query
    changes: pd.DataFrame = connection.table("config_change").order("changed_at").df()
    return changes


def fetch_config_changes(view: View) -> pd.DataFrame:
    """Return the configuration changes of the period, oldest first, each with a `label`."""
    changes: pd.DataFrame = fetch(_config_changes)
    if view.since is not None:
        changes = changes[changes["changed_at"] >= view.since].reset_index(drop=True)
    return changes.assign(label=[_change_label(change) for change in changes.itertuples()])


def has_config_changes() -> bool:
    """Return whether the store has any configuration change."""
    return not fetch(_config_changes).empty


def _change_label(change: Any) -> str:  # noqa: ANN401 - a row of itertuples
    name = f"{change.kind.replace('_', ' ')} {change.target}"
    values = [str(value) for value in (change.before, change.after) if isinstance(value, str)]
    return f"{name}: {' → '.join(values)}" if values else name


def filter_options() -> dict[str, list[str]]:
    """Return the values of each filter that occur in the store."""
    issues = fetch(list_issues)
    users: pd.DataFrame = fetch(_distinct_rows, "current_user_info", *_USER_COLUMNS)
    types: pd.DataFrame = fetch(_distinct_rows, "sync_tracking__v", "sync_type__v")
    devices: pd.DataFrame = fetch(_distinct_rows, "current_device", "app_version", "platform")
    return {
        "sync_type": _distinct_values(types["sync_type__v"]),
        "app_version": _distinct_values(devices["app_version"], issues["app_versions"].explode())[::-1],
        "platform": _distinct_values(devices["platform"]),
        "country": _distinct_values(users["country"]),
        "territory": _distinct_values(users["territory"]),
        "profile": _distinct_values(users["security_profile"], users["application_profile"]),
        "object": _distinct_values(issues["objects"].explode()),
        "cause": _distinct_values(issues["cause"]),
    }


def _distinct_values(*columns: pd.Series[Any]) -> list[str]:
    return sorted({str(value) for column in columns for value in column.dropna()})


def triage_state() -> TriageState:
    """Return the triage state: states, notes and assignees, in the file beside the store."""
    return TriageState.for_store(store_path())


def is_review_running() -> bool:
    """Start the automatic review of a changed store, and return whether it is still running.

    Waits at most REVIEW_WAIT_SECONDS. Each version of the file is reviewed once; a locked store is reviewed by the
    next page.
    """
    path = store_path()
    if not path.exists():
        return False
    review = _start_review(path, _file_version(path))
    review.join(REVIEW_WAIT_SECONDS)
    return review.is_alive()


def cause_title(cause: str) -> str:
    """Return the title of a cause; its id if it has no playbook."""
    playbook = load_nearest_playbook(cause)
    return playbook.title if playbook.cause == cause else cause


def failure_title(kind: object) -> str:
    """Return the title of a kind of sync-failure issue; empty for an issue of errors."""
    return load_failure_kinds()[kind].title if isinstance(kind, str) else ""


def failure_fix(kind: object) -> str:
    """Return what to do first for a sync-failure issue; empty for an issue of errors."""
    return (
        "Get the data that the issue's page lists: these syncs have no error text."
        if failure_title(kind)
        else ""
    )


def short_fix(cause: str) -> str:
    """Return the first sentence of the fix for a cause."""
    return load_nearest_playbook(cause).short_fix


def pop_stale_flag() -> bool:
    """Return whether this run used an older result because a load locked the store, and reset the flag."""
    return bool(st.session_state.pop(_STALE, False))


def _file_version(path: Path) -> tuple[int, int]:
    """Return modification time and size of a file, its write-ahead log included."""
    newest, size = 0, 0
    for name in (path, path.with_name(f"{path.name}-wal")):
        if name.exists():
            status = name.stat()
            newest, size = max(newest, status.st_mtime_ns), size + status.st_size
    return (newest, size)


@st.cache_data(max_entries=MAX_CACHED_RESULTS, show_spinner=False)
def _cached_result(
    path: Path,
    versions: tuple[tuple[int, int], tuple[int, int] | None],
    name: str,
    values: tuple[object, ...],
    arguments: dict[str, object],
    _query: Query[Any],  # the underscore keeps it out of the cache key, which has its name
) -> Any:  # noqa: ANN401 - the result of any query
    with open_store(path, timeout_seconds=STORE_WAIT_SECONDS) as store:
        triage: dict[str, Any] = {"triage": triage_state()} if versions[1] is not None else {}
        return _query(store, *values, **arguments, **triage)


@st.cache_resource(max_entries=20, show_spinner=False)
def _start_review(path: Path, version: tuple[int, int]) -> Thread:
    """Start the review of one version of the store. Ten million syncs need about half a minute."""

    def review() -> None:
        try:
            with open_store(path, timeout_seconds=STORE_WAIT_SECONDS) as store:
                newest = _newest_timestamp(store)
                if newest is not None:
                    update_issue_states(store, TriageState.for_store(path), newest)
        except IngestError:
            _start_review.clear(path, version)

    thread = Thread(target=review, name="review", daemon=True)
    thread.start()
    return thread


class _KeyLocks:
    """One lock per key in use."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._locks: dict[str, tuple[Lock, int]] = {}

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        with self._guard:
            key_lock, users = self._locks.get(key, (Lock(), 0))
            self._locks[key] = (key_lock, users + 1)
        try:
            with key_lock:
                yield
        finally:
            with self._guard:
                key_lock, users = self._locks.pop(key)
                if users > 1:
                    self._locks[key] = (key_lock, users - 1)


@st.cache_resource
def _key_locks() -> _KeyLocks:
    return _KeyLocks()


@st.cache_resource
def _last_results() -> OrderedDict[str, Any]:
    return OrderedDict()


def _keep_last_result(key: str, result: object) -> None:
    last_results = _last_results()
    last_results[key] = result
    last_results.move_to_end(key)
    while len(last_results) > MAX_CACHED_RESULTS:
        last_results.popitem(last=False)
