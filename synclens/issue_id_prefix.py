"""Issue ids as people type them: cut short, or with a slip of the finger."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TypeVar

from duckdb import DuckDBPyConnection

import analysis
from analysis.issues.details import UnknownIssue
from synclens import console

SHORTEST = 4
"""Fewer letters of an id are not taken for it."""

Answer = TypeVar("Answer")


def query_issue(connection: DuckDBPyConnection, given: str, question: Callable[[str], Answer]) -> Answer:
    """`question(issue_id)` for the issue that `given` names: its id, or how only its id begins.

    Raises UnknownIssue, with the ids that look like it, where none or several do.
    """
    try:
        return question(given)
    except UnknownIssue as error:
        known = list(analysis.list_issues(connection)["issue_id"])
        begun = [one for one in known if len(given) >= SHORTEST and one.startswith(given.lower())]
        if len(begun) != 1:
            _suggest(error, begun or get_close_matches(given.lower(), known))
            raise
    console.info(f"Issue {begun[0]}:")
    return question(begun[0])


def _suggest(error: UnknownIssue, near: list[str]) -> None:
    if near:
        error.next_step = f"Did you mean {' or '.join(near)}? `synclens issues` lists every id."
