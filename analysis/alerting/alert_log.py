"""The book of alerts: which are open, which are silenced, and whom to tell of a change.

A pure step turns what fires now and what was open before into notices; `AlertLog` keeps the result in
SQLite, so that a restarted watcher neither repeats itself nor forgets to send the all-clear.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from analysis.alerting.rules import Alert, AlertRule
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
    """The file of the alert book cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlert:
    """An alert that has been told and not yet recovered; `calm` counts evaluations without its reason."""

    alert: Alert
    since: datetime
    clear_evaluations: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Something to tell: an alert began, or it is over."""

    kind: Literal["fired", "recovered"]
    at: datetime
    since: datetime
    alert: Alert
    silenced: bool = False

    @property
    def headline(self) -> str:
        """Say it in one line."""
        what = f"{self.alert.title}: {self.alert.reason}"
        return (
            what if self.kind == "fired" else f"Recovered: {self.alert.title} ({self.alert.key or 'fleet'})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain values, moments as ISO text in UTC."""
        return {
            "kind": self.kind,
            "at": f"{self.at.isoformat()}Z",
            "since": f"{self.since.isoformat()}Z",
            "silenced": self.silenced,
            "headline": self.headline,
            **self.alert.to_dict(),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Notification:
        """Take a notice back from what `to_dict` made of it."""
        return cls(
            kind=told["kind"],
            at=datetime.fromisoformat(told["at"].removesuffix("Z")),
            since=datetime.fromisoformat(told["since"].removesuffix("Z")),
            silenced=told["silenced"],
            alert=Alert(**{field.name: told[field.name] for field in fields(Alert)}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nobody is told of this rule (and key, unless it is "*") before `until`."""

    rule: str
    key: str
    until: datetime
    actor: str
    reason: str

    def covers(self, firing: Alert, at: datetime) -> bool:
        """Say whether this alert is silenced at that moment."""
        return self.rule == firing.rule and self.key in ("*", firing.key) and at < self.until


Open = Mapping[tuple[str, str], OpenAlert]


def update_open_alerts(
    open_before: Open,
    firings: Sequence[Alert],
    at: datetime,
    calm_of: Mapping[str, int],
    silences: Sequence[Silence] = (),
) -> tuple[dict[tuple[str, str], OpenAlert], list[Notification]]:
    """Turn what was open and what fires now into what is open after, and the notices to send.

    An alert is told once when it begins and once when it has been calm for `calm_of` its rule. One that began
    under a silence is told when the silence is over, if it still fires.
    """
    moment = _naive(at)
    now = {(firing.rule, firing.key): firing for firing in firings}
    after: dict[tuple[str, str], OpenAlert] = {}
    notices = []
    for name, firing in now.items():
        if any(silence.covers(firing, moment) for silence in silences) and name not in open_before:
            continue
        before = open_before.get(name)
        after[name] = OpenAlert(alert=firing, since=before.since if before else moment)
        if before is None:
            notices.append(Notification(kind="fired", at=moment, since=moment, alert=firing))
    for name, alert in open_before.items():
        if name in now:
            continue
        calmer = replace(alert, clear_evaluations=alert.clear_evaluations + 1)
        if calmer.clear_evaluations < calm_of.get(alert.alert.rule, 1):
            after[name] = calmer
        else:
            silenced = any(silence.covers(alert.alert, moment) for silence in silences)
            notices.append(
                Notification(
                    kind="recovered", at=moment, since=alert.since, alert=alert.alert, silenced=silenced
                )
            )
    return after, notices


class AlertLog:
    """The open alerts and silences in the SQLite file at `path`; AlertLogError says when it cannot be used."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with self._opened() as book:
            book.executescript(_SCHEMA)

    @classmethod
    def for_store(cls, store: Path | str) -> AlertLog:
        """Open the book that belongs to the store at `store`."""
        return cls(Path(store).with_suffix(".alerts.sqlite"))

    def record(
        self,
        rules: Sequence[AlertRule],
        firings: Sequence[Alert],
        at: datetime,
        *,
        channels: Sequence[str] = (),
    ) -> list[Notification]:
        """Write down what fires at `at` and return what is new. Silenced notices come back marked.

        The rest is kept for each of `channels` (by name) in the same transaction, until `sent` says it
        arrived: a receiver that is down for a day still hears of that day.
        """
        calm_of = {rule.name: rule.recover_after for rule in rules}
        with self._opened() as book:
            # One writer at a time from the first read on, or two watchers would both tell the same news.
            book.execute("BEGIN IMMEDIATE")
            after, notices = update_open_alerts(_read_open(book), firings, at, calm_of, _read_silences(book))
            book.execute("DELETE FROM open_alert")
            book.executemany(
                "INSERT INTO open_alert VALUES (?, ?, ?, ?, ?)",
                [
                    (*name, json.dumps(one.alert.to_dict()), one.since.isoformat(), one.clear_evaluations)
                    for name, one in after.items()
                ],
            )
            book.executemany(
                "INSERT INTO unsent (channel, notice) VALUES (?, ?)",
                [
                    (channel, json.dumps(notice.to_dict()))
                    for notice in notices
                    if not notice.silenced
                    for channel in channels
                ],
            )
            book.execute("COMMIT")
        return notices

    def open_alerts(self) -> list[OpenAlert]:
        """Give the alerts that are open, the oldest first."""
        with self._opened() as book:
            return sorted(_read_open(book).values(), key=lambda one: (one.since, one.alert.rule))

    def queued(self, channel: str) -> list[tuple[int, Notification]]:
        """Give what a channel has not received yet, numbered, the oldest first."""
        with self._opened() as book:
            rows = book.execute(
                "SELECT number, notice FROM unsent WHERE channel = ? ORDER BY number", (channel,)
            ).fetchall()
        return [(number, Notification.from_dict(json.loads(notice))) for number, notice in rows]

    def mark_sent(self, numbers: Sequence[int]) -> None:
        """Forget what has arrived."""
        with self._opened() as book:
            book.executemany("DELETE FROM unsent WHERE number = ?", [(number,) for number in numbers])

    def silence(self, rule: str, *, until: datetime, actor: str, reason: str, key: str = "*") -> None:
        """Tell nobody of this rule before `until`; of one key of it only, if given."""
        with self._opened() as book:
            book.execute(
                "INSERT INTO silence (rule, key, until, actor, reason) VALUES (?, ?, ?, ?, ?)",
                (rule, key, _naive(until).isoformat(), actor, reason),
            )

    def silences(self) -> list[Silence]:
        """Give all silences, also those that are over."""
        with self._opened() as book:
            return _read_silences(book)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            book = sqlite3.connect(self.path, timeout=10.0, isolation_level=None)
            try:
                book.execute("PRAGMA journal_mode = WAL")
                yield book
            finally:
                book.close()
        except sqlite3.Error as error:
            raise AlertLogError(
                f"the alert book {self.path} cannot be used: {error}",
                next_step="Check that its folder exists and may be written, or name another file.",
            ) from error


def _read_open(book: sqlite3.Connection) -> dict[tuple[str, str], OpenAlert]:
    rows = book.execute("SELECT rule, key, firing, since, calm FROM open_alert ORDER BY since, rule, key")
    return {
        (rule, key): OpenAlert(
            alert=Alert(**json.loads(firing)), since=datetime.fromisoformat(since), clear_evaluations=calm
        )
        for rule, key, firing, since, calm in rows.fetchall()
    }


def _read_silences(book: sqlite3.Connection) -> list[Silence]:
    rows = book.execute("SELECT rule, key, until, actor, reason FROM silence ORDER BY number").fetchall()
    return [
        Silence(rule=rule, key=key, until=datetime.fromisoformat(until), actor=actor, reason=reason)
        for rule, key, until, actor, reason in rows
    ]


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
