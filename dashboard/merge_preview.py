"""What a merge of issues would make, shown before anybody decides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from analysis import AnalysisError
from dashboard import auth, cards, data, issue_actions, issue_decisions, widgets
from dashboard.escaping import escape
from dashboard.view_state import View

_WHY = "why-merge-ticked"


@dataclass(frozen=True, slots=True)
class MergePreview:
    """The issue that a merge would make; `conflicts` say what its parts do not agree on."""

    name: str
    events: int
    users: int
    devices: int
    records: int
    conflicts: tuple[str, ...]
    parts: pd.DataFrame


def preview_merge(issue_ids: Sequence[str], view: View) -> MergePreview:
    """Work out what one issue of all these would be, of all time. People and devices are counted once.

    Raises UnknownIssue.
    """
    everything = View(
        period=view.period, since=None, until=None, zone=view.zone, filters={}, local_days=view.local_days
    )
    found = [data.fetch_issue(one, everything) for one in issue_ids]
    summaries = pd.DataFrame([issue.summary | {"issue_id": issue.issue_id} for issue in found])
    return MergePreview(
        name=min(issue_ids),
        events=int(summaries["events"].sum()),
        users=_count_distinct([issue.users for issue in found], "user_id"),
        devices=_count_distinct([issue.devices for issue in found], "device_id"),
        records=_count_distinct([issue.records for issue in found], "object", "record_id"),
        conflicts=tuple(_find_conflicts(summaries)),
        parts=summaries[["issue_id", "state", "cause", "users", "devices", "events", "title"]],
    )


def show_merge_button(issue_ids: Sequence[str], view: View) -> None:
    """A button that opens what a merge of the ticked issues would make, with the one that decides it."""
    opened = st.popover(
        "Merge …", icon=":material/merge:", key="merging", on_change="rerun",
        disabled=len(issue_ids) < 2 or not auth.can_edit(),
    )  # fmt: skip
    if not opened.open or len(issue_ids) < 2:
        return
    with opened:
        try:
            show_preview(preview_merge(issue_ids, view), view)
        except AnalysisError as error:
            st.error(f"{escape(error)}. {escape(error.next_step)}", icon=":material/error:")
            return
        st.text_input("Why", key=_WHY, placeholder="Goes into the activity log")
        st.button(
            f"Merge these {len(issue_ids)}", key="merge-ticked", type="primary",
            on_click=issue_actions.run_action, args=(lambda: _merge(issue_ids),),
        )  # fmt: skip


def _merge(issue_ids: Sequence[str]) -> None:
    together = sorted(issue_ids)
    why = str(st.session_state.get(_WHY) or "").strip() or issue_actions.LIST_REASON
    issue_decisions.add_grouping_rule(data.triage_state(), "merge", {"issues": together}, together, why)
    st.toast(
        f"Kept: {len(together)} issues are one. {issue_decisions.NEXT_LOAD_NOTE}", icon=":material/merge:"
    )


def show_preview(made: MergePreview, view: View) -> None:
    """Draw what a merge would make, what its parts do not agree on, and the parts."""
    st.markdown(
        f"**One issue in place of {len(made.parts)}**, called {escape(made.name)}: "
        f"{made.events:,} errors of {made.users:,} people on {made.devices:,} devices, "
        f"{made.records:,} records. Who is hit by several counts once."
    )
    for conflict in made.conflicts:
        st.warning(escape(conflict, 300), icon=":material/call_split:")
    shown = made.parts.assign(state=made.parts["state"].map(cards.state_label))
    widgets.show_table(shown, key="merge-preview", title="What the merge would join", view=view)


def _count_distinct(frames: Sequence[pd.DataFrame], *columns: str) -> int:
    seen: set[tuple[Any, ...]] = set()
    for frame in frames:
        if set(columns) <= set(frame.columns):
            seen |= set(frame[list(columns)].dropna().itertuples(index=False, name=None))
    return len(seen)


def _find_conflicts(summaries: pd.DataFrame) -> list[str]:
    """What has to be looked at before the merge: causes, states and people that differ."""
    told = []
    for column, word, named in (
        ("cause", "causes", data.cause_title),
        ("state", "states", cards.state_label),
        ("assignee", "assignees", lambda one: auth.HIDDEN if auth.are_names_masked() else one),
    ):
        values = sorted({str(one) for one in summaries[column].dropna()})
        if len(values) > 1:
            told.append(f"They have different {word}: {', '.join(named(one) for one in values)}.")
    return told
