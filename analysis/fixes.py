"""A suggested fix: the playbook of an issue's cause with the evidence of this case filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from analysis.circumstances import Common, change_before, common_to, gaps
from analysis.filters import Filters
from analysis.issues import PENDING_NOW, UnknownIssue
from analysis.levers import Lever, levers, plain_rows
from analysis.metrics import ask
from analysis.playbook import Playbook, load_playbook
from analysis.wording import difference, many

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
_WAITING = f"""
WITH {PENDING_NOW}
SELECT p.device_id, p.user_id, p.object, p.record_id, p.operation, p.edited_at, p.parent_record_id
FROM pending_now AS p
WHERE p.in_error AND (p.device_id, p.record_id) IN
    (SELECT DISTINCT device_id, record_id FROM error WHERE issue_id = $issue_id AND record_id IS NOT NULL)
ORDER BY p.edited_at, p.device_id, p.record_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What to do about one issue, and why.

    `who` acts and `where`; `where` is None where the playbook names no single place. `named` holds what the
    errors name (object, field, operation, phase, error_type, app_version), the most frequent first.
    `change` is the configuration change that the start is put down to, with `certain` and `p_value`.
    `waiting` are the records that wait on devices with such an error; `notes` say what is not known.
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
    named: Mapping[str, tuple[str, ...]]
    common: tuple[Common, ...]
    change: Mapping[str, Any] | None
    waiting: pd.DataFrame
    levers: tuple[Lever, ...]
    message: str | None
    evidence: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def in_this_case(self) -> list[str]:
        """Tell the evidence of this case, a sentence each."""
        return [
            *_who_and_what(self),
            *map(_tell_common, self.common),
            *_tell_change(self),
            *_tell_waiting(self),
        ]

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
            "named": {kind: list(values) for kind, values in self.named.items()},
            "common": [{name: getattr(one, name) for name in Common.__slots__} for one in self.common],
            "change": None if self.change is None else dict(self.change),
            "waiting": plain_rows(self.waiting),
            "levers": [lever.to_dict() for lever in self.levers],
            "in_this_case": self.in_this_case,
            "evidence": list(self.evidence),
            "notes": list(self.notes),
        }

    def as_text(self) -> str:
        """Write it as plain text: the case, the fix, the levers, what is not known."""
        parts = [
            self.playbook.title,
            "In this case\n" + _bullets([*self.in_this_case, *self.evidence]),
            f"What to do\n{self.playbook.fix.replace('**', '')}",
            "Levers\n" + _bullets(_tell_lever(lever) for lever in self.levers),
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
    common = common_to(connection, issue_id)
    since = facts["since"]
    waiting = ask(connection, _WAITING, Filters.of(), bound)
    return Suggestion(
        issue_id=issue_id,
        cause=page.cause,
        confidence=facts["confidence"],
        playbook=page,
        who=page.short_fix.partition(":")[0],
        where=_where(page.fix),
        side=facts["side"],
        retryable=facts["retryable"],
        events=facts["events"],
        users=facts["users"],
        devices=facts["devices"],
        since=since,
        latest=facts["latest"],
        named=named,
        common=tuple(common),
        change=change_before(
            connection,
            issue_id,
            since,
            cause=page.cause,
            named=named,
            shared=[one.value for one in common],
        ),
        waiting=waiting,
        levers=tuple(levers(connection, issue_id=issue_id)),
        message=facts["message"],
        evidence=tuple(facts["evidence"] or ()),
        notes=tuple(gaps(connection, issue_id, since)),
    )


def _one(connection: DuckDBPyConnection, sql: str, bound: Mapping[str, Any]) -> dict[str, Any]:
    cursor = connection.execute(sql, bound)
    names = [column[0] for column in cursor.description or ()]
    return dict(zip(names, cursor.fetchone() or (), strict=True))


def _named(found: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    kept = found[found["value"].notna() & (found["value"] != "")]
    return {str(kind): tuple(group["value"]) for kind, group in kept.groupby("kind")}


def _where(fix: str) -> str | None:
    """Find the first place the steps name; clearing the cache comes after every change and is no place."""
    steps = " ".join(fix.split())
    found = re.findall(r"\b(?:Business Admin|Admin|Options|Settings) > [^,.;:()*`]+", steps)
    return next((place.strip() for place in found if "Clear Cache" not in place), None)


def _who_and_what(case: Suggestion) -> Iterable[str]:
    devices = f" on {many(case.devices, 'device')}" if case.devices else ""
    yield (
        f"{many(case.events, 'error')}, {many(case.users, 'user')}{devices}, since {case.since:%Y-%m-%d %H:%M} UTC, "
        f"the last {case.latest:%Y-%m-%d %H:%M} UTC."
    )
    kinds = ("object", "field", "operation", "phase", "error_type")
    told = [
        f"{kind.replace('_', ' ')} {', '.join(case.named[kind][:3])}" for kind in kinds if kind in case.named
    ]
    if told:
        yield f"The errors name {'; '.join(told)}."


def _tell_common(one: Common) -> str:
    return (
        f"{one.users_hit} of {one.all_hit} users hit have {one.attribute.replace('_', ' ')} {one.value}, "
        f"but only {one.users_spared} of {one.all_spared} others."
    )


def _tell_change(case: Suggestion) -> Iterable[str]:
    if case.change is None:
        return
    row = case.change
    on = " ".join(str(row[name]) for name in ("kind", "target", "object", "field") if row[name])
    by = f" by {row['changed_by']}" if row["changed_by"] else ""
    at = str(row["changed_at"])[:16].replace("T", " ")
    turned = shorten(difference(row["before"] or "nothing", row["after"] or "nothing"), 160)
    told = f" ({turned})" if row["before"] or row["after"] else ""
    yield f"At {at} UTC{by}, this was changed: {on}{told}."
    if row["certain"]:
        yield f"It explains the start better than a random moment would (p = {row['p_value']:.3f})."
    else:
        yield "It came shortly before, which is a hint and no proof."


def _tell_waiting(case: Suggestion) -> Iterable[str]:
    if not case.waiting.empty:
        oldest = case.waiting["edited_at"].min()
        since = "" if pd.isna(oldest) else f", the oldest since {oldest:%Y-%m-%d %H:%M} UTC"
        devices = many(case.waiting["device_id"].nunique(), "device")
        wait = "waits" if len(case.waiting) == 1 else "wait"
        yield f"{many(len(case.waiting), 'record')} {wait} on {devices}{since}."


def _tell_lever(lever: Lever) -> str:
    state = "possible" if lever.offered else "not offered"
    loses = f" Loses {many(len(lever.loses), 'unsent change')}." if len(lever.loses) else ""
    return f"{lever.title} ({lever.name}, {lever.who}): {state}. {lever.reason}{loses}"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
