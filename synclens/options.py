"""Options and parsers that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

DEFAULT_STORE = Path("synclens.duckdb")


def _check_store_path(store: Path) -> Path:
    if store.is_dir():
        raise typer.BadParameter(
            f"{store} is a folder; a store is one file, such as {store / DEFAULT_STORE.name}"
        )
    if not store.parent.is_dir():
        raise typer.BadParameter(
            f"the folder {store.parent} does not exist; create it with: mkdir -p '{store.parent}'"
        )
    return store


StoreOption = Annotated[
    Path,
    typer.Option("--store", envvar="SYNCLENS_STORE", callback=_check_store_path, help="Store (DuckDB file)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
FilterOption = Annotated[
    list[str] | None,
    typer.Option("--filter", "-f", help="Filter as NAME=VALUE, for example platform=iPad. Repeatable."),
]
ObjectivesOption = Annotated[
    Path | None, typer.Option("--objectives", help="Custom objectives file (.toml).")
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Maximum number of rows to show.")]
AsOption = Annotated[str | None, typer.Option("--as", help="Target table, if automatic detection is wrong.")]
MappingOption = Annotated[
    list[Path] | None, typer.Option("--mapping", help="Custom column mapping (.toml). Repeatable.")
]
WrapperOption = Annotated[
    list[Path] | None, typer.Option("--wrapper", help="Custom JSON wrapper (.toml). Repeatable.")
]
EncodingOption = Annotated[
    str | None,
    typer.Option("--encoding", help="Encoding of text files (default: detected), such as shift_jis."),
]


def parse_filters(pairs: list[str] | None) -> dict[str, Any]:
    """Parse NAME=VALUE pairs to keyword arguments. A repeated name becomes a list of values."""
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


def store_option_text(store: Path) -> str:
    """Return the `--store` option to repeat in a suggested command, empty for the default store."""
    return "" if store == DEFAULT_STORE else f" --store {store}"


def read_optional(path: Path | None) -> str | None:
    """Return the text of a file that an option names, None if the option is not set."""
    return path.read_text(encoding="utf-8") if path else None
