"""`synclens watch`: update issue states and send alerts."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

import analysis
from analysis.alerting.channels import Channel, FileChannel
from analysis.alerting.slo import Slo
from synclens import console, watcher
from synclens.clock import now
from synclens.metrics_server import LOOPBACK, serve_metrics
from synclens.options import DEFAULT_STORE, StoreOption

ObjectivesOption = Annotated[
    Path | None, typer.Option("--objectives", help="Your own objectives (.toml) instead of ours.")
]


def watch(
    store: StoreOption = DEFAULT_STORE,
    every: Annotated[float, typer.Option(help="Minutes between two looks.", min=0.01)] = 5.0,
    once: Annotated[
        bool, typer.Option("--once", help="Look once; exit 1 if something was not sent.")
    ] = False,
    at: Annotated[datetime | None, typer.Option(help="With --once: the moment (UTC) to look from.")] = None,
    webhook: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SYNCLENS_WEBHOOK", help="POST alerts there; better by the variable: it is secret."
        ),
    ] = None,
    email: Annotated[list[str] | None, typer.Option(help="Mail alerts to this address.")] = None,
    smtp: Annotated[
        str, typer.Option(envvar="SYNCLENS_SMTP", help="HOST[:PORT] that takes mail.")
    ] = "localhost",
    sender: Annotated[str, typer.Option(help="Address that the mail is from.")] = "synclens@localhost",
    starttls: Annotated[
        bool, typer.Option("--starttls", help="Encrypt on the way to the mail host.")
    ] = False,
    to_file: Annotated[Path | None, typer.Option("--file", help="Append alerts as JSON lines.")] = None,
    rules: Annotated[Path | None, typer.Option(help="Your own alert rules (.toml) instead of ours.")] = None,
    objectives: ObjectivesOption = None,
    prometheus: Annotated[
        int | None, typer.Option(help="Serve the figures on this port of localhost.")
    ] = None,
) -> None:
    """Keep issue states up to date and tell of alerts and their end, until Ctrl-C or SIGTERM.

    Example: synclens watch --every 5 --webhook https://chat.example.com/hook --prometheus 9187
    """
    channels: list[Channel] = watcher.webhook_channels(webhook or [])
    if email:
        channels.append(watcher.mail_channel(smtp, sender=sender, recipients=email, starttls=starttls))
    if to_file:
        channels.append(FileChannel(to_file))
    watched = watcher.WatchSettings(
        store=store,
        rules=analysis.load_alert_rules(rules.read_text(encoding="utf-8") if rules else None),
        objectives=load_objectives(objectives),
        channels=channels,
    )
    if once:
        _look_once(watched, at.replace(tzinfo=UTC) if at else now())
    elif at:
        raise typer.BadParameter("--at needs --once")
    else:
        _keep_looking(watched, every_seconds=60 * every, port=prometheus)


def _look_once(watched: watcher.WatchSettings, at: datetime) -> None:
    done = watcher.run_round(watched, at, pause=threading.Event().wait)
    for line in watcher.round_lines(done):
        console.info(line)
    if done.failed or done.blind:
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _keep_looking(watched: watcher.WatchSettings, *, every_seconds: float, port: int | None) -> None:
    end = threading.Event()
    with ExitStack() as stack:
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.signal(number, lambda *_: end.set())
            stack.callback(signal.signal, number, before)
        if port is not None:
            taken = stack.enter_context(serve_metrics(watched.store, port))
            console.info(f"The figures for Prometheus are at http://{LOOPBACK}:{taken}/metrics.")
        told = ", ".join(watched.names) or "nobody but this terminal"
        console.info(f"Watching {watched.store} every {every_seconds / 60:g} min; told are: {told}.")
        rounds = watcher.run_rounds(
            watched, every_seconds=every_seconds, clock=now, wait=end.wait, tell=console.info
        )
    console.info(f"Ended as asked, after {rounds} rounds. What was not sent is kept for the next start.")


def load_objectives(path: Path | None) -> list[Slo]:
    return analysis.load_objectives(path.read_text(encoding="utf-8") if path else None)
