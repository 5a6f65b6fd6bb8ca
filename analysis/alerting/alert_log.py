"""The alert log: open alerts, silences, and notifications that wait to be sent.

`update_open_alerts` is a pure function: from the open alerts and the alerts that fire now it computes the new open
alerts and the notifications. `AlertLog` stores the result in SQLite, so a restarted watcher neither repeats a
notification nor forgets that an alert has ended.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from analysis.alerting.rules import Alert, AlertRule, describe_definition
from analysis.alerting.slo import Slo, load_objectives
from analysis.base.errors import AnalysisError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS open_alert (
    rule TEXT NOT NULL, key TEXT NOT NULL, firing TEXT NOT NULL, since TEXT NOT NULL, calm INTEGER NOT NULL,
    PRIMARY KEY (rule, key)
);
CREATE TABLE IF NOT EXISTS silence (
    number INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, key TEXT NOT NULL, until TEXT NOT NULL,
    actor TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS unsent (
    number INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, notice TEXT NOT NULL
);
"""


class AlertLogError(AnalysisError):
    """The alert log file cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlert:
    """An alert that fired and has not recovered.

    `clear_evaluations` counts the evaluations in which it did not fire, `definition` is a digest of the rule by which
    it fired (`describe_definition`).
    """

    alert: Alert
    since: datetime
    clear_evaluations: int = 0
    definition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A message to send: an alert has fired or recovered, or its rule was changed and no longer fires."""

    kind: Literal["fired", "recovered", "rule changed"]
    at: datetime
    since: datetime
    alert: Alert
    silenced: bool = False

    @property
    def headline(self) -> str:
        """Return the message in one line."""
        if self.kind == "fired":
            return self.alert.summary
        name = f"{self.alert.title} ({self.alert.issue or self.alert.key or 'fleet'})"
        if self.kind == "recovered":
            return f"Recovered: {name}"
        return f"Rule changed: {name} does not fire by the new rule; it was not seen to recover"

    def to_dict(self) -> dict[str, Any]:
        """Return the notification as plain values, timestamps as ISO text in UTC."""
        return {
            "kind": self.kind,
            "at": f"{self.at.isoformat()}Z",
            "since": f"{self.since.isoformat()}Z",
            "silenced": self.silenced,
            "headline": self.headline,
            **self.alert.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Notification:
        """Create a notification from the result of `to_dict`."""
        return cls(
            kind=values["kind"],
            at=datetime.fromisoformat(values["at"].removesuffix("Z")),
            since=datetime.fromisoformat(values["since"].removesuffix("Z")),
            silenced=values["silenced"],
            alert=Alert(
                **{field.name: values[field.name] for field in fields(Alert) if field.name in values}
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No notifications for this rule (and key, unless it is "*") until `until`."""

    rule: str
    key: str
    until: datetime
    actor: str
    reason: str

    def covers(self, alert: Alert, at: datetime) -> bool:
        """Return whether this silence applies to an alert at the time `at`."""
        return self.rule == alert.rule and self.key in ("*", alert.key) and at < self.until


AlertKey = tuple[str, str]
"""The name of a rule and the key of an alert."""


def update_open_alerts(
    open_before: Mapping[AlertKey, OpenAlert],
    alerts: Sequence[Alert],
    at: datetime,
    recover_after: Mapping[str, int],
    silences: Sequence[Silence] = (),
    *,
    define: Callable[[Alert], str | None] = lambda _: "",
) -> tuple[dict[AlertKey, OpenAlert], list[Notification]]:
    """Return the open alerts after an evaluation, and the notifications to send.

    `alerts` are the alerts that fire at `at`. An alert causes one notification when it fires and one when it has not
    fired for `recover_after` evaluations (by rule name). An alert that starts during a silence causes a notification
    when the silence ends, if it still fires. `define` returns the digest of the rule of an alert, None if this
    evaluation does not check it: then the alert stays open as it is. If its rule is another than the one by which it
    fired, it is closed without a recovery.
    """
    now = _to_naive_utc(at)
    firing = {(alert.rule, alert.key): alert for alert in alerts}
    open_after: dict[AlertKey, OpenAlert] = {}
    notifications = []
    for key, alert in firing.items():
        if any(silence.covers(alert, now) for silence in silences) and key not in open_before:
            continue
        before = open_before.get(key)
        open_after[key] = OpenAlert(
            alert=alert, since=before.since if before else now, definition=define(alert) or ""
        )
        if before is None:
            notifications.append(Notification(kind="fired", at=now, since=now, alert=alert))
    for key, open_alert in open_before.items():
        definition = define(open_alert.alert)
        if key in firing:
            continue
        if definition is None:
            open_after[key] = open_alert
            continue
        is_changed = bool(open_alert.definition) and definition != open_alert.definition
        cleared = replace(open_alert, clear_evaluations=open_alert.clear_evaluations + 1)
        needed = recover_after.get(open_alert.alert.rule, 1)
        if not is_changed and cleared.clear_evaluations < needed:
            open_after[key] = cleared
        else:
            silenced = any(silence.covers(open_alert.alert, now) for silence in silences)
            notifications.append(
                Notification(
                    kind="rule changed" if is_changed else "recovered",
                    at=now,
                    since=open_alert.since,
                    alert=open_alert.alert,
                    silenced=silenced,
                )
            )
    return open_after, notifications


class AlertLog:
    """Open alerts, silences and queued notifications in the SQLite file at `path`. Raises AlertLogError."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with self._connect() as connection:
            connection.executescript(_SCHEMA)

    @classmethod
    def for_store(cls, store: Path | str) -> AlertLog:
        """Open the alert log that belongs to the store at `store`."""
        return cls(Path(store).with_suffix(".alerts.sqlite"))

    def record(
        self,
        rules: Sequence[AlertRule],
        alerts: Sequence[Alert],
        at: datetime,
        *,
        channels: Sequence[str] = (),
        objectives: Sequence[Slo] | None = None,
    ) -> list[Notification]:
        """Store the alerts that fire at `at`, and return the new notifications; silenced ones are marked.

        `rules` and `objectives` (the default ones if None) are those that were evaluated: alerts of others stay open.
        The other notifications are queued for each of `channels` (by name) in the same transaction, until `mark_sent`
        removes them: a receiver that is down for a day gets them later.
        """
        recover_after = {rule.name: rule.recover_after for rule in rules}
        slos = load_objectives() if objectives is None else objectives
        with self._connect() as connection:
            # Lock before the first read; otherwise two watchers can send the same notification.
            connection.execute("BEGIN IMMEDIATE")
            open_after, notifications = update_open_alerts(
                _read_open_alerts(connection), alerts, at, recover_after, _read_silences(connection),
                define=lambda alert: describe_definition(alert, rules, slos),
            )  # fmt: skip
            connection.execute("DELETE FROM open_alert")
            connection.executemany(
                "INSERT INTO open_alert VALUES (?, ?, ?, ?, ?)",
                [
                    (
                        *key,
                        json.dumps(entry.alert.to_dict() | {"definition": entry.definition}),
                        entry.since.isoformat(),
                        entry.clear_evaluations,
                    )
                    for key, entry in open_after.items()
                ],
            )
            connection.executemany(
                "INSERT INTO unsent (channel, notice) VALUES (?, ?)",
                [
                    (channel, json.dumps(notification.to_dict()))
                    for notification in notifications
                    if not notification.silenced
                    for channel in channels
                ],
            )
            connection.execute("COMMIT")
        return notifications

    def open_alerts(self) -> list[OpenAlert]:
        """Return the open alerts, oldest first."""
        with self._connect() as connection:
            alerts = _read_open_alerts(connection).values()
        return sorted(alerts, key=lambda entry: (entry.since, entry.alert.rule))

    def queued(self, channel: str) -> list[tuple[int, Notification]]:
        """Return the queued notifications of a channel with their numbers, oldest first."""
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT number, notice FROM unsent WHERE channel = ? ORDER BY number", (channel,)
            ).fetchall()
        return [(number, Notification.from_dict(json.loads(notice))) for number, notice in rows]

    def mark_sent(self, numbers: Sequence[int]) -> None:
        """Remove notifications that were sent from the queue."""
        with self._connect() as connection:
            connection.executemany("DELETE FROM unsent WHERE number = ?", [(number,) for number in numbers])

    def silence(self, rule: str, *, until: datetime, actor: str, reason: str, key: str = "*") -> None:
        """Send no notifications for this rule until `until`; with `key`, only for this key."""
        with self._connect() as connection:
            connection.execute(
                "INSERT INTO silence (rule, key, until, actor, reason) VALUES (?, ?, ?, ?, ?)",
                (rule, key, _to_naive_utc(until).isoformat(), actor, reason),
            )

    def silences(self) -> list[Silence]:
        """Return all silences, including those that have ended."""
        with self._connect() as connection:
            return _read_silences(connection)

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self.path, timeout=10.0, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise AlertLogError(
                f"the alert log {self.path} cannot be used: {error}",
                next_step="Check that its folder exists and is writable, or use another file.",
            ) from error


def _read_open_alerts(connection: sqlite3.Connection) -> dict[AlertKey, OpenAlert]:
    rows = connection.execute(
        "SELECT rule, key, firing, since, calm FROM open_alert ORDER BY since, rule, key"
    )
    open_alerts = {}
    for rule, key, firing, since, calm in rows.fetchall():
        values = json.loads(firing)
        definition = values.pop("definition", "")  # missing in a log of version 0.1.0
        open_alerts[rule, key] = OpenAlert(
            alert=Alert(**values),
            since=datetime.fromisoformat(since),
            clear_evaluations=calm,
            definition=definition,
        )
    return open_alerts


def _read_silences(connection: sqlite3.Connection) -> list[Silence]:
    rows = connection.execute(
        "SELECT rule, key, until, actor, reason FROM silence ORDER BY number"
    ).fetchall()
    return [
        Silence(rule=rule, key=key, until=datetime.fromisoformat(until), actor=actor, reason=reason)
        for rule, key, until, actor, reason in rows
    ]


def _to_naive_utc(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
