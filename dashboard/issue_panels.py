"""What stands behind an issue: the fix, the reason for the cause, and whom and what it hits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pandas as pd
import streamlit as st

import analysis
from analysis.base.text import format_change, format_p_value
from analysis.diagnosis.suspect_changes import SuspectChange
from analysis.fixes.playbook import load_nearest_playbook
from analysis.fixes.recovery_actions import RecoveryAction
from analysis.fixes.rendering import evidence_lines, resolution_line, verification_lines
from analysis.fixes.suggestion import Suggestion, suggest_fix
from analysis.fleet.devices import list_records_at_risk
from dashboard import cards, data, issue_actions, pages, rehearsal_panel, tables, widgets
from dashboard.column_config import build_column_config
from dashboard.escaping import escape
from dashboard.view_state import View

SIDE_LABELS = {
    "admin": "an administrator's to fix",
    "user": "the user's to fix",
    "device": "on the device",
    "network": "on the network",
    "system": "in the system",
    "vendor": "Veeva's to fix",
}
RETRY_LABELS = {
    "yes": "trying again can help",
    "no": "trying again does not help",
    "later": "trying again later can help",
}


def show_fix(issue_id: str, cause: str) -> None:
    """The fix: its first sentence, who acts where, what this case shows, the steps; the rest a click away.

    `cause` is what the issue is called now; a person may have corrected what was concluded.
    """
    found: Suggestion = data.fetch(suggest_fix, issue_id)
    corrected = cause != found.cause
    playbook = load_nearest_playbook(cause) if corrected else found.playbook
    resolved = "" if corrected else resolution_line(found)
    widgets.show_section("Fix")
    with st.container(border=True, key="fix"):
        if resolved:
            st.info(escape(resolved, 400), icon=":material/task_alt:")
        st.markdown(f"**{playbook.short_fix}**")
        if not corrected:
            st.caption(" · ".join(escape(word) for word in _fix_facts(found) if word))
        st.caption("IN THIS CASE")
        st.markdown("\n".join(f"- {escape(sentence, 400)}" for sentence in evidence_lines(found)))
        st.caption("STEPS")
        st.markdown(playbook.steps)
        st.caption("HOW TO VERIFY THE FIX")
        st.markdown("\n".join(f"- {escape(sentence, 400)}" for sentence in verification_lines(found)))
        for note in found.notes:
            st.caption(f"Data gap: {escape(note, 400)}")
    with st.expander("What it means, what it costs, how to be sure", icon=":material/menu_book:"):
        for title, text in _playbook_sections(playbook):
            st.markdown(f"**{title}**\n\n{text}")
        for source in playbook.sources:
            st.caption(f"Source: <{source}>")


def _fix_facts(found: Suggestion) -> list[str | None]:
    retry, side = RETRY_LABELS.get(str(found.retryable)), SIDE_LABELS.get(str(found.side))
    return [f"{found.who} acts", found.where, retry, side]


def show_cause_reason(issue: analysis.Issue) -> None:
    """Why this cause and not another: the rule, its confidence, the evidence, what else it could be."""
    widgets.show_section("Why this cause", help="From the newest event of the issue.")
    if issue.events.empty:
        return
    event = issue.events.iloc[0]
    confidence = cards.format_share(issue.summary.confidence, 0)
    if event["cause"] != issue.summary.cause:
        concluded = escape(data.cause_title(str(event["cause"])))
        st.markdown(f"A person gave this cause. What was concluded before is **{concluded}**:")
    st.markdown(f"Confidence **{confidence}**, by the rule `{_strip_backticks(event['rule'])}`.")
    for sentence in _as_strings(event["evidence"]):
        st.markdown(f"- {escape(sentence, 400)}")
    others = [escape(other) for other in _as_strings(event["also"])]
    if others:
        st.caption(f"Could also be: {', '.join(others)}")


def show_tabs(issue: analysis.Issue, view: View) -> None:
    """Events, people, devices, records and variants, one tab each; only the open one is drawn."""
    risk = data.fetch(list_records_at_risk, issue_id=issue.issue_id)
    frames = {
        "People": issue.users,
        "Devices": issue.devices,
        "Records": issue.records,
        "Variants": issue.variants,
    }
    drawn: dict[str, Callable[[], None]] = {
        "Events": lambda: _show_events(issue.events, view),
        "Waiting": lambda: show_pending_records(risk, view, key="issue-waiting"),
        "Activity": lambda: issue_actions.show_activity(issue.issue_id, view),
    }
    # Without counts: a label is a parameter of the address, which should hold when the counts change.
    names = ("Events", "People", "Devices", "Records", "Waiting", "Variants", "Activity")
    for name, tab in zip(names, st.tabs(names, key="tab", bind="query-params"), strict=True):
        if not tab.open:
            continue
        with tab:
            if name in drawn:
                drawn[name]()
            else:
                title = f"{name} of this issue"
                widgets.show_table(frames[name], key=f"issue-{name.lower()}", title=title, view=view)


def _show_events(frame: pd.DataFrame, view: View) -> None:
    columns = ["occurred_at", "user_id", "device_id", "object", "field", "operation", "record_id", "message"]
    shown = widgets.localize_times(frame, view.zone)[columns]
    st.caption(f"The {len(frame)} newest. Tick one to read what the device said.")
    ids, asked = [str(one) for one in frame["event_id"]], pages.selected_id("event")
    rows = [ids.index(asked)] if asked in ids else []
    picked = st.dataframe(
        shown, hide_index=True, key="issue-events", on_select="rerun", selection_mode="single-row",
        height=246, placeholder="–", alt="Newest events of this issue", column_config=build_column_config(shown),
        selection_default={"selection": {"rows": rows}},
    )  # fmt: skip
    ticked = [row for row in picked["selection"]["rows"] if row < len(ids)]
    if ticked:
        st.query_params["event"] = ids[ticked[0]]
    event = frame.iloc[(ticked or rows or [0])[0]]
    st.caption(f"Event {escape(event['event_id'])}: the message as the device sent it")
    widgets.show_device_text(event["message"])
    if event["payload"]:
        st.caption("What was sent")
        widgets.show_device_text(event["payload"])
    if isinstance(event["device_id"], str):
        pages.show_link("device", f"Its device, {event['device_id']}", device=event["device_id"])


def _playbook_sections(playbook: analysis.Playbook) -> list[tuple[str, str]]:
    return [("Meaning", playbook.meaning), ("Impact", playbook.impact), ("Diagnosis", playbook.diagnosis)]


def _as_strings(values: Iterable[object] | None) -> list[str]:
    return [] if values is None else [str(value) for value in values]


def _strip_backticks(text: object) -> str:
    return str(text).replace("`", "")


def show_recovery_actions(found: Sequence[RecoveryAction], view: View) -> None:
    """The levers, those that can be pulled first, each with exactly what it would lose."""
    widgets.show_section(
        "Recovery actions", help="Recovery actions for the device, in addition to fixing the cause."
    )
    for lever in sorted(found, key=lambda one: not one.offered):
        icon = ":material/warning:" if lever.destructive else ":material/build:"
        with st.expander(f"{lever.title}{'' if lever.offered else ' (not now)'}", icon=icon):
            st.markdown(f"{escape(lever.reason, 400)}")
            st.caption(f"{escape(lever.effect, 400)} Who: {escape(lever.who)}, {escape(lever.where)}.")
            if lever.offered and len(lever.lost_records):
                title = f"What {lever.title} would lose"
                widgets.show_table(lever.lost_records, key=f"loses-{lever.name}", title=title, view=view)


def show_playbook(cause: str, issues: pd.DataFrame, view: View) -> None:
    """The whole fix of a cause, with a way to its issues and a rehearsal of the worst of them.

    `issues` is the triage list of the view.
    """
    found = load_nearest_playbook(cause)
    its = issues[issues["cause"] == cause].sort_values(["pending", "events"], ascending=False, kind="stable")
    widgets.show_section(escape(data.cause_title(cause)))
    with st.container(border=True):
        st.markdown(f"**{found.short_fix}**")
        st.markdown(found.steps)
        label = "Its issue" if len(its) == 1 else f"Its {len(its)} issues"
        pages.show_link("issues", label, icon=":material/arrow_forward:", q=f"cause:{cause}")
    if not its.empty:
        worst = its.iloc[0]
        st.caption("Its worst issue")
        widgets.show_device_text(worst["title"])
        rehearsal_panel.show_rehearsal(str(worst["issue_id"]), view)


def show_pending_records(frame: pd.DataFrame, view: View, *, key: str) -> None:
    """Records that wait on devices, parents first, each with what hangs on it."""
    if frame.empty:
        st.caption(
            "No record is known to wait. Vault keeps no list of it; a list that another tool exported can be loaded "
            "with `synclens load`."
        )
        return
    columns = [
        "object", "record_id", "operation", "in_error", "cause", "message", "edited_at", "age_hours",
        "dependents", "blocked_by", "device_id", "user_id",
    ]  # fmt: skip
    widgets.show_table(
        tables.add_cause_titles(frame[columns]), key=key, title="Records that wait, parents first", view=view
    )


def show_suspect_changes(found: Sequence[SuspectChange], view: View) -> None:
    """The changes that explain the beginning better than a random moment would; or that there is none."""
    widgets.show_section(
        "Suspected change", help="Held against every other change and against random moments."
    )
    if not found:
        st.caption("No change explains the beginning better than chance would. That is an answer too.")
    for one in found:
        with st.container(border=True, gap="xxsmall"):
            what = f"{one.kind.replace('_', ' ')} {one.target}"
            whom = "" if one.scope == f"{one.kind}={one.target}" else f" for {escape(one.scope)}"
            st.markdown(f"**{escape(what)}**{whom}")
            told = escape(format_change(one.before, one.after), 300)
            st.caption(
                f"{widgets.format_time(one.changed_at, view.zone)} · {told}  \n"
                f"It had reached {cards.format_share(one.affected_in_scope, 0)} of the {one.affected:,} affected; "
                f"{cards.format_share(one.unaffected_in_scope, 0)} of those it reached were never hit. "
                f"{format_p_value(one.p_value)}. {escape(one.relation[:1].upper() + one.relation[1:], 200)}"
            )


def suspect_marks(found: Sequence[SuspectChange]) -> pd.DataFrame:
    """Suspected changes as marks for a chart, oldest first."""
    told = [(one.changed_at, f"{one.kind.replace('_', ' ')} {one.target}") for one in found]
    frame = pd.DataFrame(told, columns=["changed_at", "label"])
    return frame.assign(changed_at=pd.to_datetime(frame["changed_at"])).sort_values(
        "changed_at", ignore_index=True
    )


SEVERITIES = {"error": ("error", "red"), "warning": ("warning", "orange"), "note": ("info", "blue")}


def show_lint_rule(findings: pd.DataFrame, number: int, view: View) -> None:
    """What one rule found: once what it is, why it breaks sync, who says so and the fix; then every place."""
    first = findings.iloc[0]
    icon, colour = SEVERITIES.get(str(first["severity"]), ("info", "gray"))
    with st.container(border=True, gap="xsmall", key=f"lint-{number}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(str(first["severity"]).title(), icon=f":material/{icon}:", color=colour)  # type: ignore[arg-type]
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
