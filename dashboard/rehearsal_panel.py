"""Trying fixes in the reference engine before a person tries them on a device.

The dashboard knows no engine. Who starts it may name a function in `SYNCLENS_REHEARSAL` as `module:function`;
it is called with an open store and the id of an issue and answers as `Rehearsed`. `synclens dashboard` names
its own. Without it the pages say so in place of the button.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Protocol, cast

import pandas as pd
import streamlit as st

from dashboard import data, widgets
from dashboard.escaping import escape
from dashboard.launcher import REHEARSAL_VARIABLE
from dashboard.view_state import View

ABOUT = (
    "The issue rebuilt in the reference engine, each candidate carried out on a copy of it, every device synced "
    "again, and counted. Nothing happens to the real Vault or to any device."
)
_ASKED = "_rehearsals_asked_for"


class Tried(Protocol):
    """What became of the situation under one candidate, a fix or a lever."""

    name: str
    freed: int
    lost: int

    @property
    def says(self) -> str:
        """The same in one line."""


class Rehearsed(Protocol):
    """A rehearsal as `SYNCLENS_REHEARSAL` answers it; without candidates `reason` says why."""

    unit: str
    of: int
    assumptions: Sequence[str]
    candidates: Sequence[Tried]
    not_offered: Sequence[tuple[str, str]]
    reason: str | None

    @property
    def best(self) -> Tried | None:
        """The candidate that frees most and loses least; None where none frees anything."""

    def frame(self) -> pd.DataFrame:
        """The candidates as rows, the best first."""


def engine() -> Callable[..., Rehearsed] | None:
    """The function that rehearses; None where nobody named one, or where it is not installed."""
    return _found(os.environ.get(REHEARSAL_VARIABLE, ""))


@cache
def _found(name: str) -> Callable[..., Rehearsed] | None:
    module, _, function = name.partition(":")
    if not module or not function:
        return None
    try:
        return cast("Callable[..., Rehearsed]", getattr(import_module(module), function))
    except (ImportError, AttributeError):
        return None


def box(issue_id: str, view: View) -> None:
    """The button that rehearses an issue, and what came of it once somebody has pressed it."""
    rehearse = engine()
    if rehearse is None:
        st.caption(
            "Fixes cannot be rehearsed here: no engine was handed to the dashboard. `synclens dashboard` brings one."
        )
        return
    asked: set[str] = st.session_state.setdefault(_ASKED, set())
    if issue_id not in asked:
        st.button(
            "Rehearse this fix", key=f"rehearse-{issue_id}", icon=":material/theater_comedy:", help=ABOUT,
            on_click=asked.add, args=(issue_id,),
        )  # fmt: skip
        return
    with st.spinner("Rebuilding the issue and trying each candidate …", show_time=True):
        found: Rehearsed = data.ask(rehearse, issue_id)
    _told(found, issue_id, view)


def _told(found: Rehearsed, issue_id: str, view: View) -> None:
    if found.reason is not None:
        st.info(f"It could not be rehearsed. {escape(found.reason, 400)}", icon=":material/theater_comedy:")
    else:
        _candidates(found, issue_id, view)
    notes = [f"Assumed: {one}" for one in found.assumptions]
    notes += [f"Left alone: {name}. {why}" for name, why in found.not_offered]
    if notes:
        with st.expander(f"What it assumes ({len(found.assumptions)})", icon=":material/help:"):
            st.markdown("\n".join(f"- {escape(note, 400)}" for note in notes))


def _candidates(found: Rehearsed, issue_id: str, view: View) -> None:
    best = found.best
    if best is None:
        st.warning(
            f"None of the candidates frees any of the {found.of:,} {escape(found.unit)}.",
            icon=":material/theater_comedy:",
        )
    else:
        st.success(f"**{escape(best.name)}** {escape(best.says, 300)}.", icon=":material/theater_comedy:")
    # What it says is in the columns beside it; a table that is read beside a fix has no room for both.
    shown = found.frame()[["name", "freed", "still_failing", "lost", "of", "who", "kind", "predicted_loss"]]
    widgets.table(
        shown, key=f"rehearsal-{issue_id}", title="Rehearsal: what each candidate frees and loses", view=view,
        about=ABOUT, columns={"name": st.column_config.TextColumn("Candidate", width=230)},
    )  # fmt: skip
