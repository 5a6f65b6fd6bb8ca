"""Issue ids on the command line: a unique prefix is enough."""

from __future__ import annotations

from difflib import get_close_matches

from duckdb import DuckDBPyConnection

from synclens import console

MIN_LENGTH = 4
"""Shorter prefixes are rejected."""
_ISSUE_IDS = "SELECT issue_id FROM finding UNION SELECT issue_id FROM sync_finding WHERE issue_id IS NOT NULL"


def resolve_issue_id(connection: DuckDBPyConnection, text: str) -> str:
    """Return the issue id that is `text` or the only one that starts with it.

    Raises UnknownIssue, with similar ids in its next step, if no issue or several match.
    """
    issue_ids = [row[0] for row in connection.execute(_ISSUE_IDS).fetchall()]
    if text in issue_ids:
        return text
    matches = sorted(name for name in issue_ids if len(text) >= MIN_LENGTH and name.startswith(text.lower()))
    if len(matches) == 1:
        console.info(f"Issue {matches[0]}:")
        return str(matches[0])
    raise _unknown_issue(text, matches or get_close_matches(text.lower(), issue_ids))


def _unknown_issue(text: str, similar: list[str]) -> Exception:
    from analysis.issues.details import UnknownIssue  # noqa: PLC0415 - imports pandas

    error = UnknownIssue(text)
    if similar:
        error.next_step = f"Did you mean {' or '.join(similar)}? `synclens issues` lists all ids."
    return error
