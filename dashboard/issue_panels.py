"""Panels of the issue page: fix, reason for the cause, events, recovery actions, suspect changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pandas as pd
import streamlit as st

import analysis
from analysis.base.text import capitalize_first, format_change, format_p_value
from analysis.classification.catalogue import UNKNOWN
from analysis.diagnosis.suspect_changes import SuspectChange, why_unjudged
from analysis.fixes.playbook import load_nearest_playbook
from analysis.fixes.recovery_actions import RecoveryAction
from analysis.fixes.rendering import evidence_lines, resolution_line, verification_lines
from analysis.fixes.suggestion import Suggestion, suggest_fix
from analysis.fleet.pending_records import list_records_at_risk
from dashboard import cards, data, issue_actions, pages, rehearsal_panel, tables, widgets
from dashboard.column_config import build_column_config
from dashboard.escaping import escape
from dashboard.view_state import View

SIDE_LABELS = {
    "admin": "administrators can fix it",
    "user": "users can fix it",
    "device": "the cause is on the device",
    "network": "the cause is in the network",
    "system": "the cause is in the system",
    "vendor": "Veeva can fix it",
}
RETRY_LABELS = {
    "yes": "a retry can help",
    "no": "a retry does not help",
    "later": "a later retry can help",
}


def show_fix(issue_id: str, cause: str) -> None:
    """Show the fix: summary, who acts where, evidence from this issue, steps, verification.

    `cause` is the current cause, which can be a correction of the classified one.
    """
    suggestion: Suggestion = data.fetch(suggest_fix, issue_id)
    corrected = cause != suggestion.cause
    playbook = load_nearest_playbook(cause) if corrected else suggestion.playbook
    resolved = "" if corrected else resolution_line(suggestion)
    widgets.show_section("Fix")
    with st.container(border=True, key="fix"):
        if resolved:
            st.info(escape(resolved, 400), icon=":material/task_alt:")
        headline = playbook.short_fix if corrected else suggestion.headline
        st.markdown(f"**{escape(headline, 400)}**")
        if not corrected:
            st.caption(" · ".join(escape(fact) for fact in _fix_facts(suggestion) if fact))
        st.caption("IN THIS CASE")
        st.markdown("\n".join(f"- {escape(sentence, 400)}" for sentence in evidence_lines(suggestion)))
        st.caption("STEPS")
        st.markdown(playbook.steps)
        st.caption("HOW TO VERIFY THE FIX")
        st.markdown("\n".join(f"- {escape(sentence, 400)}" for sentence in verification_lines(suggestion)))
        for note in suggestion.notes:
            st.caption(f"Data gap: {escape(note, 400)}")
    with st.expander("Meaning, impact and diagnosis", icon=":material/menu_book:"):
        for title, text in _playbook_sections(playbook):
            st.markdown(f"**{title}**\n\n{text}")
        for source in playbook.sources:
            st.caption(f"Source: <{source}>")


def _fix_facts(suggestion: Suggestion) -> list[str | None]:
    retry, side = RETRY_LABELS.get(str(suggestion.retryable)), SIDE_LABELS.get(str(suggestion.side))
    return [f"Who: {suggestion.who}", suggestion.where, retry, side]


def show_cause_reason(issue: analysis.Issue) -> None:
    """Show the rule, confidence, evidence and alternatives for the cause."""
    widgets.show_section("Why this cause", help="Based on the newest event of the issue.")
    if issue.events.empty:
        return
    event = issue.events.iloc[0]
    confidence = cards.format_share(issue.summary.confidence, 0)
    if event["cause"] != issue.summary.cause:
        classified = escape(data.cause_title(str(event["cause"])))
        st.markdown(f"This cause was set by hand. The classified cause is **{classified}**:")
    if event["cause"] == UNKNOWN:
        st.markdown("No rule or model assigns a cause to this message.")
    else:
        st.markdown(f"Confidence **{confidence}**, rule `{_strip_backticks(event['rule'])}`.")
    for sentence in _as_strings(event["evidence"]):
        st.markdown(f"- {escape(sentence, 400)}")
    others = [escape(data.cause_title(other)) for other in _as_strings(event["also"])]
    if others and event["cause"] != UNKNOWN:
        st.caption(f"Other possible causes: {', '.join(others)}")


def show_tabs(issue: analysis.Issue, view: View) -> None:
    """Show events, users, devices, records and variants in tabs. Only the open tab is drawn."""
    risk = data.fetch(list_records_at_risk, issue_id=issue.issue_id)
    frames = {
        "Users": issue.users,
        "Devices": issue.devices,
        "Records": issue.records,
        "Variants": issue.variants,
    }
    drawn: dict[str, Callable[[], None]] = {
        "Events": lambda: _show_events(issue.events, view, has_text=issue.summary.failure_kind is None),
        "Pending": lambda: show_pending_records(risk, view, key="issue-pending"),
        "Activity": lambda: issue_actions.show_activity(issue.issue_id, view),
    }
    # Labels have no counts, because they are URL parameters and counts change.
    names = ("Events", "Users", "Devices", "Records", "Pending", "Variants", "Activity")
    for name, tab in zip(names, st.tabs(names, key="tab", bind="query-params"), strict=True):
        if not tab.open:
            continue
        with tab:
            if name in drawn:
                drawn[name]()
            else:
                title = f"{name} of this issue"
                widgets.show_table(frames[name], key=f"issue-{name.lower()}", title=title, view=view)


def _show_events(frame: pd.DataFrame, view: View, *, has_text: bool) -> None:
    columns = ["occurred_at", "user_id", "device_id", "object", "field", "operation", "record_id", "message"]
    shown = widgets.localize_times(frame, view.zone)[columns]
    st.caption(f"The {len(frame)} newest events. Select one to read its message.")
    ids, requested = [str(event_id) for event_id in frame["event_id"]], pages.selected_id("event")
    rows = [ids.index(requested)] if requested in ids else []
    selection = st.dataframe(
        shown, hide_index=True, key="issue-events", on_select="rerun", selection_mode="single-row",
        height=246, placeholder="–", alt="Newest events of this issue", column_config=build_column_config(shown),
        selection_default={"selection": {"rows": rows}},
    )  # fmt: skip
    selected = [row for row in selection["selection"]["rows"] if row < len(ids)]
    if selected:
        st.query_params["event"] = ids[selected[0]]
    event = frame.iloc[(selected or rows or [0])[0]]
    if not has_text:
        st.caption(f"Sync {escape(event['event_id'])}: it has no message, because its errors are not loaded")
        return
    st.caption(f"Event {escape(event['event_id'])}: message from the device")
    widgets.show_device_text(event["message"])
    if event["payload"]:
        st.caption("Payload")
        widgets.show_device_text(event["payload"])
    if isinstance(event["device_id"], str):
        pages.show_link("device", f"Device {event['device_id']}", device=event["device_id"])


def _playbook_sections(playbook: analysis.Playbook) -> list[tuple[str, str]]:
    return [("Meaning", playbook.meaning), ("Impact", playbook.impact), ("Diagnosis", playbook.diagnosis)]


def _as_strings(values: Iterable[object] | None) -> list[str]:
    return [] if values is None else [str(value) for value in values]


def _strip_backticks(text: object) -> str:
    return str(text).replace("`", "")


def show_recovery_actions(actions: Sequence[RecoveryAction], view: View) -> None:
    """Show the recovery actions, available ones first, each with the records it would lose."""
    widgets.show_section(
        "Recovery actions", help="Recovery actions for the device, in addition to fixing the cause."
    )
    for action in sorted(actions, key=lambda item: not item.offered):
        icon = ":material/warning:" if action.destructive else ":material/build:"
        with st.expander(f"{action.title}{'' if action.offered else ' (not available)'}", icon=icon):
            st.markdown(f"{escape(action.reason, 400)}")
            st.caption(f"{escape(action.effect, 400)} Who: {escape(action.who)}, {escape(action.where)}.")
            if action.offered and len(action.lost_records):
                title = f"What {action.title} would lose"
                widgets.show_table(action.lost_records, key=f"lost-{action.name}", title=title, view=view)


def show_playbook(cause: str, issues: pd.DataFrame, view: View) -> None:
    """Show the fix for a cause, a link to its issues, and a rehearsal of the worst one.

    `issues` are the issues in the view.
    """
    playbook = load_nearest_playbook(cause)
    matches = issues[issues["cause"] == cause].sort_values(
        ["pending", "events"], ascending=False, kind="stable"
    )
    widgets.show_section(escape(data.cause_title(cause)))
    with st.container(border=True):
        st.markdown(f"**{playbook.short_fix}**")
        st.markdown(playbook.steps)
        label = "1 issue with this cause" if len(matches) == 1 else f"{len(matches)} issues with this cause"
        pages.show_link("issues", label, icon=":material/arrow_forward:", q=f"cause:{cause}")
    if not matches.empty:
        worst = matches.iloc[0]
        st.caption("Issue with the most pending records")
        widgets.show_device_text(worst["title"])
        rehearsal_panel.show_rehearsal(str(worst["issue_id"]), view)


def show_pending_records(frame: pd.DataFrame, view: View, *, key: str) -> None:
    """Show pending records, parents first, each with its number of dependents."""
    if frame.empty:
        st.caption(
            "No pending records are loaded. Vault does not list them; load a list exported by another tool with "
            "`synclens load`."
        )
        return
    columns = [
        "object", "record_id", "operation", "in_error", "cause", "message", "edited_at", "age_hours",
        "dependents", "blocked_by", "device_id", "user_id",
    ]  # fmt: skip
    widgets.show_table(
        tables.add_cause_titles(frame[columns]), key=key, title="Pending records, parents first", view=view
    )


def show_suspect_changes(issue_id: str, suspects: Sequence[SuspectChange], view: View) -> None:
    """Show the changes that fit the start of the issue better than chance, or that there is none."""
    widgets.show_section("Suspect changes", help="Compared with all other changes and with random times.")
    if not suspects:
        reason = data.fetch(why_unjudged, issue_id)
        st.caption(escape(reason or "No change fits the start of the issue better than chance.", 300))
    for suspect in suspects:
        with st.container(border=True, gap="xxsmall"):
            name = f"{suspect.kind.replace('_', ' ')} {suspect.target}"
            scope = (
                "" if suspect.scope == f"{suspect.kind}={suspect.target}" else f" for {escape(suspect.scope)}"
            )
            st.markdown(f"**{escape(name)}**{scope}")
            change = escape(format_change(suspect.before, suspect.after), 300)
            reached = cards.format_share(suspect.affected_in_scope, 0)
            unaffected = cards.format_share(suspect.unaffected_in_scope, 0)
            st.caption(
                f"{widgets.format_time(suspect.changed_at, view.zone)} · {change}  \n"
                f"It applied to {reached} of the {suspect.affected:,} affected; "
                f"{unaffected} of those in its scope were not affected. "
                f"{format_p_value(suspect.p_value)}. "
                f"{escape(capitalize_first(suspect.relation), 200)}"
            )


def suspect_marks(suspects: Sequence[SuspectChange]) -> pd.DataFrame:
    """Return the suspect changes as marks for a chart, oldest first."""
    marks = [
        (suspect.changed_at, f"{suspect.kind.replace('_', ' ')} {suspect.target}") for suspect in suspects
    ]
    frame = pd.DataFrame(marks, columns=["changed_at", "label"])
    return frame.assign(changed_at=pd.to_datetime(frame["changed_at"])).sort_values(
        "changed_at", ignore_index=True
    )


SEVERITIES = {"error": ("error", "red"), "warning": ("warning", "orange"), "note": ("info", "blue")}


def show_lint_rule(findings: pd.DataFrame, number: int, view: View) -> None:
    """Show the findings of one rule: description, fix, reason and source once, then every place."""
    first = findings.iloc[0]
    icon, color = SEVERITIES.get(str(first["severity"]), ("info", "gray"))
    with st.container(border=True, gap="xsmall", key=f"lint-{number}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(str(first["severity"]).title(), icon=f":material/{icon}:", color=color)  # type: ignore[arg-type]
            st.markdown(f"**{escape(first['title'])}**", width="content")
            if len(findings) > 1:
                st.caption(f"{len(findings):,} places", width="content")
        if len(findings) == 1:
            st.markdown(f"{escape(first['what'], 400)} ({escape(first['where'])})")
        st.markdown(f"Fix: {escape(first['fix'], 400)}")
        st.caption(f"{escape(first['why'], 400)} Basis: {escape(first['basis'])}. {escape(first['source'])}")
        if len(findings) > 1:
            with st.expander(f"The {len(findings):,} places", icon=":material/table_rows:"):
                title = f"{first['title']}: every place"
                widgets.show_table(
                    findings[["what", "where"]], key=f"lint-{first['rule']}", title=title, view=view
                )
