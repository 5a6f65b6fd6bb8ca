"""Actions on issues: resolve, archive, reopen, assign, set a priority, add a note.

Actions are stored in the triage file beside the store. Each click is a callback that writes before the page is drawn
again, and it does not wait for a running load.
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

LIST_REASON = "from the list of issues"
_ACTION_ERROR = "_action_error"


def show_bulk_actions(issue_ids: Sequence[str], show_more: Callable[[], None]) -> None:
    """Show buttons for the selected issues; disabled without a selection.

    `show_more` adds further buttons to the row.
    """
    show_action_error()
    disabled = not issue_ids or not auth.can_edit()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"{len(issue_ids)} selected" if issue_ids else "Select issues to act on them", width=150)
        _action_button("Resolve", "check_circle", _resolve, issue_ids, disabled)
        _action_button("Archive until it escalates", "inventory_2", _archive, issue_ids, disabled)
        _action_button("Reopen", "undo", _reopen, issue_ids, disabled)
        st.text_input(
            "Assign to", key="bulk-assignee", label_visibility="collapsed", placeholder="Assign to …",
            width=180, disabled=disabled,
        )  # fmt: skip
        _action_button("Assign", "person_add", _assign, issue_ids, disabled)
        show_more()


def show_resolve_button(issue_id: str, state: str, disabled: bool) -> None:
    """Show the Resolve button for an open issue, or the Reopen button for a closed one."""
    if state in ("resolved", "archived"):
        _action_button("Reopen", "undo", _reopen, [issue_id], disabled)
    else:
        _action_button("Resolve", "check_circle", _resolve, [issue_id], disabled)


def show_triage_form(issue_id: str, summary: IssueSummary, disabled: bool) -> None:
    """Show the form with assignee, priority and note of one issue."""
    with st.form(f"triage-{issue_id}", border=False, clear_on_submit=False):
        assignee_column, priority_column = st.columns(2)
        assignee = auth.HIDDEN if auth.are_names_masked() else summary.assignee or ""
        assignee_column.text_input(
            "Assigned to", value=assignee, key=f"assignee-{issue_id}", disabled=disabled
        )
        priority_column.selectbox(
            "Priority", ["high", "medium", "low"], key=f"priority-{issue_id}", disabled=disabled,
            index=["high", "medium", "low"].index(summary.priority or "low"),
        )  # fmt: skip
        st.text_area(
            "Note", key=f"note-{issue_id}", height=70, disabled=disabled, placeholder="What you found"
        )
        st.form_submit_button(
            "Save",
            icon=":material/save:",
            on_click=_save_form,
            args=(issue_id, summary),
            disabled=disabled,
        )


def show_activity(issue_id: str, view: View) -> None:
    """Show the actions of users and of the automatic review on an issue, newest first."""
    log = data.triage_state().activity(issue_id)
    if not log:
        st.caption("No activity on this issue yet.")
        return
    frame = pd.DataFrame(
        [(line.at, line.actor, line.action, line.before, line.after, line.reason) for line in reversed(log)],
        columns=["at", "who", "action", "before", "after", "reason"],
    )
    widgets.show_table(frame, key="activity", title="Activity of this issue", view=view)


def show_action_error() -> None:
    """Show once why the last action failed."""
    if message := st.session_state.pop(_ACTION_ERROR, None):
        st.error(message, icon=":material/error:")


def current_actor() -> str:
    """Return the signed-in user, or the account that runs the dashboard."""
    return auth.user_name() or _account_name()


def _action_button(
    label: str,
    icon: str,
    action: Callable[[TriageState, str], None],
    issue_ids: Sequence[str],
    disabled: bool,
) -> None:
    st.button(
        label,
        icon=f":material/{icon}:",
        key=f"do-{label}",
        on_click=_apply_to_each,
        args=(action, list(issue_ids)),
        disabled=disabled,
    )


def _apply_to_each(action: Callable[[TriageState, str], None], issue_ids: Sequence[str]) -> None:
    def apply() -> None:
        state = data.triage_state()
        for issue_id in issue_ids:
            action(state, issue_id)

    run_action(apply)


def run_action(action: Callable[[], None]) -> None:
    """Run an action if the user may edit. An error is shown on the page."""
    if not auth.can_edit():  # a disabled button does not protect; this check does
        st.session_state[_ACTION_ERROR] = "Viewers cannot change the state of issues."
        return
    try:
        action()
    except AnalysisError as error:
        st.session_state[_ACTION_ERROR] = f"Not saved: {escape(error)}. {escape(error.next_step)}"


def _resolve(state: TriageState, issue_id: str) -> None:
    state.resolve(issue_id, actor=current_actor(), at=now(), reason=LIST_REASON)


def _archive(state: TriageState, issue_id: str) -> None:
    state.archive(issue_id, actor=current_actor(), at=now(), reason=LIST_REASON, until="escalating")


def _reopen(state: TriageState, issue_id: str) -> None:
    state.reopen(issue_id, actor=current_actor(), at=now(), reason=LIST_REASON)


def _assign(state: TriageState, issue_id: str) -> None:
    assignee = str(st.session_state.get("bulk-assignee", "")).strip()
    state.assign(issue_id, assignee or None, actor=current_actor(), at=now(), reason=LIST_REASON)


def _save_form(issue_id: str, summary: IssueSummary) -> None:
    """Save the fields of the form that changed."""

    def save() -> None:
        state, actor = data.triage_state(), current_actor()
        assignee = str(st.session_state[f"assignee-{issue_id}"]).strip() or None
        if assignee != summary.assignee:
            state.assign(issue_id, assignee, actor=actor, at=now())
        priority = st.session_state[f"priority-{issue_id}"]
        if priority != summary.priority:
            state.pin_priority(issue_id, priority, actor=actor, at=now())
        if note := str(st.session_state[f"note-{issue_id}"]).strip():
            state.add_note(issue_id, note, actor=actor, at=now())
            st.session_state[f"note-{issue_id}"] = ""

    run_action(save)


def _account_name() -> str:
    try:
        return getpass.getuser()
    except OSError:
        return "unknown local user"
