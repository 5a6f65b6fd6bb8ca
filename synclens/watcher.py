"""Watching a store: round after round, move issue states on, note alerts, and tell who asked to be told.

The clock and the waiting are handed in, so that a test plays a week at once and a signal ends a pause. What
could not be done in a round is said and tried again in the next; nothing that was noted is lost between them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import analysis
import ingest
from analysis.alerting.alert_log import AlertLog, Notification
from analysis.alerting.channels import Channel, Delivery, EmailChannel, WebhookChannel, send_queued
from analysis.alerting.rules import AlertRule
from analysis.alerting.slo import Slo

PATIENCE_SECONDS = 20.0
Told = Callable[[str], None]
Clock = Callable[[], datetime]
Wait = Callable[[float], bool]
"""Waits that many seconds, or less when the end is asked for; says whether it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """What is watched, by which rules, and who is told."""

    store: Path
    rules: Sequence[AlertRule]
    objectives: Sequence[Slo]
    channels: Sequence[Channel] = ()
    patience_seconds: float = PATIENCE_SECONDS

    @property
    def names(self) -> list[str]:
        """The names of the channels, under which what they have not received is kept."""
        return [channel.name for channel in self.channels]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What one round did: issue states moved, notices noted, deliveries, and why nothing could be looked at."""

    at: datetime
    moved: int = 0
    notices: tuple[Notification, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    blind: str | None = None

    @property
    def failed(self) -> list[Delivery]:
        """The deliveries that did not arrive and are kept for the next round."""
        return [delivery for delivery in self.deliveries if delivery.error is not None]


def run_round(watch: WatchSettings, at: datetime, *, pause: Callable[[float], object]) -> RoundResult:
    """Do one round as of `at`. A store that is held, missing or damaged is reported in `blind`, not raised.

    What earlier rounds noted and could not deliver goes out all the same. `pause` waits between tries.
    """
    book = AlertLog.for_store(watch.store)
    moved, notices, blind = 0, list[Notification](), None
    try:
        moved, notices = _look(watch, book, at)
    except ingest.IngestError as held:
        blind = f"{held}. {held.next_step}"
    sent = send_queued(book, watch.channels, pause=lambda seconds: _ignored(pause(seconds)))
    return RoundResult(at=at, moved=moved, notices=tuple(notices), deliveries=tuple(sent), blind=blind)


def run_rounds(watch: WatchSettings, *, every_seconds: float, clock: Clock, wait: Wait, tell: Told) -> int:
    """Look round after round until `wait` says that the end is asked for; gives the number of rounds."""
    rounds = 0
    while True:
        for line in round_lines(run_round(watch, clock(), pause=wait)):
            tell(line)
        rounds += 1
        if wait(every_seconds):
            return rounds


def round_lines(done: RoundResult) -> list[str]:
    """Say what a round did, one line each; a round without news has none."""
    stamp = f"{done.at:%Y-%m-%d %H:%M:%S}Z"
    lines = [f"{stamp} could not look, the next round tries again: {done.blind}"] if done.blind else []
    if done.moved:
        lines.append(f"{stamp} {done.moved} issue states moved")
    lines += [
        f"{stamp} {'(silenced) ' if notice.silenced else ''}{_one_line(notice.headline)}"
        for notice in done.notices
    ]
    for delivery in done.deliveries:
        if delivery.error is None:
            lines.append(f"{stamp} {delivery.channel}: {delivery.sent} sent")
        else:
            lines.append(f"{stamp} {delivery.channel}: {delivery.error}; kept, the next round tries again")
    return lines


def webhook_channels(urls: Sequence[str]) -> list[Channel]:
    """One channel for each address. Raises ChannelError."""
    return [WebhookChannel(url) for url in urls]


def mail_channel(
    server: str,
    *,
    sender: str,
    recipients: Sequence[str],
    starttls: bool,
    environment: Mapping[str, str] = os.environ,
) -> Channel:
    """A channel by HOST or HOST:PORT; user and password come from the environment, never from the command.

    They are SYNCLENS_SMTP_USER and SYNCLENS_SMTP_PASSWORD. Raises AnalysisError for a port that is none.
    """
    host, _, port = server.partition(":")
    if port and not port.isdecimal():
        raise analysis.AnalysisError(
            f"{server!r} is not HOST or HOST:PORT", next_step="Write it as mail.example.com:587."
        )
    return EmailChannel(
        host=host,
        port=int(port or 25),
        sender=sender,
        recipients=tuple(recipients),
        starttls=starttls,
        user=environment.get("SYNCLENS_SMTP_USER"),
        password=environment.get("SYNCLENS_SMTP_PASSWORD"),
    )


def _look(watch: WatchSettings, book: AlertLog, at: datetime) -> tuple[int, list[Notification]]:
    with ingest.open_store(watch.store, timeout_seconds=watch.patience_seconds) as opened:
        moved = analysis.update_issue_states(opened, analysis.TriageState.for_store(watch.store), at)
        firings = analysis.evaluate_alert_rules(opened, watch.rules, at, slos=watch.objectives)
    return len(moved), book.record(watch.rules, firings, at, channels=watch.names)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _ignored(_: object) -> None:
    """`send_queued` takes a pause without an answer."""
