"""`synclens watch`: update issue states and send alert notifications."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import analysis
from analysis.alerting.channels import FileChannel
from synclens import console, watcher
from synclens.clock import now
from synclens.metrics_server import LOOPBACK, serve_metrics
from synclens.options import DEFAULT_STORE, ObjectivesOption, StoreOption, read_optional

if TYPE_CHECKING:
    from analysis.alerting.channels import Channel


def watch(
    store: StoreOption = DEFAULT_STORE,
    every: Annotated[float, typer.Option(help="Minutes between checks.", min=0.01)] = 5.0,
    once: Annotated[
        bool, typer.Option("--once", help="Check once. Exits 1 if a notification could not be sent.")
    ] = False,
    at: Annotated[
        datetime | None, typer.Option(help="Reference time (UTC) for --once (default: now).")
    ] = None,
    webhook: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SYNCLENS_WEBHOOK",
            help="URL to POST alerts to. Prefer the environment variable; the URL is a secret.",
        ),
    ] = None,
    email: Annotated[list[str] | None, typer.Option(help="E-mail address to send alerts to.")] = None,
    smtp: Annotated[
        str, typer.Option(envvar="SYNCLENS_SMTP", help="SMTP server as HOST[:PORT].")
    ] = "localhost",
    sender: Annotated[str, typer.Option(help="Sender address.")] = "synclens@localhost",
    starttls: Annotated[bool, typer.Option("--starttls", help="Encrypt the SMTP connection.")] = False,
    to_file: Annotated[
        Path | None, typer.Option("--file", help="File to append alerts to, as JSON lines.")
    ] = None,
    rules: Annotated[Path | None, typer.Option(help="Custom alert rules file (.toml).")] = None,
    objectives: ObjectivesOption = None,
    dashboard_url: Annotated[
        str | None,
        typer.Option(envvar="SYNCLENS_DASHBOARD_URL", help="URL of the dashboard, for links to issues."),
    ] = None,
    prometheus: Annotated[
        int | None, typer.Option(help="Port on localhost to serve Prometheus metrics on.")
    ] = None,
) -> None:
    """Update issue states and send alert notifications until stopped (Ctrl-C or SIGTERM).

    Example: synclens watch --every 5 --webhook https://chat.example.com/hook --prometheus 9187
    """
    if at and not once:
        raise typer.BadParameter("--at requires --once")
    settings = watcher.WatchSettings(
        store=store,
        rules=analysis.load_alert_rules(read_optional(rules)),
        objectives=analysis.load_objectives(read_optional(objectives)),
        channels=_channels(webhook, email, to_file, smtp=smtp, sender=sender, starttls=starttls),
        dashboard_url=dashboard_url,
    )
    if once:
        _check_once(settings, at.replace(tzinfo=UTC) if at else now())
    else:
        _check_until_stopped(settings, every_seconds=60 * every, port=prometheus)


def _channels(
    webhook: list[str] | None,
    email: list[str] | None,
    to_file: Path | None,
    *,
    smtp: str,
    sender: str,
    starttls: bool,
) -> list[Channel]:

    channels: list[Channel] = watcher.webhook_channels(webhook or [])
    if email:
        channels.append(watcher.mail_channel(smtp, sender=sender, recipients=email, starttls=starttls))
    if to_file:
        channels.append(FileChannel(to_file))
    return channels


def _check_once(settings: watcher.WatchSettings, at: datetime) -> None:

    result = watcher.run_round(settings, at, pause=threading.Event().wait)
    for line in watcher.round_lines(result):
        console.info(line)
    if result.failed_deliveries or result.store_error:
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _check_until_stopped(settings: watcher.WatchSettings, *, every_seconds: float, port: int | None) -> None:

    stop = threading.Event()
    with ExitStack() as stack:
        for number in (signal.SIGTERM, signal.SIGINT):
            previous = signal.signal(number, lambda *_: stop.set())
            stack.callback(signal.signal, number, previous)
        if port is not None:
            bound_port = stack.enter_context(serve_metrics(settings.store, port))
            console.info(f"Prometheus metrics are at http://{LOOPBACK}:{bound_port}/metrics.")
        channels = ", ".join(settings.channel_names) or "this terminal only"
        console.info(f"Checking {settings.store} every {every_seconds / 60:g} min. Alerts go to: {channels}.")
        rounds = watcher.run_rounds(
            settings, every_seconds=every_seconds, clock=now, wait=stop.wait, report=console.info
        )
    console.info(f"Stopped after {rounds} checks. Unsent notifications are kept for the next start.")
