"""What people decide about an issue that lasts: another cause, one with others, apart, away until something.

Causes and joins are kept beside the store at once, as rules on what the errors say (analysis.lasting), so
that they hold when an issue gets another id. A corrected cause shows at once on the pages; counts and
joins follow when the next load concludes on all errors anew, and the page says so until then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from hashlib import sha256
from typing import Any, Literal

import pandas as pd
import streamlit as st

from analysis.base.versions import is_newer_version
from analysis.classification.catalogue import CAUSES
from analysis.triage.states import TriageState
from dashboard import auth, data, issue_actions, pages, widgets
from dashboard.clock import now
from dashboard.escaping import escape
from dashboard.view_state import View

ARCHIVE_CONDITIONS = {
    "escalating": "it escalates",
    "time": "a day",
    "events": "so many more errors",
    "device_share": "a share of the active devices has it",
    "release": "a newer app version is seen",
    "forever": "somebody reopens it",
}
MAX_MERGE_OPTIONS = 200
NEXT_LOAD_NOTE = (
    "Numbers and lists follow with the next load; `synclens load` and `synclens pull` both see to it."
)


def show_decisions(issue_id: str, about: Mapping[str, Any], variants: pd.DataFrame, view: View) -> None:
    """All that can be decided about one issue, and what was decided before with the way back."""
    issue_actions.show_action_error()
    widgets.show_section(
        "Triage", help="Kept beside the store with who, when and why; an ingest never overwrites it."
    )
    off = not auth.can_edit()
    with st.container(border=True):
        with st.container(horizontal=True, gap="small"):
            issue_actions.show_resolve_button(issue_id, about["state"], off)
            if about["state"] not in ("resolved", "archived"):
                with st.popover(
                    "Archive until …", icon=":material/inventory_2:", disabled=off, key="archiving"
                ):
                    _archive_form(issue_id, about)
            with st.popover("Another cause", icon=":material/edit:", disabled=off, key="correcting"):
                _cause_form(issue_id, about)
            with st.popover("Merge or part", icon=":material/merge:", disabled=off, key="joining"):
                _merge_form(issue_id, view)
                _split_form(issue_id, variants)
        _show_active_decisions(issue_id, off)
        issue_actions.show_triage_form(issue_id, about, off)


def _archive_form(issue_id: str, about: Mapping[str, Any]) -> None:
    kind = st.radio(
        "Out of sight until",
        list(ARCHIVE_CONDITIONS),
        format_func=ARCHIVE_CONDITIONS.__getitem__,
        key=f"until-{issue_id}",
    )
    if kind == "time":
        today = now().date()
        st.date_input(
            "Back on (UTC)", key=f"until-time-{issue_id}", value=today + timedelta(days=7), min_value=today
        )
    elif kind == "events":
        st.number_input("More errors", min_value=1, value=100, key=f"until-events-{issue_id}")
    elif kind == "device_share":
        st.slider("Share of active devices", 1, 100, 10, format="%d%%", key=f"until-share-{issue_id}")
    elif kind == "release":
        st.caption(f"Newer than {escape(_newest_version(about))}, the newest version that had it.")
    _show_save_button("Archive", "archive", _archive, issue_id, dict(about))


def _archive(state: TriageState, issue_id: str, about: Mapping[str, Any]) -> str:
    kind = st.session_state[f"until-{issue_id}"]
    state.archive(
        issue_id, actor=issue_actions.current_actor(), at=now(), reason=_reason(issue_id, "archive"), until=kind,
        value=_archive_value(kind, issue_id, about),
    )  # fmt: skip
    return f"Archived until {ARCHIVE_CONDITIONS[kind]}."


def _archive_value(kind: str, issue_id: str, about: Mapping[str, Any]) -> object:
    if kind == "time":
        return datetime.combine(st.session_state[f"until-time-{issue_id}"], time.min)
    if kind == "events":
        return int(st.session_state[f"until-events-{issue_id}"])
    if kind == "device_share":
        return st.session_state[f"until-share-{issue_id}"] / 100
    return _newest_version(about) if kind == "release" else None


def _newest_version(about: Mapping[str, Any]) -> str:
    newest = ""
    for version in about["app_versions"]:
        newest = version if not newest or is_newer_version(version, newest) else newest
    return newest


def _cause_form(issue_id: str, about: Mapping[str, Any]) -> None:
    known = sorted(CAUSES, key=data.cause_title)
    st.selectbox(
        "What it really is", known, format_func=data.cause_title, key=f"cause-{issue_id}",
        index=known.index(about["cause"]) if about["cause"] in known else 0,
    )  # fmt: skip
    _show_save_button("Correct", "cause", _correct_cause, issue_id)


def _correct_cause(state: TriageState, issue_id: str) -> str:
    cause = st.session_state[f"cause-{issue_id}"]
    state.correct_cause(
        issue_id, cause, actor=issue_actions.current_actor(), at=now(), reason=_reason(issue_id, "cause")
    )
    return f"It is called {data.cause_title(cause)} from now on."


def _merge_form(issue_id: str, view: View) -> None:
    others = (
        data.fetch_issues(view)
        .set_index("issue_id")
        .drop(index=issue_id, errors="ignore")
        .head(MAX_MERGE_OPTIONS)
    )
    named = {str(key): f"{row.cause_title} · {row.title}"[:90] for key, row in others.iterrows()}
    st.multiselect(
        "The same as", list(named), format_func=lambda one: named.get(one, one), key=f"merge-{issue_id}",
        placeholder="Issues of this view",
    )  # fmt: skip
    _show_save_button("Merge", "merge", _merge, issue_id)


def _merge(state: TriageState, issue_id: str) -> str:
    others = st.session_state[f"merge-{issue_id}"]
    if not others:
        return "Nothing was merged: choose the other issues first."
    together = sorted({issue_id, *others})
    add_grouping_rule(state, "merge", {"issues": together}, together, _reason(issue_id, "merge"))
    return f"Kept: {len(together)} issues are one. {NEXT_LOAD_NOTE}"


def _split_form(issue_id: str, variants: pd.DataFrame) -> None:
    said = list(dict.fromkeys(str(message) for message in variants["message"].dropna()))
    if len(said) > 1:
        st.multiselect("Messages that stand alone", said, key=f"part-{issue_id}", placeholder="Its variants")
        _show_save_button("Part", "part", _split, issue_id)


def _split(state: TriageState, issue_id: str) -> str:
    messages = st.session_state[f"part-{issue_id}"]
    if not messages:
        return "Nothing was parted: choose the messages first."
    content = {"messages": sorted(messages), "of": issue_id}
    add_grouping_rule(state, "unmerge", content, [issue_id], _reason(issue_id, "part"))
    return f"Kept: they become issues of their own. {NEXT_LOAD_NOTE}"


def add_grouping_rule(
    state: TriageState, kind: Literal["merge", "unmerge"], content: dict[str, Any], told: list[str], why: str
) -> None:
    """Keep a rule, and a line in the log of every issue that it is about. The same rule is kept once."""
    rule_id = sha256(json.dumps([kind, content], sort_keys=True).encode()).hexdigest()[:12]
    state.add_grouping_rule(rule_id, kind, content, actor=issue_actions.current_actor(), at=now(), reason=why)
    for one in told:
        state.add_note(
            one, f"{kind} {_rule_members(content)}: {why}", actor=issue_actions.current_actor(), at=now()
        )


def _show_active_decisions(issue_id: str, off: bool) -> None:
    """What holds for this issue by decisions of people, each with the way back."""
    state = data.triage_state()
    cause = state.current_correction(issue_id)
    names = {issue_id, *state.predecessors_of(issue_id)}
    if cause is not None:
        _show_decision(
            f"A person called it **{escape(data.cause_title(cause))}**.", f"uncorrect-{issue_id}",
            lambda kept: kept.correct_cause(
                issue_id, None, actor=issue_actions.current_actor(), at=now(), reason="the correction was taken back"
            ), off,
        )  # fmt: skip
    for rule in state.grouping_rules():
        content = rule["content"]
        if names & {*content.get("issues", ()), content.get("of")}:
            word = "One with" if rule["kind"] == "merge" else "Parted from it:"
            _show_decision(f"{word} {escape(_rule_members(content, but=issue_id), 160)}.", f"unrule-{rule['rule_id']}",
                  _revert_rule(rule["rule_id"], issue_id), off)  # fmt: skip


def _revert_rule(rule_id: str, issue_id: str) -> Callable[[TriageState], None]:
    def do(state: TriageState) -> None:
        state.remove_grouping_rule(
            rule_id, actor=issue_actions.current_actor(), at=now(), reason="taken back"
        )
        state.add_note(
            issue_id, f"rule {rule_id} was taken back", actor=issue_actions.current_actor(), at=now()
        )

    return do


def _show_decision(text: str, key: str, undo: Callable[[TriageState], None], off: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(text, help=NEXT_LOAD_NOTE, width="stretch")
        st.button(
            "Take back", key=key, type="tertiary", icon=":material/undo:", disabled=off,
            on_click=issue_actions.run_action, args=(lambda: undo(data.triage_state()),),
        )  # fmt: skip


def _rule_members(content: Mapping[str, Any], but: str = "") -> str:
    named = [one for one in content.get("issues", ()) if one != but] or content.get("messages", ())
    return ", ".join(map(str, named))


def _reason(issue_id: str, form: str) -> str:
    said = str(st.session_state.get(f"why-{form}-{issue_id}") or "").strip()
    return said or "no reason was given"


def _show_save_button(label: str, form: str, act: Callable[..., str], issue_id: str, *more: object) -> None:
    """A line for the reason, and the button that keeps the decision and says what it did."""
    st.text_input("Why", key=f"why-{form}-{issue_id}", placeholder="Goes into the activity log")

    def do() -> None:
        st.toast(escape(act(data.triage_state(), issue_id, *more), 300), icon=":material/save:")

    st.button(label, key=f"keep-{form}", type="primary", on_click=issue_actions.run_action, args=(do,))


def merged_issues(issue_id: str) -> list[str]:
    """The issues that a person called one with this; it may go by the name of one of them now."""
    rules = [rule["content"] for rule in data.triage_state().grouping_rules() if rule["kind"] == "merge"]
    return sorted(
        {one for rule in rules if issue_id in rule.get("issues", ()) for one in rule["issues"]} - {issue_id}
    )


def show_merge_links(issue_id: str) -> None:
    """Links from an issue that is gone to what it was merged with, or to what its errors are in now."""
    merged = merged_issues(issue_id)
    for one in merged:
        pages.show_link("issue", f"It was merged with issue {one}", icon=":material/merge:", issue=one)
    for one in sorted(data.triage_state().successors_of(issue_id) - set(merged)):
        pages.show_link("issue", f"Its errors are in issue {one} now", icon=":material/moving:", issue=one)
