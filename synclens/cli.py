"""The command `synclens`. Each command is a function in `synclens.commands`; this file only lists them."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from typing import Annotated

import duckdb
import typer

import analysis
import ingest
from ingest.store import MIGRATIONS
from synclens import narrate, reporting
from synclens.commands import (
    ask,
    classify,
    devices,
    export,
    judge,
    load,
    operate,
    pull,
    rehearse,
    serve,
    simulate,
    triage,
    watch,
)
from synclens.commands.device import device_app
from synclens.commands.rules import rules_app
from synclens.commands.vault import vault_app

app = typer.Typer(
    name="synclens",
    help="See why Vault CRM devices fail to sync, and what to do about it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    load.load,
    load.rejected,
    pull.pull,
    simulate.simulate,
    classify.classify,
    triage.triage,
    ask.issues,
    ask.issue,
    ask.explain_error,
    ask.metric,
    devices.fleet,
    judge.suspects,
    judge.unknown,
    judge.lint,
    reporting.report_card,
    rehearse.rehearse,
    serve.dashboard,
    serve.demo,
    watch.watch,
    watch.slo,
    export.export,
    operate.backup,
    operate.restore,
    operate.doctor,
):
    app.command()(command)


app.add_typer(device_app, name="device")
app.add_typer(rules_app, name="rules")
app.add_typer(vault_app, name="vault")


@app.callback(invoke_without_command=True)
def about(
    show_version: Annotated[
        bool, typer.Option("--version", help="Say which version this is, and of what it is made.")
    ] = False,
) -> None:
    """See why Vault CRM devices fail to sync, and what to do about it."""
    if show_version:
        typer.echo(
            f"synclens {version('synclens')}, catalogue {analysis.load_catalogue().version}, "
            f"store schema {max(MIGRATIONS)[:4]}, DuckDB {duckdb.__version__}, "
            f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
        )
        raise typer.Exit


def main() -> None:
    """Run the command line; what a person can put right is said in two lines, the rest is a traceback."""
    try:
        app()
    except (ingest.IngestError, analysis.AnalysisError) as error:
        narrate.complain(str(error), error.next_step)
        sys.exit(narrate.COULD_NOT_RUN)
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        sys.exit(narrate.COULD_NOT_RUN)
    except OSError as error:
        narrate.complain(
            f"{error.filename or 'a file'}: {error.strerror or error}",
            "Check the path and its permissions.",
        )
        sys.exit(narrate.COULD_NOT_RUN)
