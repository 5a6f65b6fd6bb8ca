"""Delivery of notices: webhook, e-mail, file. A receiver that is down is reported, not raised, never hidden.

Addresses of webhooks hold secrets in their paths, so what is said of one names its host only. Text from
devices goes out as JSON or as plain text, never as HTML.
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
    """A channel that cannot work as it is set up."""


class _NoDetours(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET, whose 200 says nothing of the notices: take it for a refusal."""

    def redirect_request(self, *_: object) -> None:
        """Follow none."""


_STRAIGHT = urllib.request.build_opener(_NoDetours)


class Channel(Protocol):
    """Where notices go. `send` raises OSError when the receiver cannot be reached or refuses."""

    @property
    def name(self) -> str:
        """Say which channel it is, without a secret."""

    def send(self, notices: Sequence[Notification]) -> None:
        """Hand the notices over, all or none."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of the notices on one channel."""

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
                "a webhook needs an http or https address",
                next_step="Give e.g. https://chat.example.com/hook.",
            )

    @property
    def name(self) -> str:
        """Say which channel it is: the host, because the path may be a secret, and a mark that tells it apart."""
        mark = blake2b(self.url.encode(), digest_size=2).hexdigest()
        return f"webhook {urlsplit(self.url).hostname} ({mark})"

    def send(self, notices: Sequence[Notification]) -> None:
        """Hand the notices over in one request. Raises OSError."""
        body = json.dumps({"notices": [notice.to_dict() for notice in notices]}).encode()
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked when the channel was made
            self.url, data=body, headers={"Content-Type": "application/json"}, method="POST"
        )
        try:
            with _STRAIGHT.open(request, timeout=self.timeout_seconds) as answer:
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
    """Sends one plain-text message per batch by SMTP, with STARTTLS and a sign-in where configured."""

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
        """Say which channel it is."""
        return f"e-mail by {self.host}"

    def send(self, notices: Sequence[Notification]) -> None:
        """Hand the notices over in one message. Raises OSError."""
        with smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds) as server:
            if self.starttls:
                server.starttls()
            if self.user is not None and self.password is not None:
                server.login(self.user, self.password)
            server.send_message(self._message(notices))

    def _message(self, notices: Sequence[Notification]) -> EmailMessage:
        message = EmailMessage()
        first = notices[0].headline if len(notices) == 1 else f"{len(notices)} alerts"
        # A header must stay one line whatever a device called itself.
        message["Subject"] = " ".join(f"SyncLens: {first}".split())[:200]
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        lines = [f"{one.at.isoformat()}Z  {one.alert.severity}  {one.headline}" for one in notices]
        message.set_content("\n".join(" ".join(line.split()) for line in lines) + "\n")
        return message


@dataclass(frozen=True, slots=True)
class FileChannel:
    """Appends one JSON line per notice to a file, for whatever reads files."""

    path: Path

    @property
    def name(self) -> str:
        """Say which channel it is."""
        return f"file {self.path}"

    def send(self, notices: Sequence[Notification]) -> None:
        """Append the notices in one write. Raises OSError."""
        lines = "".join(json.dumps(notice.to_dict(), ensure_ascii=False) + "\n" for notice in notices)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(lines)


def send_notifications(
    notices: Sequence[Notification], channels: Sequence[Channel], *, pause: Callable[[float], None]
) -> list[Delivery]:
    """Send notices that are not silenced to every channel, each tried three times with growing pauses.

    `pause` waits for that many seconds. One channel that fails does not keep the others from being told.
    """
    told = [notice for notice in notices if not notice.silenced]
    return [_deliver(told, channel, pause) for channel in channels] if told else []


def send_queued(
    book: AlertLog, channels: Sequence[Channel], *, pause: Callable[[float], None]
) -> list[Delivery]:
    """Send every channel what it has not received yet, also from earlier rounds.

    At least once: a crash between sending and noting it sends it again.
    """
    outcomes = []
    for channel in channels:
        if waiting := book.queued(channel.name):
            outcome = _deliver([notice for _, notice in waiting], channel, pause)
            outcomes.append(outcome)
            if outcome.error is None:
                book.mark_sent([number for number, _ in waiting])
    return outcomes


def _deliver(notices: Sequence[Notification], channel: Channel, pause: Callable[[float], None]) -> Delivery:
    error = ""
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            pause(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        try:
            channel.send(notices)
        except OSError as failed:
            error = str(failed) or type(failed).__name__
        else:
            return Delivery(channel.name, len(notices))
    return Delivery(channel.name, 0, f"{error} (tried {MAX_ATTEMPTS} times)")
