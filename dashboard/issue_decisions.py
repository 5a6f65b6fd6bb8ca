"""Lasting decisions on an issue: archive it, correct its cause, merge it, split it.

Corrected causes and merges are stored beside the store as rules on the error text (analysis.triage.overrides), so
that they survive a change of the issue id. Pages show a corrected cause immediately. Counts, merges and splits
follow with the next load, as the page states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta

import pandas as pd
import streamlit as st

from analysis.base.versions import is_newer_version
from analysis.classification.catalogue import CAUSES
from analysis.grouping.merge_rules import GroupingRule
from analysis.issues.listing import IssueSummary
from analysis.triage.states import TriageState
from dashboard import auth, data, issue_actions, pages, widgets
from dashboard.clock import now
from dashboard.escaping import escape
from dashboard.view_state import View

ARCHIVE_CONDITIONS = {
    "escalating": "it escalates",
    "time": "a date",
    "events": "a number of new errors",
    "device_share": "a share of the active devices is affected",
    "release": "a newer app version appears",
    "forever": "it is reopened by hand",
}
MAX_MERGE_OPTIONS = 200
NEXT_LOAD_NOTE = "Counts and lists update with the next `synclens load` or `synclens pull`."


def show_decisions(issue_id: str, summary: IssueSummary, variants: pd.DataFrame, view: View) -> None:
    """Show the actions for one issue, and the active decisions with a button to revert each."""
    issue_actions.show_action_error()
    widgets.show_section(
        "Triage", help="Saved in the triage file with user, time and reason. A load never overwrites it."
    )
    disabled = not auth.can_edit()
    with st.container(border=True):
        with st.container(horizontal=True, gap="small"):
            issue_actions.show_resolve_button(issue_id, summary.state, disabled)
            if summary.state not in ("resolved", "archived"):
                with st.popover(
                    "Archive until …", icon=":material/inventory_2:", disabled=disabled, key="archiving"
                ):
                    _archive_form(issue_id, summary)
            with st.popover("Correct cause", icon=":material/edit:", disabled=disabled, key="correcting"):
                _cause_form(issue_id, summary)
            with st.popover(
                "Merge or split", icon=":material/merge:", disabled=disabled, key="merge-or-split"
            ):
                _merge_form(issue_id, view)
                _split_form(issue_id, variants)
        _show_active_decisions(issue_id, disabled)
        issue_actions.show_triage_form(issue_id, summary, disabled)


def _archive_form(issue_id: str, summary: IssueSummary) -> None:
    kind = st.radio(
        "Archive until", list(ARCHIVE_CONDITIONS), format_func=ARCHIVE_CONDITIONS.__getitem__,
        key=f"until-{issue_id}",
    )  # fmt: skip
    if kind == "time":
        today = now().date()
        st.date_input(
            "Reopen on (UTC)", key=f"until-time-{issue_id}", value=today + timedelta(days=7), min_value=today
        )
    elif kind == "events":
        st.number_input("New errors", min_value=1, value=100, key=f"until-events-{issue_id}")
    elif kind == "device_share":
        st.slider("Share of active devices", 1, 100, 10, format="%d%%", key=f"until-share-{issue_id}")
    elif kind == "release":
        st.caption(f"Newer than {escape(_newest_version(summary))}, the newest affected version.")
    _show_save_button("Archive", "archive", _archive, issue_id, summary)


def _archive(state: TriageState, issue_id: str, summary: IssueSummary) -> str:
    kind = st.session_state[f"until-{issue_id}"]
    state.archive(
        issue_id, actor=issue_actions.current_actor(), at=now(), reason=_reason(issue_id, "archive"), until=kind,
        value=_archive_value(kind, issue_id, summary),
    )  # fmt: skip
    return f"Archived until {ARCHIVE_CONDITIONS[kind]}."


def _archive_value(kind: str, issue_id: str, summary: IssueSummary) -> object:
    if kind == "time":
        return datetime.combine(st.session_state[f"until-time-{issue_id}"], time.min)
    if kind == "events":
        return int(st.session_state[f"until-events-{issue_id}"])
    if kind == "device_share":
        return st.session_state[f"until-share-{issue_id}"] / 100
    return _newest_version(summary) if kind == "release" else None


def _newest_version(summary: IssueSummary) -> str:
    newest = ""
    for version in summary.app_versions:
        newest = version if not newest or is_newer_version(version, newest) else newest
    return newest


def _cause_form(issue_id: str, summary: IssueSummary) -> None:
    causes = sorted(CAUSES, key=data.cause_title)
    st.selectbox(
        "Actual cause", causes, format_func=data.cause_title, key=f"cause-{issue_id}",
        index=causes.index(summary.cause) if summary.cause in causes else 0,
    )  # fmt: skip
    _show_save_button("Correct", "cause", _correct_cause, issue_id)


def _correct_cause(state: TriageState, issue_id: str) -> str:
    cause = st.session_state[f"cause-{issue_id}"]
    actor, reason = issue_actions.current_actor(), _reason(issue_id, "cause")
    state.correct_cause(issue_id, cause, actor=actor, at=now(), reason=reason)
    return f"Cause changed to {data.cause_title(cause)}."


def _merge_form(issue_id: str, view: View) -> None:
    issues = data.fetch_issues(view).set_index("issue_id").drop(index=issue_id, errors="ignore")
    labels = {
        str(key): f"{row.cause_title} · {row.title}"[:90]
        for key, row in issues.head(MAX_MERGE_OPTIONS).iterrows()
    }
    st.multiselect(
        "Merge with", list(labels), format_func=lambda other: labels.get(other, other), key=f"merge-{issue_id}",
        placeholder="Issues in this view",
    )  # fmt: skip
    _show_save_button("Merge", "merge", _merge, issue_id)


def _merge(state: TriageState, issue_id: str) -> str:
    other_ids = st.session_state[f"merge-{issue_id}"]
    if not other_ids:
        return "Nothing was merged: choose the other issues first."
    issue_ids = sorted({issue_id, *other_ids})
    rule = GroupingRule.create("merge", issues=issue_ids)
    add_grouping_rule(state, rule, issue_ids, _reason(issue_id, "merge"))
    return f"Saved: {len(issue_ids)} issues will be merged. {NEXT_LOAD_NOTE}"


def _split_form(issue_id: str, variants: pd.DataFrame) -> None:
    messages = list(dict.fromkeys(str(message) for message in variants["message"].dropna()))
    if len(messages) > 1:
        st.multiselect(
            "Messages to split off", messages, key=f"part-{issue_id}", placeholder="Variants of this issue"
        )
        _show_save_button("Split", "part", _split, issue_id)


def _split(state: TriageState, issue_id: str) -> str:
    messages = st.session_state[f"part-{issue_id}"]
    if not messages:
        return "Nothing was split: choose the messages first."
    rule = GroupingRule.create("unmerge", messages=messages, split_from=issue_id)
    add_grouping_rule(state, rule, [issue_id], _reason(issue_id, "part"))
    return f"Saved: the messages will become separate issues. {NEXT_LOAD_NOTE}"


def add_grouping_rule(state: TriageState, rule: GroupingRule, issue_ids: Sequence[str], reason: str) -> None:
    """Store a grouping rule and note it on the given issues. Adding an equal rule again has no effect."""
    actor = issue_actions.current_actor()
    state.add_grouping_rule(rule, actor=actor, at=now(), reason=reason)
    for issue_id in issue_ids:
        state.add_note(issue_id, f"{rule.kind} {_rule_text(rule)}: {reason}", actor=actor, at=now())


def _show_active_decisions(issue_id: str, disabled: bool) -> None:
    """Show the corrected cause and the grouping rules of this issue, each with a button to revert it."""
    state = data.triage_state()
    cause = state.current_correction(issue_id)
    names = {issue_id, *state.predecessors_of(issue_id)}
    if cause is not None:
        _show_decision(
            f"Cause corrected to **{escape(data.cause_title(cause))}**.", f"uncorrect-{issue_id}",
            _revert_correction(issue_id), disabled,
        )  # fmt: skip
    for rule in state.grouping_rules():
        if names & {*rule.issues, rule.split_from}:
            prefix = "Merged with" if rule.kind == "merge" else "Split off:"
            text = f"{prefix} {escape(_rule_text(rule, without=issue_id), 160)}."
            revert = _revert_rule(rule.rule_id, issue_id)
            _show_decision(text, f"unrule-{rule.rule_id}", revert, disabled)


def _revert_correction(issue_id: str) -> Callable[[TriageState], None]:
    def revert(state: TriageState) -> None:
        actor = issue_actions.current_actor()
        state.correct_cause(issue_id, None, actor=actor, at=now(), reason="correction reverted")

    return revert


def _revert_rule(rule_id: str, issue_id: str) -> Callable[[TriageState], None]:
    def revert(state: TriageState) -> None:
        actor = issue_actions.current_actor()
        state.remove_grouping_rule(rule_id, actor=actor, at=now(), reason="reverted")
        state.add_note(issue_id, f"rule {rule_id} was reverted", actor=actor, at=now())

    return revert


def _show_decision(text: str, key: str, revert: Callable[[TriageState], None], disabled: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(text, help=NEXT_LOAD_NOTE, width="stretch")
        st.button(
            "Revert", key=key, type="tertiary", icon=":material/undo:", disabled=disabled,
            on_click=issue_actions.run_action, args=(lambda: revert(data.triage_state()),),
        )  # fmt: skip


def _rule_text(rule: GroupingRule, without: str = "") -> str:
    return ", ".join([issue_id for issue_id in rule.issues if issue_id != without] or rule.messages)


def _reason(issue_id: str, form: str) -> str:
    reason = str(st.session_state.get(f"why-{form}-{issue_id}") or "").strip()
    return reason or "no reason entered"


def _show_save_button(
    label: str, form: str, decide: Callable[..., str], issue_id: str, *arguments: object
) -> None:
    """Show a field for the reason and the button that stores the decision and reports the result."""
    st.text_input("Reason", key=f"why-{form}-{issue_id}", placeholder="Shown in the activity log")

    def save() -> None:
        message = decide(data.triage_state(), issue_id, *arguments)
        st.toast(escape(message, 300), icon=":material/save:")

    st.button(label, key=f"save-{form}", type="primary", on_click=issue_actions.run_action, args=(save,))


def merged_issues(issue_id: str) -> list[str]:
    """Return the ids of the issues that were merged with this one by hand."""
    merges = [rule for rule in data.triage_state().grouping_rules() if rule.kind == "merge"]
    return sorted({other for rule in merges if issue_id in rule.issues for other in rule.issues} - {issue_id})


def show_merge_links(issue_id: str) -> None:
    """Show links from an issue without errors to the issues that contain its errors now."""
    merged_ids = merged_issues(issue_id)
    for other in merged_ids:
        pages.show_link("issue", f"Merged with issue {other}", icon=":material/merge:", issue=other)
    for other in sorted(data.triage_state().successors_of(issue_id) - set(merged_ids)):
        pages.show_link(
            "issue", f"Its errors are now in issue {other}", icon=":material/moving:", issue=other
        )
