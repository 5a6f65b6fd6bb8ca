"""The rehearsal of an issue on a page: a button, then what each candidate frees and loses."""

from __future__ import annotations

import streamlit as st

from dashboard import data, widgets
from dashboard.escaping import escape
from dashboard.view_state import View
from rehearsal import RehearsalResult, rehearse

REHEARSAL_HELP = (
    "Rebuilds the issue in the reference engine, tries each candidate on a fresh copy, syncs every device again and "
    "counts the result. Nothing changes in Vault or on a device."
)
_REQUESTED = "_requested_rehearsals"


def show_rehearsal(issue_id: str, view: View) -> None:
    """Show the button that rehearses an issue, or the result once the button was pressed."""
    requested_ids: set[str] = st.session_state.setdefault(_REQUESTED, set())
    if issue_id not in requested_ids:
        st.button(
            "Rehearse this fix", key=f"rehearse-{issue_id}", icon=":material/theater_comedy:",
            help=REHEARSAL_HELP, on_click=requested_ids.add, args=(issue_id,),
        )  # fmt: skip
        return
    with st.spinner("Rebuilding the issue and trying each candidate …", show_time=True):
        result: RehearsalResult = data.fetch(rehearse, issue_id)
    _show_result(result, issue_id, view)


def _show_result(result: RehearsalResult, issue_id: str, view: View) -> None:
    if result.reason is not None:
        st.info(
            f"This issue cannot be rehearsed. {escape(result.reason, 400)}",
            icon=":material/theater_comedy:",
        )
    else:
        _show_candidates(result, issue_id, view)
    notes = [f"Assumed: {sentence}" for sentence in result.assumptions]
    notes += [f"Not offered: {name}. {reason}" for name, reason in result.not_offered]
    if notes:
        with st.expander(f"Assumptions ({len(result.assumptions)})", icon=":material/help:"):
            st.markdown("\n".join(f"- {escape(note, 400)}" for note in notes))


def _show_candidates(result: RehearsalResult, issue_id: str, view: View) -> None:
    best = result.best
    if best is None:
        st.warning(
            f"No candidate frees any of the {escape(result.stuck_text)}.", icon=":material/theater_comedy:"
        )
    else:
        st.success(f"**{escape(best.name)}** {escape(best.summary, 300)}.", icon=":material/theater_comedy:")
    # The summary repeats the counts beside it, and this table is in a narrow column.
    columns = [
        "name",
        "freed",
        "still_failing",
        "lost",
        "total",
        "who",
        "kind",
        "lost_changes",
        "predicted_loss",
    ]
    candidates = result.to_frame()[columns]
    widgets.show_table(
        candidates.assign(kind=candidates["kind"].str.replace("_", " ")), key=f"rehearsal-{issue_id}",
        title="Rehearsal: what each candidate frees and loses", view=view, definition=REHEARSAL_HELP,
        columns={
            "name": st.column_config.TextColumn("Candidate", width=230),
            "total": st.column_config.NumberColumn(f"Total {result.unit}"),
        },
    )  # fmt: skip
