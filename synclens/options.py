"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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


FilterOption = Annotated[
    list[str] | None,
    typer.Option("--filter", "-f", help="NAME=VALUE, as often as you like, e.g. -f platform=iPad"),
]


def parse_filters(pairs: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE pairs as keyword arguments; a name given twice becomes a list."""
    parsed: dict[str, Any] = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE")
        if name in parsed:
            before = parsed[name]
            parsed[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            parsed[name] = value
    return parsed
