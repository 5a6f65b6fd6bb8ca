"""`synclens watch` with a real store, real receivers and a simulated clock."""

import json
import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

import analysis
import ingest
from analysis.alerting.alert_log import AlertLog
from analysis.alerting.channels import FileChannel
from synclens import cli, watcher
from synclens.metrics_server import serve_metrics
from tests.support.synthetic import fill

AT = datetime(2026, 3, 27, 12, tzinfo=UTC)
SAMPLE = re.compile(
    r'[a-z_]+(\{[a-z_]+="([^"\\]|\\.)*"(,[a-z_]+="([^"\\]|\\.)*")*\})? -?[0-9.]+(e[+-]?[0-9]+)?|# (HELP|TYPE) .+'
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    path = tmp_path_factory.mktemp("watched") / "made.duckdb"
    with ingest.open_store(path, read_only=False) as opened:
        fill(opened, syncs=4_000, errors=800, devices=60, days=28, seed=1)
    return path


@pytest.fixture
def store(filled, tmp_path):
    """A copy of the store for each test, because alerts and states are stored next to it."""
    path = tmp_path / "fleet.duckdb"
    path.write_bytes(filled.read_bytes())
    return path


def watch_settings(store, *channels, store_timeout_seconds=0.2):
    return watcher.WatchSettings(
        store=store,
        rules=analysis.load_alert_rules(),
        objectives=analysis.load_objectives(),
        channels=channels,
        store_timeout_seconds=store_timeout_seconds,
    )


def at_once(_seconds):
    return False


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
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 204
        if status < 300:
            self.server.received.append(json.loads(body))
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = HTTPServer(("127.0.0.1", 0), Hook)
    server.answers, server.received = [], []
    with serving(server):
        server.url = f"http://127.0.0.1:{server.server_address[1]}/secret-token"
        yield server


class Mailbox(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline().strip().upper():
            if line.startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                self.server.received.append(b"".join(iter(self.rfile.readline, b".\r\n")))
            elif line.startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 fine\r\n")


@pytest.fixture
def mailbox():
    server = socketserver.TCPServer(("127.0.0.1", 0), Mailbox)
    server.received = []
    with serving(server):
        yield server


@contextmanager
def locked_by_a_writer(store):
    """Keep the store open for writing in another process."""
    code = (
        "import sys, ingest\nwith ingest.open_store(sys.argv[1], read_only=False):\n"
        " print('held', flush=True)\n sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, store]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "held\n"
        try:
            yield
        finally:
            writer.stdin.close()
            writer.wait()


def test_the_first_round_changes_states_and_sends_alerts(store, tmp_path):
    done = watcher.run_round(watch_settings(store, FileChannel(tmp_path / "alerts.jsonl")), AT, pause=at_once)
    assert done.states_changed > 0
    assert len(done.notifications) > 0
    headlines = [
        json.loads(line)["headline"] for line in (tmp_path / "alerts.jsonl").read_text().splitlines()
    ]
    assert headlines == [notice.headline for notice in done.notifications]
    states = analysis.TriageState.for_store(store).states()
    assert len(states) == done.states_changed


def test_a_second_round_at_the_same_time_sends_nothing(store, tmp_path):
    watch = watch_settings(store, FileChannel(tmp_path / "alerts.jsonl"))
    for _ in range(2):  # an alert that ended long ago is opened in the first round and closed in the second
        watcher.run_round(watch, AT, pause=at_once)
    again = watcher.run_round(watch, AT, pause=at_once)
    assert (again.states_changed, again.notifications, again.deliveries) == (0, (), ())
    assert watcher.round_lines(again) == []


def test_failed_notifications_are_reported_and_sent_later(store, hook):
    channel = watcher.webhook_channels([hook.url])
    hook.answers = [500] * 3
    first = watcher.run_round(watch_settings(store, *channel), AT, pause=at_once)
    assert len(first.failed_deliveries) == 1
    result = " ".join(watcher.round_lines(first))
    assert "retrying in the next check" in result
    assert "secret-token" not in result
    assert hook.received == []
    later = watcher.run_round(watch_settings(store, *channel), AT, pause=at_once)
    assert later.notifications == ()
    assert [len(body["notices"]) for body in hook.received] == [len(first.notifications)]


def test_two_webhooks_of_one_host_both_receive_alerts(store, hook):
    channels = watcher.webhook_channels([hook.url, hook.url + "-of-another-team"])
    watcher.run_round(watch_settings(store, *channels), AT, pause=at_once)
    first, second = hook.received
    assert first == second


def test_a_redirect_counts_as_a_failure(store, hook):
    hook.answers = [302] * 3
    done = watcher.run_round(watch_settings(store, *watcher.webhook_channels([hook.url])), AT, pause=at_once)
    assert "302" in done.failed_deliveries[0].error


def test_a_locked_store_is_reported_and_queued_alerts_are_sent(store, hook):
    channel = watcher.webhook_channels([hook.url])
    hook.answers = [500] * 3
    watcher.run_round(watch_settings(store, *channel), AT, pause=at_once)
    with locked_by_a_writer(store):
        blind = watcher.run_round(watch_settings(store, *channel), AT, pause=at_once)
    assert "in use by process" in blind.store_error
    assert any("retrying in the next check" in line for line in watcher.round_lines(blind))
    assert len(hook.received) == 1, "queued notifications are sent although the store is locked"
    assert watcher.run_round(watch_settings(store, *channel), AT, pause=at_once).store_error is None


def test_a_week_of_rounds_sends_recoveries_and_stops(store, tmp_path):
    clock = iter(AT + timedelta(hours=12 * step) for step in range(100))
    waits = []

    def wait(seconds):
        waits.append(seconds)
        return len(waits) == 14

    lines = []
    watch = watch_settings(store, FileChannel(tmp_path / "alerts.jsonl"))
    rounds = watcher.run_rounds(
        watch, every_seconds=43_200, clock=lambda: next(clock), wait=wait, report=lines.append
    )
    assert (rounds, waits) == (14, [43_200] * 14)
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert kinds.count("recovered") == kinds.count("fired") - len(AlertLog.for_store(store).open_alerts())
    assert kinds.count("recovered") > 0


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["synclens", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code or 0


def test_the_command_sends_to_all_channels(store, hook, mailbox, tmp_path, monkeypatch):
    monkeypatch.setenv("SYNCLENS_WEBHOOK", hook.url)
    alerts_file = tmp_path / "alerts.jsonl"
    arguments = ["watch", "--once", "--at", "2026-03-27T12:00:00", "--store", store, "--file", alerts_file]
    port = mailbox.server_address[1]
    assert run(monkeypatch, *arguments, "--email", "mia@example.com", "--smtp", f"127.0.0.1:{port}") == 0
    assert len(hook.received) == len(mailbox.received) == 1
    assert len(alerts_file.read_text().splitlines()) == len(hook.received[0]["notices"])


def test_the_command_exits_1_if_a_notification_fails(store, tmp_path, monkeypatch, capsys):
    nowhere = tmp_path / "no" / "such" / "folder" / "alerts.jsonl"
    arguments = ["watch", "--once", "--at", "2026-03-27T12:00:00", "--store", store, "--file", nowhere]
    assert run(monkeypatch, *arguments) == 1
    assert "retrying" in capsys.readouterr().err


def test_sigterm_stops_the_watch(store):
    command = [
        sys.executable,
        "-m",
        "synclens",
        "watch",
        "--store",
        store,
        "--prometheus",
        "0",
        "--every",
        "60",
    ]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "200"}
    ) as watch:
        result = []
        for line in watch.stderr:
            result.append(line)
            if "Checking" in line:
                watch.send_signal(signal.SIGTERM)
        assert watch.wait() == 0
    assert "Stopped after" in result[-1]
    assert re.search(r"http://127\.0\.0\.1:\d+/metrics", result[0])


def scrape(port, path="/metrics"):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.headers["Content-Type"], answer.read().decode()


class TestPrometheus:
    def test_metrics_have_the_prometheus_format(self, store):
        with serve_metrics(store, 0) as port:
            kind, text = scrape(port)
        assert kind.startswith("text/plain; version=0.0.4")
        assert text.endswith("\n")
        lines = text.splitlines()
        assert [line for line in lines if not SAMPLE.fullmatch(line)] == []
        families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
        assert len(families) == len(set(families)) >= 8
        counted = sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("synclens_errors{"))
        assert counted == 800

    def test_metrics_follow_changes_of_the_store(self, store):
        with serve_metrics(store, 0) as port:
            before = scrape(port)[1]
            with ingest.open_store(store, read_only=False) as opened:
                opened.execute("DELETE FROM sync_error")
            assert scrape(port)[1] != before

    def test_a_missing_store_returns_503_with_the_reason(self, tmp_path):
        with serve_metrics(tmp_path / "none.duckdb", 0) as port:
            with pytest.raises(urllib.error.HTTPError) as refused:
                scrape(port)
            assert refused.value.code == 503
            assert b"there is no store" in refused.value.read()
            refused.value.close()

    def test_other_paths_return_404(self, store):
        with serve_metrics(store, 0) as port, pytest.raises(urllib.error.HTTPError) as refused:
            scrape(port, "/etc/passwd")
        assert refused.value.code == 404
        refused.value.close()


@pytest.mark.parametrize(
    ("url", "link"),
    [
        (None, "synclens issue {} --store {}"),
        ("https://lens.example/", "https://lens.example/issue?issue={}"),
    ],
)
def test_an_alert_names_the_change_and_links_to_the_issue(store, tmp_path, url, link):
    path = tmp_path / "alerts.jsonl"
    at = datetime(2026, 3, 11, 18, tzinfo=UTC)
    settings = replace(watch_settings(store, FileChannel(path)), dashboard_url=url)
    watcher.run_round(settings, at, pause=at_once)
    notices = [json.loads(line) for line in path.read_text().splitlines()]
    named = [notice for notice in notices if notice["issue_id"]]
    assert named
    for notice in named:
        assert notice["link"] == link.format(notice["issue_id"], store)
        assert f"Issue: {notice['issue']} ({notice['cause']})" in notice["headline"]
        with ingest.open_store(store) as opened:
            change = next(iter(analysis.suspects(opened, notice["issue_id"], until=at)), None)
        assert (notice["change"] is None) == (change is None)
        assert change is None or change.target in notice["headline"]
    again = watcher.run_round(settings, at + timedelta(minutes=5), pause=at_once)
    assert again.notifications == ()
