"""Overrides by users: corrected causes, merged issues and split issues.

An override is a rule on the content of errors (analysis.grouping.fingerprint), not on an issue id: ids depend on the
template and change when a store receives new messages. The dashboard cannot read the store while a load has it open,
so the triage file stores the contents of each issue at the last update of the findings. An override of an issue that
the file does not contain is stored by issue id, and becomes a rule at the next load with errors of this issue.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from analysis.classification.catalogue import CAUSES
from analysis.grouping.corrections import Correction, match_corrections
from analysis.grouping.fingerprint import Content
from analysis.grouping.merge_rules import GroupingRule
from analysis.triage.database import TriageError, TriageFile, format_timestamp, log_activity

ACTOR = "synclens"
NO_ERRORS_YET = "stored by issue id: the store has no errors in this issue; applies when some are loaded"
_COLUMNS = ", ".join(Content._fields)
# All contents of the issues that have a content with one of these error types, objects, operations and phases.
_CONTENTS_BY_KEYS = f"""
SELECT issue_id, {_COLUMNS} FROM content WHERE issue_id IN (
    SELECT issue_id FROM content
    WHERE error_type || char(31) || object || char(31) || operation || char(31) || phase
        IN (SELECT value FROM json_each(?))
)
"""


class Overrides(TriageFile):
    """Corrections and grouping rules in the triage file."""

    def correct_cause(
        self, issue_id: str, cause: str | None, *, actor: str, at: datetime, reason: str
    ) -> None:
        """Correct the cause of the errors in an issue; None reverts the newest correction.

        The correction applies to every error with the same content, in all later loads, and replaces older
        corrections. Raises TriageError for a cause that is not in the catalogue.
        """
        if cause is not None and cause not in CAUSES:
            raise TriageError(
                f"there is no cause {cause!r}", next_step=f"Use one of: {', '.join(sorted(CAUSES))}."
            )
        with self.transaction() as connection:
            before = _newest_correction(connection, issue_id)
            if cause is None:
                _delete_correction(connection, issue_id, before)
            elif contents := _contents(connection, issue_id):
                connection.execute("DELETE FROM correction WHERE key = ?", (issue_id,))
                _add_correction(connection, (issue_id, cause, contents, format_timestamp(at), actor, reason))
            else:
                connection.execute("INSERT OR REPLACE INTO correction VALUES (?, ?)", (issue_id, cause))
            old = before.cause if isinstance(before, Correction) else before
            log_activity(connection, at, actor, issue_id, "cause", old, cause, reason)

    def revert_correction(self, number: int, *, actor: str, at: datetime, reason: str) -> None:
        """Revert one correction by its number. Raises TriageError if there is none with this number."""
        with self.transaction() as connection:
            correction = next((rule for rule in _corrections(connection) if rule.number == number), None)
            if correction is None:
                raise TriageError(
                    f"there is no correction {number}",
                    next_step="Use a number from the list of corrections.",
                )
            _delete_correction(connection, correction.issue_id, correction)
            log_activity(connection, at, actor, correction.issue_id, "cause", correction.cause, None, reason)

    def correction_rules(self) -> list[Correction]:
        """Return the active corrections, oldest first."""
        with self.connect() as connection:
            return _corrections(connection)

    def current_correction(self, issue_id: str) -> str | None:
        """Return the cause of the newest correction that applies to an error in this issue, or None."""
        with self.connect() as connection:
            newest = _newest_correction(connection, issue_id)
        return newest.cause if isinstance(newest, Correction) else newest

    def corrected_causes(self) -> dict[str, str]:
        """Return the issues whose errors all have the same corrected cause: the cause by current issue id."""
        with self.connect() as connection:
            rules = _corrections(connection)
            keys = {"\x1f".join(content[:-1]) for rule in rules for content in rule.contents}
            rows = connection.execute(_CONTENTS_BY_KEYS, (json.dumps(sorted(keys)),)).fetchall()
            pending = connection.execute("SELECT key, cause FROM correction ORDER BY key").fetchall()
        matches = match_corrections([Content(*tuple(row)[1:]) for row in rows], rules)
        causes: dict[str, set[str | None]] = {}
        for row, rule in zip(rows, matches, strict=True):
            causes.setdefault(row["issue_id"], set()).add(rule.cause if rule else None)
        agreed = {issue: cause for issue, (cause, *more) in causes.items() if cause is not None and not more}
        return dict(sorted((agreed | {row["key"]: row["cause"] for row in pending}).items()))

    def labeled_samples(self) -> list[dict[str, str]]:
        """Return the corrected errors as labeled samples, in the form that `synclens report-card` scores.

        There is one for each content of an active correction, with the cause of the newest correction for it.
        """
        rules = self.correction_rules()
        contents = sorted({content for rule in rules for content in rule.contents})
        return [
            content._asdict() | {"cause": rule.cause}
            for content, rule in zip(contents, match_corrections(contents, rules), strict=True)
            if rule is not None
        ]

    def add_grouping_rule(self, rule: GroupingRule, *, actor: str, at: datetime, reason: str) -> None:
        """Store a grouping rule, with the current contents of its issues; the next load applies it."""
        criteria = json.dumps(rule.stored_criteria(), sort_keys=True)
        with self.transaction() as connection:
            whole = rule.with_contents({issue: _contents(connection, issue) for issue in rule.issues})
            connection.execute(
                "INSERT OR REPLACE INTO grouping_rule VALUES (?, ?, ?)",
                (rule.rule_id, rule.kind, json.dumps(whole.stored(), sort_keys=True)),
            )
            log_activity(connection, at, actor, rule.rule_id, rule.kind, None, criteria, reason)

    def remove_grouping_rule(self, rule_id: str, *, actor: str, at: datetime, reason: str) -> None:
        """Remove a grouping rule; the next load separates or joins the issues again."""
        with self.transaction() as connection:
            row = connection.execute(
                "SELECT content FROM grouping_rule WHERE rule_id = ?", (rule_id,)
            ).fetchone()
            connection.execute("DELETE FROM grouping_rule WHERE rule_id = ?", (rule_id,))
            log_activity(connection, at, actor, rule_id, "rule removed", row and row["content"], None, reason)

    def grouping_rules(self) -> list[GroupingRule]:
        """Return the active grouping rules."""
        with self.connect() as connection:
            return _rules(connection)

    def bind_to_contents(
        self, contents_by_issue: Mapping[str, Sequence[Content]], *, at: datetime
    ) -> list[str]:
        """Convert overrides that are stored by issue id into rules on content, where the issue is known.

        `contents_by_issue` has the contents of each issue in the store; the contents in the file count too. Returns
        the ids of corrected issues that are still unknown; these stay, with one note in the log.
        """
        with self.transaction() as connection:
            for rule in _rules(connection):
                contents = {
                    issue: _contents(connection, issue) or contents_by_issue.get(issue, ())
                    for issue in rule.issues
                }
                connection.execute(
                    "UPDATE grouping_rule SET content = ? WHERE rule_id = ?",
                    (json.dumps(rule.with_contents(contents).stored(), sort_keys=True), rule.rule_id),
                )
            return _bind_corrections(connection, contents_by_issue, at)


def _bind_corrections(
    connection: sqlite3.Connection, contents_by_issue: Mapping[str, Sequence[Content]], at: datetime
) -> list[str]:
    unknown = []
    pending = connection.execute(
        "SELECT c.key, c.cause, max(a.number) AS number FROM correction AS c"
        " LEFT JOIN activity AS a ON a.issue_id = c.key AND a.action = 'cause'"
        " GROUP BY c.key, c.cause ORDER BY number, c.key"
    ).fetchall()
    for key, cause, number in pending:
        entry = connection.execute("SELECT * FROM activity WHERE number = ?", (number,)).fetchone()
        if contents := _contents(connection, key) or contents_by_issue.get(key, ()):
            origin = (
                (entry["at"], entry["actor"], entry["reason"]) if entry else (format_timestamp(at), ACTOR, "")
            )
            _add_correction(connection, (key, cause, contents, *origin))
            connection.execute("DELETE FROM correction WHERE key = ?", (key,))
            continue
        unknown.append(str(key))
        if not _is_noted(connection, key):
            log_activity(connection, at, ACTOR, key, "note", None, None, NO_ERRORS_YET)
    return unknown


def _is_noted(connection: sqlite3.Connection, issue_id: str) -> bool:
    sql = "SELECT 1 FROM activity WHERE issue_id = ? AND reason = ?"
    return connection.execute(sql, (issue_id, NO_ERRORS_YET)).fetchone() is not None


def _add_correction(
    connection: sqlite3.Connection, row: tuple[str, str, Iterable[Content], str, str, str]
) -> None:
    issue_id, cause, contents, *origin = row
    connection.execute(
        "INSERT INTO correction_rule (issue_id, cause, contents, at, actor, reason)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (issue_id, cause, json.dumps(sorted(set(contents))), *origin),
    )


def _corrections(connection: sqlite3.Connection) -> list[Correction]:
    rows = connection.execute("SELECT * FROM correction_rule ORDER BY number").fetchall()
    return [
        Correction(
            number=row["number"],
            cause=row["cause"],
            contents=tuple(Content(*content) for content in json.loads(row["contents"])),
            issue_id=row["issue_id"],
            at=datetime.fromisoformat(row["at"]),
            actor=row["actor"],
            reason=row["reason"],
        )
        for row in rows
    ]


def _newest_correction(connection: sqlite3.Connection, issue_id: str) -> Correction | str | None:
    """Return the newest correction for an error in the issue; only its cause if it is stored by issue id."""
    row = connection.execute("SELECT cause FROM correction WHERE key = ?", (issue_id,)).fetchone()
    if row is not None:
        return str(row["cause"])
    matches = match_corrections(_contents(connection, issue_id), _corrections(connection))
    return max(filter(None, matches), key=lambda correction: correction.number, default=None)


def _delete_correction(
    connection: sqlite3.Connection, issue_id: str, correction: Correction | str | None
) -> None:
    if isinstance(correction, Correction):
        connection.execute("DELETE FROM correction_rule WHERE number = ?", (correction.number,))
    else:
        connection.execute("DELETE FROM correction WHERE key = ?", (issue_id,))


def _contents(connection: sqlite3.Connection, issue_id: str) -> list[Content]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM content WHERE issue_id = ? ORDER BY fingerprint", (issue_id,)
    ).fetchall()
    return [Content(*row) for row in rows]


def _rules(connection: sqlite3.Connection) -> list[GroupingRule]:
    rows = connection.execute("SELECT * FROM grouping_rule ORDER BY rule_id").fetchall()
    return [GroupingRule.from_stored(row["rule_id"], row["kind"], json.loads(row["content"])) for row in rows]
