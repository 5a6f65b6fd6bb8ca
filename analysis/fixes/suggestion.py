"""A suggested fix: the playbook of an issue's cause with the evidence of this case filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.base.duckdb_frames import to_plain_rows
from analysis.base.text import pluralize
from analysis.fixes.affected_config import find_permission_sets, find_vmocs
from analysis.fixes.issue_context import SharedAttribute, attributed_change, data_gaps, shared_attributes
from analysis.fixes.playbook import Playbook, load_nearest_playbook, load_playbook
from analysis.fixes.recovery_actions import RecoveryAction, recovery_actions
from analysis.fixes.rendering import evidence_lines, format_value, resolution_line, verification_lines
from analysis.fixes.resolution import ResolutionStatus, resolution_status
from analysis.issues.listing import WAITING, UnknownIssue
from analysis.metrics.registry import measure
from analysis.query.filters import Filters
from analysis.query.runner import run_query

RANKED_COLUMNS = (
    "cause", "title", "short_fix", "records", "dependents", "users", "events", "last_seen",
)  # fmt: skip
_FACTS = """
SELECT
    mode(cause) AS cause,
    avg(confidence) AS confidence,
    mode(side) AS side,
    mode(retryable) AS retryable,
    count(*) AS events,
    count(DISTINCT user_id) AS users,
    count(DISTINCT device_id) AS devices,
    min(occurred_at) AS since,
    max(occurred_at) AS latest,
    mode(message) AS message,
    arg_max(evidence, occurred_at) AS evidence
FROM error WHERE issue_id = $issue_id
"""
_NAMED = """
SELECT 'object' AS kind, object AS value, count(*) AS events
FROM error WHERE issue_id = $issue_id GROUP BY ALL
UNION ALL
SELECT 'field', field, count(*) FROM error WHERE issue_id = $issue_id GROUP BY ALL
UNION ALL
SELECT 'operation', operation, count(*) FROM error WHERE issue_id = $issue_id GROUP BY ALL
UNION ALL
SELECT 'phase', phase, count(*) FROM error WHERE issue_id = $issue_id GROUP BY ALL
UNION ALL
SELECT 'error_type', error_type, count(*) FROM error WHERE issue_id = $issue_id GROUP BY ALL
UNION ALL
SELECT 'app_version', app_version, count(*) FROM error WHERE issue_id = $issue_id GROUP BY ALL
ORDER BY kind, events DESC, value
"""
_PEOPLE = """
SELECT user_id FROM error WHERE issue_id = $issue_id AND user_id IS NOT NULL
GROUP BY user_id ORDER BY count(*) DESC, user_id
"""
_WAITING = f"""
WITH {WAITING}
SELECT p.device_id, p.user_id, p.object, p.record_id, p.operation, p.edited_at, p.parent_record_id
FROM pending_now AS p
JOIN held_now AS h ON h.device_id = p.device_id AND h.record_id = p.record_id
WHERE p.in_error AND h.issue_id = $issue_id
ORDER BY p.edited_at, p.device_id, p.record_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What to do about one issue, and why.

    `who` acts and `where`; `where` is None where the playbook names no single place. `named` holds what the
    errors name (object, field, operation, phase, error_type, app_version), the most frequent first.
    `user_ids` are the users hit, the one with most errors first. `permission_sets` are those to look at, and
    `vmocs` those that bring the named objects to devices, as far as the store knows (analysis.touched).
    `change` is the configuration change that the start is put down to, with `certain` and `p_value`.
    `since_then` is what became of it. `waiting` are the records that wait on devices with this as their newest
    error, and those saved together with them; `notes` say what is not known.
    """

    issue_id: str
    cause: str
    confidence: float
    playbook: Playbook
    who: str
    where: str | None
    side: str | None
    retryable: str | None
    events: int
    users: int
    devices: int
    since: datetime
    latest: datetime
    named_values: Mapping[str, tuple[str, ...]]
    user_ids: tuple[str, ...]
    permission_sets: tuple[str, ...]
    vmocs: tuple[str, ...]
    shared_attributes: tuple[SharedAttribute, ...]
    change: Mapping[str, Any] | None
    resolution: ResolutionStatus
    pending_records: pd.DataFrame
    recovery_actions: tuple[RecoveryAction, ...]
    message: str | None
    evidence: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def evidence_lines(self) -> list[str]:
        """Tell the evidence of this case, a sentence each; it names no person."""
        return evidence_lines(self, people=False)

    @property
    def resolution_line(self) -> str:
        """Say that the issue seems to be over, why, and what is left of it; empty while it goes on."""
        return resolution_line(self)

    @property
    def verification_lines(self) -> list[str]:
        """Tell how one sees that the fix worked, a sentence each."""
        return verification_lines(self)

    @property
    def summary(self) -> str:
        """Tell who should do what, and this case, in one paragraph that can be sent to somebody as it is."""
        place = f"Place: {self.where}." if self.where else ""
        return " ".join(filter(None, (self.playbook.short_fix, place, *evidence_lines(self, people=True))))

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain values that JSON can hold."""
        plain = (
            "issue_id", "cause", "confidence", "who", "where", "side", "retryable", "events", "users",
            "devices", "message",
        )  # fmt: skip
        return {name: getattr(self, name) for name in plain} | {
            "title": self.playbook.title,
            "short_fix": self.playbook.short_fix,
            "fix": self.playbook.fix,
            "sources": list(self.playbook.sources),
            "since": self.since.isoformat(),
            "latest": self.latest.isoformat(),
            "user_ids": list(self.user_ids),
            "permission_sets": list(self.permission_sets),
            "vmocs": list(self.vmocs),
            "named_values": {kind: list(values) for kind, values in self.named_values.items()},
            "shared_attributes": [
                {name: getattr(one, name) for name in SharedAttribute.__slots__}
                for one in self.shared_attributes
            ],
            "change": None if self.change is None else dict(self.change),
            "resolution": self.resolution.to_dict(),
            "pending_records": to_plain_rows(self.pending_records),
            "recovery_actions": [lever.to_dict() for lever in self.recovery_actions],
            "evidence_lines": self.evidence_lines,
            "resolution_line": self.resolution_line,
            "verification_lines": self.verification_lines,
            "summary": self.summary,
            "evidence": list(self.evidence),
            "notes": list(self.notes),
        }

    def as_text(self) -> str:
        """Write it as plain text: the case, the fix, how to see that it worked, the levers, what is not known."""
        steps = self.playbook.fix.replace("**", "")
        parts = [
            self.playbook.title,
            "In this case\n" + _bullets([*evidence_lines(self, people=True), *self.evidence]),
            "What to do\n" + "\n\n".join(filter(None, (self.resolution_line, steps))),
            "How to know it worked\n" + _bullets(self.verification_lines),
            "Levers\n" + _bullets(_tell_lever(lever) for lever in self.recovery_actions),
        ]
        if self.notes:
            parts.append("Not known\n" + _bullets(self.notes))
        return "\n\n".join(parts)


def suggest_fix(connection: DuckDBPyConnection, issue_id: str) -> Suggestion:
    """Suggest what to do about one issue: its cause's playbook, this case's evidence, and the levers.

    Raises `UnknownIssue` when no error of the store belongs to `issue_id`, and `AnalysisError` when its cause
    has no playbook.
    """
    bound = {"issue_id": issue_id}
    facts = _one(connection, _FACTS, bound)
    if not facts["events"]:
        raise UnknownIssue(issue_id)
    page = load_playbook(facts["cause"])
    named = _named(connection.execute(_NAMED, bound).df())
    common = shared_attributes(connection, issue_id)
    since = facts["since"]
    waiting = run_query(connection, _WAITING, Filters.of(), bound)
    change = attributed_change(
        connection,
        issue_id,
        since,
        cause=page.cause,
        named=named,
        shared=[one.value for one in common],
    )
    sets = find_permission_sets(connection, issue_id, common, change)
    return Suggestion(
        issue_id=issue_id,
        cause=page.cause,
        confidence=facts["confidence"],
        playbook=page,
        who=page.short_fix.partition(":")[0],
        where=_where(page.fix, sets, named),
        side=facts["side"],
        retryable=facts["retryable"],
        events=facts["events"],
        users=facts["users"],
        devices=facts["devices"],
        since=since,
        latest=facts["latest"],
        named_values=named,
        user_ids=tuple(row[0] for row in connection.execute(_PEOPLE, bound).fetchall()),
        permission_sets=sets,
        vmocs=find_vmocs(connection, issue_id, change),
        shared_attributes=tuple(common),
        change=change,
        resolution=resolution_status(connection, issue_id, change),
        pending_records=waiting,
        recovery_actions=tuple(recovery_actions(connection, issue_id=issue_id)),
        message=facts["message"],
        evidence=tuple(facts["evidence"] or ()),
        notes=tuple(data_gaps(connection, issue_id, since)),
    )


def ranked_fixes(connection: DuckDBPyConnection, **filters: object) -> pd.DataFrame:
    """Rank the causes by what their fix is worth: first those for which most records wait, then most people.

    One row per cause with RANKED_COLUMNS. `records` wait in error on a device now, `dependents` hang on them
    (the metric records_at_risk); `users` and `events` are those of errors_by_cause. Filters are those of `measure`.
    """
    causes = measure(connection, "errors_by_cause", **filters)
    waiting = measure(connection, "records_at_risk", **filters).set_index("cause")[["records", "dependents"]]
    found = causes.join(waiting, on="cause").fillna({"records": 0, "dependents": 0})
    found = found.astype({"records": int, "dependents": int})
    found["title"] = [load_nearest_playbook(cause).title for cause in found["cause"]]
    found["short_fix"] = [load_nearest_playbook(cause).short_fix for cause in found["cause"]]
    order = ["records", "users", "events"]
    return found.sort_values(order, ascending=False, kind="stable", ignore_index=True)[list(RANKED_COLUMNS)]


def _one(connection: DuckDBPyConnection, sql: str, bound: Mapping[str, Any]) -> dict[str, Any]:
    cursor = connection.execute(sql, bound)
    names = [column[0] for column in cursor.description or ()]
    return dict(zip(names, cursor.fetchone() or (), strict=True))


def _named(found: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    kept = found[found["value"].notna() & (found["value"] != "")]
    return {str(kind): tuple(group["value"]) for kind, group in kept.groupby("kind")}


def _where(fix: str, sets: Sequence[str], named: Mapping[str, Sequence[str]]) -> str | None:
    """Find the first place the steps name, with this case's permission set and object in it.

    A path ends before what is not known. Clearing the cache comes after every change and is no place.
    """
    steps = " ".join(fix.split())
    found = re.findall(r"\b(?:Business Admin|Admin|Options|Settings) > [^,.;:()*`]+", steps)
    place = next((place.strip() for place in found if "Clear Cache" not in place), None)
    if place is None:
        return None
    known = {"the set": sets, "the object": named.get("object", ())}
    filled = [known[part][0] if len(known.get(part, ())) == 1 else part for part in place.split(" > ")]
    return " > ".join(map(format_value, takewhile(lambda part: part not in known, filled)))


def _tell_lever(lever: RecoveryAction) -> str:
    state = "possible" if lever.offered else "not offered"
    loses = (
        f" Loses {pluralize(len(lever.lost_records), 'unsent change')}." if len(lever.lost_records) else ""
    )
    return f"{lever.title} ({lever.name}, {lever.who}): {state}. {lever.reason}{loses}"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
