"""`synclens rehearse`: test the fixes of an issue in the reference engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

import ingest
import rehearsal
from synclens import console
from synclens.issue_id_prefix import resolve_issue_id
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption

if TYPE_CHECKING:
    from rehearsal.result import RehearsalResult


def rehearse(
    issue_id: Annotated[str, typer.Argument(help="Issue id from `synclens issues`, or its first letters.")],
    store: StoreOption = DEFAULT_STORE,
    seed: Annotated[int, typer.Option(help="Random seed. The same seed produces the same result.")] = 0,
    max_devices: Annotated[
        int, typer.Option(min=1, help="Maximum number of devices to rebuild; more are sampled.")
    ] = rehearsal.MAX_DEVICES,
    as_json: JsonOption = False,
) -> None:
    """Test each fix and recovery action of an issue in the reference engine.

    Shows how many records or devices each one frees, how many still fail, and what it loses.

    Example: synclens rehearse 3f1c0a9b2d7e
    """
    with ingest.open_store(store) as opened:
        full_id = resolve_issue_id(opened, issue_id)
        result = rehearsal.rehearse(opened, full_id, seed=seed, max_devices=max_devices)
    if as_json:
        console.print_json(result.to_dict())
    else:
        _print_result(result)


def _print_result(result: RehearsalResult) -> None:
    heading = f"Issue {result.issue_id} ({result.cause})"
    if result.reason is not None:
        console.print_output(Text(f"{heading} cannot be rehearsed. {result.reason}"))
    else:
        table = Table(
            "candidate", "who", "result",
            title=f"{heading}: {result.total} {result.unit}", title_justify="left",
        )  # fmt: skip
        for candidate in result.candidates:
            table.add_row(Text(candidate.name), candidate.who, Text(candidate.summary))
        console.print_output(table)
    for assumption in result.assumptions:
        console.print_output(Text(f"Assumed: {assumption}"))
    for name, reason in result.not_offered:
        console.print_output(Text(f"Not offered: {name}. {reason}"))
