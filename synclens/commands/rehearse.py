"""`synclens rehearse`: try each fix and lever of an issue in the reference engine before a person does."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

import ingest
import rehearsal
from synclens import console
from synclens.issue_id_prefix import query_issue
from synclens.options import DEFAULT_STORE, JsonOption, StoreOption


def rehearse(
    issue_id: Annotated[str, typer.Argument(help="An issue id from `synclens issues`.")],
    store: StoreOption = DEFAULT_STORE,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rehearsal.")] = 0,
    most_devices: Annotated[
        int, typer.Option(min=1, help="Rebuild at most this many devices, drawn by the seed.")
    ] = rehearsal.MAX_DEVICES,
    as_json: JsonOption = False,
) -> None:
    """Rehearse an issue in the reference engine: which fix or lever frees how many, and what it loses.

    Example: synclens rehearse 3f1c0a9b2d7e
    """
    with ingest.open_store(store) as opened:
        found = query_issue(
            opened,
            issue_id,
            lambda known: rehearsal.rehearse(opened, known, seed=seed, max_devices=most_devices),
        )
    if as_json:
        console.print_json(found.to_dict())
        return
    _show(found)


def _show(found: rehearsal.RehearsalResult) -> None:
    if found.reason is not None:
        console.print_output(Text(f"Issue {found.issue_id} ({found.cause}) is not rehearsed. {found.reason}"))
    else:
        table = Table(
            "candidate", "who", "what happens",
            title=f"Issue {found.issue_id} ({found.cause}): {found.total} {found.unit}", title_justify="left",
        )  # fmt: skip
        for one in found.candidates:
            table.add_row(Text(one.name), one.who, Text(one.summary))
        console.print_output(table)
    for sentence in found.assumptions:
        console.print_output(Text(f"Assumed: {sentence}"))
    for name, why in found.not_offered:
        console.print_output(Text(f"Not offered: {name}. {why}"))
