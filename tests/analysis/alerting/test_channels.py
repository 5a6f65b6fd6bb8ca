"""Delivery to real receivers on this machine: an HTTP server, an SMTP server, a file."""

import json
import socketserver
import threading
from contextlib import contextmanager
from datetime import datetime
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from analysis.alerting.alert_log import AlertLog, Notification
from analysis.alerting.channels import (
    MAX_ATTEMPTS,
    ChannelError,
    EmailChannel,
    FileChannel,
    WebhookChannel,
    send_notifications,
    send_queued,
)
from analysis.alerting.rules import Alert

AT = datetime(2026, 3, 20, 12)  # noqa: DTZ001 - as in the store
HOSTILE = '<script>alert(1)</script>\nBcc: all@example.com "=1+1"'


def notice(reason="too many", *, silenced=False):
    result = Alert(rule="r", key="k", title="Trouble", severity="page", value=1.0, reason=reason)
    return Notification(kind="fired", at=AT, since=AT, alert=result, silenced=silenced)


def no_pause(_seconds):
    """Let no test wait."""


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Hook(BaseHTTPRequestHandler):
    """Answers with the next status of the server's list and keeps what it was sent."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 204
        if status < 300:
            self.server.received.append(json.loads(body))
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = HTTPServer(("127.0.0.1", 0), Hook)
    server.answers, server.received = [], []
    with serving(server):
        yield server


class Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as one message needs."""

    def handle(self):
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline().strip().upper():
            if line.startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                # A line that begins with a dot travels with two (section 4.5.2).
                self.server.received.append(b"".join(line.removeprefix(b".") for line in lines))
            elif line.startswith(b"RCPT"):
                self.server.recipients.append(line)
            elif line.startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 fine\r\n")


@pytest.fixture
def mailbox():
    server = socketserver.TCPServer(("127.0.0.1", 0), Mailbox)
    server.received, server.recipients = [], []
    with serving(server):
        yield server


def webhook(server, path="/secret-token"):
    return WebhookChannel(f"http://127.0.0.1:{server.server_address[1]}{path}")


def email(server, **more):
    port = server.server_address[1]
    return EmailChannel(
        host="127.0.0.1", port=port, sender="lens@example.com", recipients=("mia@example.com",), **more
    )


def test_a_webhook_gets_the_notices_as_json(hook):
    (result,) = send_notifications([notice(HOSTILE), notice()], [webhook(hook)], pause=no_pause)
    assert (result.sent, result.error) == (2, None)
    first = hook.received[0]["notices"][0]
    assert (first["reason"], first["kind"], first["at"]) == (HOSTILE, "fired", "2026-03-20T12:00:00Z")


def test_a_webhook_that_stumbles_is_tried_again(hook):
    hook.answers = [500, 503]
    pauses = []
    (result,) = send_notifications([notice()], [webhook(hook)], pause=pauses.append)
    assert (result.sent, len(hook.received), pauses) == (1, 1, [0.5, 1.0])


def test_a_webhook_that_refuses_is_reported_without_its_secret(hook):
    hook.answers = [403] * MAX_ATTEMPTS
    (result,) = send_notifications([notice()], [webhook(hook)], pause=no_pause)
    assert result.sent == 0
    assert "403" in result.error
    assert "secret" not in f"{result.channel} {result.error}"


def test_an_unreachable_receiver_does_not_block_the_others(tmp_path):
    dead = WebhookChannel("http://127.0.0.1:9/token", timeout_seconds=1)
    result = send_notifications([notice()], [dead, FileChannel(tmp_path / "alerts.jsonl")], pause=no_pause)
    assert [delivery.sent for delivery in result] == [0, 1]
    assert result[0].error


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com", "example.com"])
def test_a_webhook_accepts_only_web_addresses(url):
    with pytest.raises(ChannelError) as refused:
        WebhookChannel(url)
    assert "https" in refused.value.next_step


def test_an_e_mail_is_plain_text_and_its_subject_one_line(mailbox):
    (result,) = send_notifications([notice(HOSTILE)], [email(mailbox)], pause=no_pause)
    assert result.error is None
    message = message_from_bytes(mailbox.received[0], policy=policy.default)
    assert message["Subject"].strip().startswith("SyncLens: Trouble: <script>")
    assert message["Bcc"] is None
    assert message.get_content_type() == "text/plain"
    assert "<script>alert(1)</script> Bcc: all@example.com" in message.get_content()
    assert mailbox.recipients == [b"RCPT TO:<MIA@EXAMPLE.COM>"]


def test_many_notices_make_one_e_mail(mailbox):
    send_notifications([notice("one"), notice("two")], [email(mailbox)], pause=no_pause)
    (raw,) = mailbox.received
    message = message_from_bytes(raw, policy=policy.default)
    assert message["Subject"] == "SyncLens: 2 alerts"
    assert len(message.get_content().splitlines()) == 2


def test_a_password_is_never_shown(mailbox):
    assert "hunter2" not in repr(email(mailbox, user="lens", password="hunter2"))


def test_a_file_gets_one_line_for_each_notice(tmp_path):
    path = tmp_path / "alerts.jsonl"
    channel = FileChannel(path)
    send_notifications([notice(HOSTILE)], [channel], pause=no_pause)
    send_notifications([notice()], [channel], pause=no_pause)
    assert [json.loads(line)["reason"] for line in path.read_text().splitlines()] == [HOSTILE, "too many"]


def test_a_receiver_that_was_down_is_notified_later_and_only_once(hook, tmp_path):
    alert_log = AlertLog(tmp_path / "a.sqlite")
    channels = [webhook(hook), FileChannel(tmp_path / "alerts.jsonl")]
    names = [channel.name for channel in channels]
    hook.answers = [503] * MAX_ATTEMPTS
    notifications = alert_log.record([], [notice(HOSTILE).alert], AT, channels=names)
    assert [delivery.sent for delivery in send_queued(alert_log, channels, pause=no_pause)] == [0, 1]
    assert hook.received == []
    again = AlertLog(tmp_path / "a.sqlite")
    assert [delivery.sent for delivery in send_queued(again, channels, pause=no_pause)] == [1]
    assert [Notification.from_dict(item) for item in hook.received[0]["notices"]] == notifications
    assert send_queued(again, channels, pause=no_pause) == []


def test_silenced_notices_are_not_sent(tmp_path):
    path = tmp_path / "alerts.jsonl"
    assert send_notifications([notice(silenced=True)], [FileChannel(path)], pause=no_pause) == []
    assert not path.exists()
