"""What people do to issues: take one, close one, put one aside, note something.

It is kept beside the store, never in it. Each click is a callback that writes at once, before the page is
drawn again, so it is neither lost nor shown before it is kept; it does not wait for an ingest.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from analysis import AnalysisError
from analysis.issues.listing import IssueSummary
from analysis.triage.states import TriageState
from dashboard import auth, data, widgets
from dashboard.clock import now
from dashboard.escaping import escape
from dashboard.view_state import View

LIST_REASON = "decided in the list of issues"
_PROBLEM = "_triage_problem"


def show_bulk_actions(issue_ids: Sequence[str], more: Callable[[], None]) -> None:
    """Buttons for the issues that are ticked; they stand there always, so that nothing jumps.

    `more` draws what else can be done to them, in the same row.
    """
    show_action_error()
    off = not issue_ids or not auth.can_edit()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"{len(issue_ids)} ticked" if issue_ids else "Tick issues to act on them", width=150)
        _action_button("Resolve", "check_circle", _resolve, issue_ids, off)
        _action_button("Archive until it escalates", "inventory_2", _archive, issue_ids, off)
        _action_button("Reopen", "undo", _reopen, issue_ids, off)
        st.text_input(
            "Assign to", key="bulk-assignee", label_visibility="collapsed", placeholder="Assign to …",
            width=180, disabled=off,
        )  # fmt: skip
        _action_button("Assign", "person_add", _assign, issue_ids, off)
        more()


def show_resolve_button(issue_id: str, state: str, off: bool) -> None:
    """The one button that a state leaves open: resolve what is open, reopen what is not."""
    if state in ("resolved", "archived"):
        _action_button("Reopen", "undo", _reopen, [issue_id], off)
    else:
        _action_button("Resolve", "check_circle", _resolve, [issue_id], off)


def show_triage_form(issue_id: str, summary: IssueSummary, off: bool) -> None:
    """Assignee, priority and note of one issue."""
    with st.form(f"triage-{issue_id}", border=False, clear_on_submit=False):
        owner, urgency = st.columns(2)
        held = auth.HIDDEN if auth.are_names_masked() else summary.assignee or ""
        owner.text_input("Assigned to", value=held, key=f"assignee-{issue_id}", disabled=off)
        urgency.selectbox(
            "Priority", ["high", "medium", "low"], key=f"priority-{issue_id}", disabled=off,
            index=["high", "medium", "low"].index(summary.priority or "low"),
        )  # fmt: skip
        st.text_area(
            "Note", key=f"note-{issue_id}", height=70, disabled=off, placeholder="What you found out"
        )
        st.form_submit_button(
            "Save", icon=":material/save:", on_click=_save_form, args=(issue_id, summary), disabled=off
        )


def show_activity(issue_id: str, view: View) -> None:
    """Everything that people and the automatic review did to this issue, newest first."""
    log = data.triage_state().activity(issue_id)
    if not log:
        st.caption("Nobody has done anything to this issue yet.")
        return
    frame = pd.DataFrame(
        [(one.at, one.actor, one.action, one.before, one.after, one.reason) for one in reversed(log)],
        columns=["at", "who", "what", "before", "after", "why"],
    )
    widgets.show_table(frame, key="activity", title="Activity of this issue", view=view)


def show_action_error() -> None:
    """Show why a click could not be kept, once."""
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(problem, icon=":material/error:")


def current_actor() -> str:
    """Who is acting: the signed-in person, else the account that runs the dashboard."""
    return auth.user_name() or _account_name()


def _action_button(
    label: str, icon: str, act: Callable[[TriageState, str], None], issue_ids: Sequence[str], off: bool
) -> None:
    st.button(
        label,
        icon=f":material/{icon}:",
        key=f"do-{label}",
        on_click=_apply_to_each,
        args=(act, list(issue_ids)),
        disabled=off,
    )


def _apply_to_each(act: Callable[[TriageState, str], None], issue_ids: Sequence[str]) -> None:
    def do() -> None:
        state = data.triage_state()
        for issue_id in issue_ids:
            act(state, issue_id)

    run_action(do)


def run_action(do: Callable[[], None]) -> None:
    """Carry out a click if this person may decide; what cannot be kept is said on the page."""
    if not auth.can_edit():  # a disabled button is a hint; this is the rule
        st.session_state[_PROBLEM] = "Viewers cannot change the state of issues."
        return
    try:
        do()
    except AnalysisError as error:
        st.session_state[_PROBLEM] = f"That was not kept: {escape(error)}. {escape(error.next_step)}"


def _resolve(state: TriageState, issue_id: str) -> None:
    state.resolve(issue_id, actor=current_actor(), at=now(), reason=LIST_REASON)


def _archive(state: TriageState, issue_id: str) -> None:
    state.archive(issue_id, actor=current_actor(), at=now(), reason=LIST_REASON, until="escalating")


def _reopen(state: TriageState, issue_id: str) -> None:
    state.reopen(issue_id, actor=current_actor(), at=now(), reason=LIST_REASON)


def _assign(state: TriageState, issue_id: str) -> None:
    who = str(st.session_state.get("bulk-assignee", "")).strip()
    state.assign(issue_id, who or None, actor=current_actor(), at=now(), reason=LIST_REASON)


def _save_form(issue_id: str, summary: IssueSummary) -> None:
    """Keep what changed in the form of one issue, and nothing else."""

    def do() -> None:
        state, who = data.triage_state(), current_actor()
        owner = str(st.session_state[f"assignee-{issue_id}"]).strip() or None
        if owner != summary.assignee:
            state.assign(issue_id, owner, actor=who, at=now())
        priority = st.session_state[f"priority-{issue_id}"]
        if priority != summary.priority:
            state.pin_priority(issue_id, priority, actor=who, at=now())
        if note := str(st.session_state[f"note-{issue_id}"]).strip():
            state.add_note(issue_id, note, actor=who, at=now())
            st.session_state[f"note-{issue_id}"] = ""

    run_action(do)


def _account_name() -> str:
    try:
        return getpass.getuser()
    except OSError:
        return "somebody at this computer"
