"""Preview of merging issues, shown before the merge is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from analysis import AnalysisError
from analysis.grouping.merge_rules import GroupingRule
from dashboard import auth, cards, data, issue_actions, issue_decisions, widgets
from dashboard.escaping import escape
from dashboard.view_state import View

_REASON = "why-merge-ticked"


@dataclass(frozen=True, slots=True)
class MergePreview:
    """The issue that a merge would create. `conflicts` lists where its parts differ."""

    name: str
    events: int
    users: int
    devices: int
    records: int
    conflicts: tuple[str, ...]
    parts: pd.DataFrame


def preview_merge(issue_ids: Sequence[str], view: View) -> MergePreview:
    """Compute the merged issue over all time. Each user, device and record is counted once.

    Raises UnknownIssue.
    """
    all_time = View(
        period=view.period, since=None, until=None, zone=view.zone, filters={}, local_days=view.local_days
    )
    issues = [data.fetch_issue(issue_id, all_time) for issue_id in issue_ids]
    summaries = pd.DataFrame([issue.summary.to_dict() for issue in issues])
    return MergePreview(
        name=min(issue_ids),
        events=int(summaries["events"].sum()),
        users=_count_distinct([issue.users for issue in issues], "user_id"),
        devices=_count_distinct([issue.devices for issue in issues], "device_id"),
        records=_count_distinct([issue.records for issue in issues], "object", "record_id"),
        conflicts=tuple(_find_conflicts(summaries)),
        parts=summaries[["issue_id", "state", "cause", "users", "devices", "events", "title"]],
    )


def show_merge_button(issue_ids: Sequence[str], view: View) -> None:
    """Show the button that opens the preview of merging the selected issues."""
    popover = st.popover(
        "Merge …", icon=":material/merge:", key="merging", on_change="rerun",
        disabled=len(issue_ids) < 2 or not auth.can_edit(),
    )  # fmt: skip
    if not popover.open or len(issue_ids) < 2:
        return
    with popover:
        try:
            show_preview(preview_merge(issue_ids, view), view)
        except AnalysisError as error:
            st.error(f"{escape(error)}. {escape(error.next_step)}", icon=":material/error:")
            return
        st.text_input("Reason", key=_REASON, placeholder="Shown in the activity log")
        st.button(
            f"Merge these {len(issue_ids)} issues", key="merge-ticked", type="primary",
            on_click=issue_actions.run_action, args=(lambda: _merge(issue_ids),),
        )  # fmt: skip


def _merge(issue_ids: Sequence[str]) -> None:
    merged_ids = sorted(issue_ids)
    reason = str(st.session_state.get(_REASON) or "").strip() or issue_actions.LIST_REASON
    rule = GroupingRule.create("merge", issues=merged_ids)
    issue_decisions.add_grouping_rule(data.triage_state(), rule, merged_ids, reason)
    message = f"Saved: {len(merged_ids)} issues will be merged. {issue_decisions.NEXT_LOAD_NOTE}"
    st.toast(escape(message, 300), icon=":material/merge:")


def show_preview(preview: MergePreview, view: View) -> None:
    """Show the totals of the merged issue, the conflicts and the parts."""
    st.markdown(
        f"**One issue instead of {len(preview.parts)}**, with the id {escape(preview.name)}: "
        f"{preview.events:,} errors, {preview.users:,} users, {preview.devices:,} devices, "
        f"{preview.records:,} records. Users, devices and records in several issues count once."
    )
    for conflict in preview.conflicts:
        st.warning(escape(conflict, 300), icon=":material/call_split:")
    parts = preview.parts.assign(
        state=preview.parts["state"].map(cards.state_label),
        cause=preview.parts["cause"].map(data.cause_title),
    )
    widgets.show_table(parts, key="merge-preview", title="Issues to merge", view=view)


def _count_distinct(frames: Sequence[pd.DataFrame], *columns: str) -> int:
    values: set[tuple[Any, ...]] = set()
    for frame in frames:
        if set(columns) <= set(frame.columns):
            values |= set(frame[list(columns)].dropna().itertuples(index=False, name=None))
    return len(values)


def _find_conflicts(summaries: pd.DataFrame) -> list[str]:
    """Return a sentence for each of cause, state and assignee that differs between the parts."""
    conflicts = []
    for column, plural, format_value in (
        ("cause", "causes", data.cause_title),
        ("state", "states", cards.state_label),
        ("assignee", "assignees", lambda user: auth.HIDDEN if auth.are_names_masked() else user),
    ):
        values = sorted({str(value) for value in summaries[column].dropna()})
        if len(values) > 1:
            conflicts.append(f"Different {plural}: {', '.join(format_value(value) for value in values)}.")
    return conflicts
