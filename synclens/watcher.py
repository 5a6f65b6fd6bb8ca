"""Watch a store in rounds: update issue states, record alerts, and send notifications.

The clock and the wait function are arguments, so that a test can run a week at once and a signal can end a wait. A
step that fails is reported and retried in the next round; recorded notifications are never lost in between.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import analysis
import ingest
from analysis.alerting.alert_log import AlertLog, Notification
from analysis.alerting.channels import Channel, Delivery, EmailChannel, WebhookChannel, send_queued
from analysis.alerting.rules import Alert, AlertRule
from analysis.alerting.slo import Slo
from synclens.options import store_option_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORE_TIMEOUT_SECONDS = 20.0
DEFAULT_SMTP_PORT = 25
Report = Callable[[str], None]
Clock = Callable[[], datetime]
Wait = Callable[[float], bool]
"""Waits that many seconds, or less if a stop is requested; returns whether it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """The store to watch, its alert rules and objectives, the notification channels, and the dashboard to link."""

    store: Path
    rules: Sequence[AlertRule]
    objectives: Sequence[Slo]
    channels: Sequence[Channel] = ()
    dashboard_url: str | None = None
    store_timeout_seconds: float = STORE_TIMEOUT_SECONDS

    @property
    def channel_names(self) -> list[str]:
        """Return the names of the channels; queued notifications are stored under these names."""
        return [channel.name for channel in self.channels]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """The result of one round. `store_error` is the reason if the store could not be read."""

    at: datetime
    states_changed: int = 0
    notifications: tuple[Notification, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    store_error: str | None = None

    @property
    def failed_deliveries(self) -> list[Delivery]:
        """Return the failed deliveries, which are retried in the next round."""
        return [delivery for delivery in self.deliveries if delivery.error is not None]


def run_round(settings: WatchSettings, at: datetime, *, pause: Callable[[float], object]) -> RoundResult:
    """Run one round at the reference time `at`.

    A locked, missing or damaged store is reported in `store_error`, not raised. Notifications that earlier rounds
    could not deliver are sent in any case. `pause` waits between delivery attempts.
    """
    alert_log = AlertLog.for_store(settings.store)
    states_changed, notifications, store_error = 0, list[Notification](), None
    try:
        states_changed, notifications = _update_store(settings, alert_log, at)
    except ingest.IngestError as error:
        store_error = f"{error}. {error.next_step}"
    deliveries = send_queued(alert_log, settings.channels, pause=lambda seconds: _call(pause, seconds))
    return RoundResult(
        at=at,
        states_changed=states_changed,
        notifications=tuple(notifications),
        deliveries=tuple(deliveries),
        store_error=store_error,
    )


def run_rounds(
    settings: WatchSettings, *, every_seconds: float, clock: Clock, wait: Wait, report: Report
) -> int:
    """Run rounds until `wait` returns true, pass each result line to `report`, and return the number of rounds."""
    rounds = 0
    while True:
        for line in round_lines(run_round(settings, clock(), pause=wait)):
            report(line)
        rounds += 1
        if wait(every_seconds):
            return rounds


def round_lines(result: RoundResult) -> list[str]:
    """Describe a round, one line per event. A round without events has no lines."""
    stamp = f"{result.at:%Y-%m-%d %H:%M:%S}Z"
    lines = []
    if result.store_error:
        lines.append(f"{stamp} the store could not be read, retrying in the next check: {result.store_error}")
    if result.states_changed:
        lines.append(f"{stamp} {result.states_changed} issue states changed")
    lines += [
        f"{stamp} {'(silenced) ' if notification.silenced else ''}{_one_line(notification.headline)}"
        for notification in result.notifications
    ]
    for delivery in result.deliveries:
        if delivery.error is None:
            lines.append(f"{stamp} {delivery.channel}: {delivery.sent} sent")
        else:
            lines.append(f"{stamp} {delivery.channel}: {delivery.error}; retrying in the next check")
    return lines


def webhook_channels(urls: Sequence[str]) -> list[Channel]:
    """Return one channel per URL. Raises ChannelError."""
    return [WebhookChannel(url) for url in urls]


def mail_channel(
    server: str,
    *,
    sender: str,
    recipients: Sequence[str],
    starttls: bool,
    environment: Mapping[str, str] = os.environ,
) -> Channel:
    """Return an e-mail channel for the server HOST or HOST:PORT.

    User and password are read from SYNCLENS_SMTP_USER and SYNCLENS_SMTP_PASSWORD, never from options. Raises
    AnalysisError if the port is not a number.
    """
    host, _, port = server.partition(":")
    if port and not port.isdecimal():
        raise analysis.AnalysisError(
            f"{server!r} is not HOST or HOST:PORT", next_step="Write it as mail.example.com:587."
        )
    return EmailChannel(
        host=host,
        port=int(port or DEFAULT_SMTP_PORT),
        sender=sender,
        recipients=tuple(recipients),
        starttls=starttls,
        user=environment.get("SYNCLENS_SMTP_USER"),
        password=environment.get("SYNCLENS_SMTP_PASSWORD"),
    )


def _update_store(
    settings: WatchSettings, alert_log: AlertLog, at: datetime
) -> tuple[int, list[Notification]]:
    with ingest.open_store(settings.store, timeout_seconds=settings.store_timeout_seconds) as opened:
        changes = analysis.update_issue_states(opened, analysis.TriageState.for_store(settings.store), at)
        alerts = analysis.evaluate_alert_rules(opened, settings.rules, at, slos=settings.objectives)
        open_alerts = {
            (entry.alert.rule, entry.alert.key, entry.alert.issue_id): entry.alert
            for entry in alert_log.open_alerts()
        }
        alerts = [
            _explained(opened, alert, open_alerts.get((alert.rule, alert.key, alert.issue_id)), at, settings)
            for alert in alerts
        ]
    notifications = alert_log.record(
        settings.rules, alerts, at, channels=settings.channel_names, objectives=settings.objectives
    )
    return len(changes), notifications


def _explained(
    store: DuckDBPyConnection, alert: Alert, before: Alert | None, at: datetime, settings: WatchSettings
) -> Alert:
    """Add the link, and the suspected change once, when the alert starts: finding it reads the whole history."""
    if alert.issue_id is None:
        return alert
    if before is not None:
        return replace(alert, change=before.change, link=before.link)
    change = next(iter(analysis.suspects(store, alert.issue_id, until=at, limit=1)), None)
    return replace(
        alert,
        change=None
        if change is None
        else f"{change.changed_at:%Y-%m-%d %H:%M} UTC {change.kind} {change.target}",
        link=_link(alert.issue_id, settings),
    )


def _link(issue_id: str, settings: WatchSettings) -> str:
    """Return the page of an issue, or the command that shows it if no dashboard is configured."""
    if settings.dashboard_url is None:
        return f"synclens issue {issue_id}{store_option_text(settings.store)}"
    return f"{settings.dashboard_url.rstrip('/')}/issue?{urlencode({'issue': issue_id})}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _call(pause: Callable[[float], object], seconds: float) -> None:
    """Call `pause` and drop its result, which `send_queued` does not accept."""
    pause(seconds)
