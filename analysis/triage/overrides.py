"""What people decide about the content of errors: another cause, joined issues, parted ones.

Such a decision is a rule on what errors say (analysis.grouping.content), never on the id of an issue, which
follows the template and so changes when a store sees more wordings. The page that a person decides on cannot
look into the store, which a load may hold; the file therefore remembers what each issue said when the store
was last concluded on. A decision about an issue that it does not know yet is kept by id and turned into a
rule by the next load that meets the issue.
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
NO_ERRORS_YET = "kept by its id: no error of the store is in this issue; it counts as soon as one is"
_COLUMNS = ", ".join(Content._fields)
# All that is said in the issues in which one thing has these error types, objects, operations and phases.
_OF_KEYS = f"""
SELECT issue_id, {_COLUMNS} FROM content WHERE issue_id IN (
    SELECT issue_id FROM content
    WHERE error_type || char(31) || object || char(31) || operation || char(31) || phase
        IN (SELECT value FROM json_each(?))
)
"""


class Overrides(TriageFile):
    """Corrections and grouping rules in the state file."""

    def correct_cause(
        self, issue_id: str, cause: str | None, *, actor: str, at: datetime, reason: str
    ) -> None:
        """Say what the errors of an issue really are; None takes the newest such correction back.

        It holds for every error that says the same, in every later load, and over older corrections.
        Raises TriageError for a cause that is in no catalogue.
        """
        if cause is not None and cause not in CAUSES:
            raise TriageError(
                f"there is no cause {cause!r}", next_step=f"Use one of: {', '.join(sorted(CAUSES))}."
            )
        with self.transaction() as connection:
            before = _standing(connection, issue_id)
            if cause is None:
                _forget(connection, issue_id, before)
            elif contents := _contents(connection, issue_id):
                connection.execute("DELETE FROM correction WHERE key = ?", (issue_id,))
                _add_correction(connection, (issue_id, cause, contents, format_timestamp(at), actor, reason))
            else:
                connection.execute("INSERT OR REPLACE INTO correction VALUES (?, ?)", (issue_id, cause))
            old = before.cause if isinstance(before, Correction) else before
            log_activity(connection, at, actor, issue_id, "cause", old, cause, reason)

    def revert_correction(self, number: int, *, actor: str, at: datetime, reason: str) -> None:
        """Take one correction back by its number. Raises TriageError when there is none of this number."""
        with self.transaction() as connection:
            one = next((rule for rule in _corrections(connection) if rule.number == number), None)
            if one is None:
                raise TriageError(
                    f"there is no correction {number}",
                    next_step="Take a number from the list of corrections.",
                )
            _forget(connection, one.issue_id, one)
            log_activity(connection, at, actor, one.issue_id, "cause", one.cause, None, reason)

    def correction_rules(self) -> list[Correction]:
        """Give the corrections in force, oldest first."""
        with self.connect() as connection:
            return _corrections(connection)

    def current_correction(self, issue_id: str) -> str | None:
        """The cause of the newest correction that is about an error of this issue, if there is one."""
        with self.connect() as connection:
            found = _standing(connection, issue_id)
        return found.cause if isinstance(found, Correction) else found

    def corrected_causes(self) -> dict[str, str]:
        """Give the issues, as they are called now, all of whose errors people gave one and the same cause."""
        with self.connect() as connection:
            rules = _corrections(connection)
            keys = {"\x1f".join(content[:-1]) for rule in rules for content in rule.contents}
            rows = connection.execute(_OF_KEYS, (json.dumps(sorted(keys)),)).fetchall()
            pending = connection.execute("SELECT key, cause FROM correction ORDER BY key").fetchall()
        given = match_corrections([Content(*tuple(row)[1:]) for row in rows], rules)
        causes: dict[str, set[str | None]] = {}
        for row, rule in zip(rows, given, strict=True):
            causes.setdefault(row["issue_id"], set()).add(rule.cause if rule else None)
        agreed = {issue: cause for issue, (cause, *more) in causes.items() if cause is not None and not more}
        return dict(sorted((agreed | {row["key"]: row["cause"] for row in pending}).items()))

    def labeled_samples(self) -> list[dict[str, str]]:
        """Give what people corrected as labelled errors, in the form that `synclens report-card` scores.

        One for each content of a correction in force, with the cause of the newest correction about it.
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
        """Take a grouping rule back."""
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

    def bind_to_contents(self, said: Mapping[str, Sequence[Content]], *, at: datetime) -> list[str]:
        """Turn what is kept by the id of an issue into rules on content, as far as the issue is known.

        `said` gives the contents of the issues of the store by id; what the file remembers counts as well.
        Returns the ids of corrected issues that are unknown still; they stay, and the log says so once.
        """
        with self.transaction() as connection:
            for rule in _rules(connection):
                contents = {one: _contents(connection, one) or said.get(one, ()) for one in rule.issues}
                connection.execute(
                    "UPDATE grouping_rule SET content = ? WHERE rule_id = ?",
                    (json.dumps(rule.with_contents(contents).stored(), sort_keys=True), rule.rule_id),
                )
            return _settle_corrections(connection, said, at)


def _settle_corrections(
    connection: sqlite3.Connection, said: Mapping[str, Sequence[Content]], at: datetime
) -> list[str]:
    unknown = []
    pending = connection.execute(
        "SELECT c.key, c.cause, max(a.number) AS number FROM correction AS c"
        " LEFT JOIN activity AS a ON a.issue_id = c.key AND a.action = 'cause'"
        " GROUP BY c.key, c.cause ORDER BY number, c.key"
    ).fetchall()
    for key, cause, number in pending:
        told = connection.execute("SELECT * FROM activity WHERE number = ?", (number,)).fetchone()
        if contents := _contents(connection, key) or said.get(key, ()):
            who = (told["at"], told["actor"], told["reason"]) if told else (format_timestamp(at), ACTOR, "")
            _add_correction(connection, (key, cause, contents, *who))
            connection.execute("DELETE FROM correction WHERE key = ?", (key,))
            continue
        unknown.append(str(key))
        if not _said(connection, key):
            log_activity(connection, at, ACTOR, key, "note", None, None, NO_ERRORS_YET)
    return unknown


def _said(connection: sqlite3.Connection, issue_id: str) -> bool:
    asked = "SELECT 1 FROM activity WHERE issue_id = ? AND reason = ?"
    return connection.execute(asked, (issue_id, NO_ERRORS_YET)).fetchone() is not None


def _add_correction(
    connection: sqlite3.Connection, row: tuple[str, str, Iterable[Content], str, str, str]
) -> None:
    issue_id, cause, contents, *who = row
    connection.execute(
        "INSERT INTO correction_rule (issue_id, cause, contents, at, actor, reason)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (issue_id, cause, json.dumps(sorted(set(contents))), *who),
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


def _standing(connection: sqlite3.Connection, issue_id: str) -> Correction | str | None:
    """The newest correction that is about an error of the issue; a cause alone where it is kept by id."""
    row = connection.execute("SELECT cause FROM correction WHERE key = ?", (issue_id,)).fetchone()
    if row is not None:
        return str(row["cause"])
    found = [
        one for one in match_corrections(_contents(connection, issue_id), _corrections(connection)) if one
    ]
    return max(found, key=lambda one: one.number, default=None)


def _forget(connection: sqlite3.Connection, issue_id: str, standing: Correction | str | None) -> None:
    if isinstance(standing, Correction):
        connection.execute("DELETE FROM correction_rule WHERE number = ?", (standing.number,))
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
