"""What a user may set: the path of the store. Everything else is an option of a command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_STORE = Path("synclens.duckdb")


def _one_file(store: Path) -> Path:
    if store.is_dir():
        raise typer.BadParameter(
            f"{store} is a folder; a store is one file, such as {store / DEFAULT_STORE.name}"
        )
    if not store.parent.is_dir():
        raise typer.BadParameter(
            f"the folder {store.parent} is not there; make it first: mkdir -p '{store.parent}'"
        )
    return store


StoreOption = Annotated[
    Path,
    typer.Option("--store", envvar="SYNCLENS_STORE", callback=_one_file, help="The DuckDB file to work on."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
