"""`synclens rules`: what a new or changed rule would do to the errors of a store, and what people corrected."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import analysis
import ingest
from synclens import console
from synclens.commands import decide
from synclens.commands.ask import frame_table
from synclens.settings import DEFAULT_STORE, JsonOption, StoreOption

rules_app = typer.Typer(help="The rules that name causes, and people's corrections.", no_args_is_help=True)
rules_app.command()(decide.correct)
rules_app.command()(decide.corrections)
rules_app.command()(decide.regroup)


@rules_app.command("check")
def check(
    catalogue: Annotated[
        Path | None, typer.Option(help="A catalogue you are writing; the newest published one unless given.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="The date of the catalogue to compare with; the newest unless given.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show which errors of the store change their cause under another catalogue; nothing is stored.

    Example: synclens rules check --catalogue analysis/classification/causes/2026-12-01.toml
    """
    after = analysis.read_catalogue(catalogue) if catalogue else None
    with ingest.open_store(store) as opened:
        frame = analysis.rule_changes(opened, after, analysis.load_catalogue(against))
    if as_json:
        console.emit_frame(frame)
    elif frame.empty:
        console.say("No error of this store changes its cause.")
    else:
        console.show(frame_table(frame, title=f"{frame['events'].sum()} errors change their cause"))
