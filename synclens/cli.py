"""The command `synclens`. Each command is a function in `synclens.commands`; this file only lists them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from synclens import console
from synclens.lazy_commands import CommandRegistry, LazyGroup, load

PANELS = {
    "What is wrong, and what to do": {
        "triage": "synclens.commands.triage:triage",
        "issues": "synclens.commands.issues:issues",
        "issue": "synclens.commands.issues:issue",
        "suspects": "synclens.commands.suspects:suspects",
        "rehearse": "synclens.commands.rehearse:rehearse",
        "explain-error": "synclens.commands.explain_error:explain_error",
        "classify": "synclens.commands.classify:classify",
        "history": "synclens.commands.history:history",
        "fleet": "synclens.commands.fleet:fleet",
        "metric": "synclens.commands.metric:metric",
        "dashboard": "synclens.commands.dashboard:dashboard",
    },
    "Data in": {
        "load": "synclens.commands.load:load",
        "rejected": "synclens.commands.rejected:rejected",
        "pull": "synclens.commands.pull:pull",
    },
    "Keep watch": {
        "watch": "synclens.commands.watch:watch",
        "slo": "synclens.commands.slo:slo",
        "lint": "synclens.commands.lint:lint",
        "doctor": "synclens.commands.doctor:doctor",
        "backup": "synclens.commands.backup:backup",
        "restore": "synclens.commands.backup:restore",
        "export": "synclens.commands.export:export",
    },
    "Rules, and the engine to try them on": {
        "demo": "synclens.commands.demo:demo",
        "simulate": "synclens.commands.simulate:simulate",
        "vault": "synclens.commands.vault:vault_app",
        "device": "synclens.commands.device:device_app",
        "unknown": "synclens.commands.unknown:unknown",
        "rules": "synclens.commands.rules:rules_app",
        "report-card": "synclens.commands.report_card:report_card",
    },
}


class _Commands(LazyGroup):
    registry = CommandRegistry(PANELS)


app = typer.Typer(
    name="synclens",
    cls=_Commands,
    help="See why Vault CRM devices fail to sync, and what to do about it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def about(
    show_version: Annotated[
        bool, typer.Option("--version", help="Say which version this is, and of what it is made.")
    ] = False,
) -> None:
    """See why Vault CRM devices fail to sync, and what to do about it."""
    if show_version:
        typer.echo(load("synclens.version:version_line")())
        raise typer.Exit


def main() -> None:
    """Run the command line; what a person can put right is said in two lines, the rest is a traceback."""
    try:
        app()
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        sys.exit(console.EXIT_COULD_NOT_RUN)
    except OSError as error:
        console.error(
            f"{error.filename or 'a file'}: {error.strerror or error}",
            "Check the path and its permissions.",
        )
        sys.exit(console.EXIT_COULD_NOT_RUN)
    except Exception as error:
        next_step = getattr(error, "next_step", None)  # IngestError and AnalysisError have one
        if next_step is None:
            raise
        console.error(str(error), f"{next_step}{_stores_here(error)}")
        sys.exit(console.EXIT_COULD_NOT_RUN)


def _stores_here(error: Exception) -> str:
    """Where the store is missing but others lie here, as after `make demo`: how to name one of them."""
    if not isinstance(error, load("ingest:StoreMissing")):
        return ""
    others = sorted(str(path) for path in Path().glob("*.duckdb"))[:3]
    return f" Or name one that is here: --store {', --store '.join(others)}." if others else ""
