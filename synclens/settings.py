"""What a user may set: the path of the store. Everything else is an option of a command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_STORE = Path("synclens.duckdb")

StoreOption = Annotated[
    Path,
    typer.Option("--store", envvar="SYNCLENS_STORE", help="The DuckDB file to work on."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
