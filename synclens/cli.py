"""The command `synclens`. Each command is a function in `synclens.commands`; this module lists them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from synclens.lazy_commands import CommandRegistry, LazyGroup, load

PANELS = {
    "Find and fix problems": {
        "triage": "synclens.commands.triage:triage",
        "issues": "synclens.commands.issues:issues",
        "issue": "synclens.commands.issues:issue",
        "incidents": "synclens.commands.incidents:incidents",
        "suspects": "synclens.commands.suspects:suspects",
        "rehearse": "synclens.commands.rehearse:rehearse",
        "explain-error": "synclens.commands.explain_error:explain_error",
        "classify": "synclens.commands.classify:classify",
        "history": "synclens.commands.history:history",
        "fleet": "synclens.commands.fleet:fleet",
        "metric": "synclens.commands.metric:metric",
        "dashboard": "synclens.commands.dashboard:dashboard",
    },
    "Load data": {
        "load": "synclens.commands.load:load",
        "rejected": "synclens.commands.rejected:rejected",
        "pull": "synclens.commands.pull:pull",
    },
    "Monitor and maintain": {
        "watch": "synclens.commands.watch:watch",
        "slo": "synclens.commands.slo:slo",
        "lint": "synclens.commands.lint:lint",
        "doctor": "synclens.commands.doctor:doctor",
        "backup": "synclens.commands.backup:backup",
        "restore": "synclens.commands.backup:restore",
        "export": "synclens.commands.export:export",
    },
    "Rules and simulation": {
        "demo": "synclens.commands.demo:demo",
        "simulate": "synclens.commands.simulate:simulate",
        "vault": "synclens.commands.vault:vault_app",
        "device": "synclens.commands.device:device_app",
        "unknown": "synclens.commands.unknown:unknown",
        "rules": "synclens.commands.rules:rules_app",
        "report-card": "synclens.commands.report_card:report_card",
    },
}
"""For each panel of the help: its commands, and where each one is defined."""


class _Commands(LazyGroup):
    registry = CommandRegistry(PANELS)


app = typer.Typer(
    name="synclens",
    cls=_Commands,
    help="Find out why Vault CRM devices fail to sync, and how to fix it.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help starts in half the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and the versions of the main components.")
    ] = False,
) -> None:
    """Find out why Vault CRM devices fail to sync, and how to fix it."""
    if show_version:
        typer.echo(load("synclens.version:version_line")())
        raise typer.Exit


def main() -> None:
    """Run the command line. Errors with a next step are printed in two lines, all others as a traceback."""
    try:
        app()
    except BrokenPipeError:  # the reader of the output has closed the pipe, as `head` does
        sys.exit(2)
    except OSError as error:
        _exit_with_error(
            f"{error.filename or 'a file'}: {error.strerror or error}", "Check the path and its permissions."
        )
    except Exception as error:
        next_step = getattr(error, "next_step", None)  # IngestError, AnalysisError and MissingExtra have one
        if next_step is None:
            raise
        _exit_with_error(str(error), f"{next_step}{_suggest_stores(error)}")


def _exit_with_error(message: str, next_step: str) -> None:
    load("synclens.console:error")(message, next_step)
    sys.exit(load("synclens.console:EXIT_COULD_NOT_RUN"))


def _suggest_stores(error: Exception) -> str:
    """Suggest stores of the working folder, such as the one of `make demo`, if the requested one is missing."""
    if not isinstance(error, load("ingest:StoreMissing")):
        return ""
    others = sorted(str(path) for path in Path().glob("*.duckdb"))[:3]
    return f" Or use a store in this folder: --store {', --store '.join(others)}." if others else ""
