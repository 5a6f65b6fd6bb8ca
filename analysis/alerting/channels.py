"""Send notifications by webhook, e-mail or file. A receiver that is down is reported and does not raise an error.

The path of a webhook URL can be a secret, so messages contain only its host. Text from devices is sent as JSON or as
plain text, never as HTML.
"""

from __future__ import annotations

import http.client
import json
import smtplib
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from hashlib import blake2b
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from analysis.alerting.alert_log import AlertLog, Notification
from analysis.base.errors import AnalysisError

MAX_ATTEMPTS = 3
_FIRST_PAUSE_SECONDS = 0.5


class ChannelError(AnalysisError):
    """A channel with an invalid configuration."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Treat a redirect as a failure: a redirected POST becomes a GET, and its 200 does not confirm receipt."""

    def redirect_request(self, *_: object) -> None:
        """Follow no redirects."""


_OPENER = urllib.request.build_opener(_NoRedirects)


class Channel(Protocol):
    """A receiver of notifications. `send` raises OSError if the receiver cannot be reached or refuses."""

    @property
    def name(self) -> str:
        """Return the name of the channel, without secrets."""

    def send(self, notifications: Sequence[Notification]) -> None:
        """Send all notifications, or raise OSError."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of sending notifications on one channel."""

    channel: str
    sent: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookChannel:
    """POSTs `{"notices": [...]}` as JSON; any 2xx answer means received."""

    url: str
    timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise ChannelError(
                "a webhook needs an http or https URL",
                next_step="Use a URL such as https://chat.example.com/hook.",
            )

    @property
    def name(self) -> str:
        """Return the host of the URL and a short hash of it; the path can be a secret."""
        url_hash = blake2b(self.url.encode(), digest_size=2).hexdigest()
        return f"webhook {urlsplit(self.url).hostname} ({url_hash})"

    def send(self, notifications: Sequence[Notification]) -> None:
        """Send the notifications in one request. Raises OSError."""
        body = json.dumps({"notices": [notification.to_dict() for notification in notifications]}).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked when the channel was made
            self.url, data=body, headers={"Content-Type": "application/json"}, method="POST"
        )
        try:
            with _OPENER.open(request, timeout=self.timeout_seconds) as answer:
                answer.read()
        except urllib.error.HTTPError as refused:
            refused.close()
            raise OSError(f"answered {refused.code}") from None
        except urllib.error.URLError as failed:
            raise OSError(str(failed.reason)) from None
        except http.client.HTTPException as garbled:
            raise OSError(f"did not answer in HTTP: {type(garbled).__name__}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailChannel:
    """Sends one plain-text message per batch by SMTP, with STARTTLS and sign-in if configured."""

    host: str
    port: int = 25
    sender: str
    recipients: tuple[str, ...]
    starttls: bool = False
    user: str | None = None
    password: str | None = None
    timeout_seconds: float = 10.0

    def __repr__(self) -> str:
        """Keep the password out of logs."""
        return f"EmailChannel({self.name})"

    @property
    def name(self) -> str:
        """Return the name of the channel."""
        return f"e-mail by {self.host}"

    def send(self, notifications: Sequence[Notification]) -> None:
        """Send the notifications in one message. Raises OSError."""
        with smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds) as server:
            if self.starttls:
                server.starttls()
            if self.user is not None and self.password is not None:
                server.login(self.user, self.password)
            server.send_message(self._message(notifications))

    def _message(self, notifications: Sequence[Notification]) -> EmailMessage:
        message = EmailMessage()
        first = notifications[0].headline if len(notifications) == 1 else f"{len(notifications)} alerts"
        # A header must be one line, whatever text a device sends.
        message["Subject"] = " ".join(f"SyncLens: {first}".split())[:200]
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        lines = [f"{each.at.isoformat()}Z  {each.alert.severity}  {each.headline}" for each in notifications]
        message.set_content("\n".join(" ".join(line.split()) for line in lines) + "\n")
        return message


@dataclass(frozen=True, slots=True)
class FileChannel:
    """Appends one JSON line per notification to a file."""

    path: Path

    @property
    def name(self) -> str:
        """Return the name of the channel."""
        return f"file {self.path}"

    def send(self, notifications: Sequence[Notification]) -> None:
        """Append the notifications in one write. Raises OSError."""
        rows = [json.dumps(notification.to_dict(), ensure_ascii=False) for notification in notifications]
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{row}\n" for row in rows))


def send_notifications(
    notifications: Sequence[Notification], channels: Sequence[Channel], *, pause: Callable[[float], None]
) -> list[Delivery]:
    """Send the notifications that are not silenced to every channel, with up to three attempts each.

    `pause` waits for a number of seconds between attempts. If one channel fails, the others still get them.
    """
    active = [notification for notification in notifications if not notification.silenced]
    return [_deliver(active, channel, pause) for channel in channels] if active else []


def send_queued(
    log: AlertLog, channels: Sequence[Channel], *, pause: Callable[[float], None]
) -> list[Delivery]:
    """Send each channel its queued notifications, including those from earlier rounds.

    Delivery is at least once: after a crash between sending and `mark_sent`, they are sent again.
    """
    deliveries = []
    for channel in channels:
        if queued := log.queued(channel.name):
            delivery = _deliver([notification for _, notification in queued], channel, pause)
            deliveries.append(delivery)
            if delivery.error is None:
                log.mark_sent([number for number, _ in queued])
    return deliveries


def _deliver(
    notifications: Sequence[Notification], channel: Channel, pause: Callable[[float], None]
) -> Delivery:
    error = ""
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            pause(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        try:
            channel.send(notifications)
        except OSError as failed:
            error = str(failed) or type(failed).__name__
        else:
            return Delivery(channel.name, len(notifications))
    return Delivery(channel.name, 0, f"{error} (tried {MAX_ATTEMPTS} times)")
