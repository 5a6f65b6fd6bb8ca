"""`synclens backup` and `synclens restore`: copy a store to one file and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synclens import console
from synclens.backup import BackupInfo, create_backup
from synclens.backup import restore_backup as bring_back
from synclens.clock import now
from synclens.options import DEFAULT_STORE, StoreOption


def backup(
    target: Annotated[Path, typer.Argument(help="The file to write, e.g. monday.zip")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write the store and what people decided about it to one file.

    Example: synclens backup monday.zip --store my.duckdb
    """
    _tell(f"Backed up to {target}", create_backup(store, target, clock=now))


def restore(
    source: Annotated[Path, typer.Argument(help="A file that `synclens backup` wrote.")],
    store: StoreOption = DEFAULT_STORE,
    overwrite: Annotated[bool, typer.Option(help="Replace a store that is there already.")] = False,
) -> None:
    """Bring a backup back; each part is checked before anything is replaced.

    Example: synclens restore monday.zip --store restored.duckdb
    """
    _tell(f"Restored to {store}", bring_back(source, store, overwrite=overwrite))


def _tell(what: str, made: BackupInfo) -> None:
    sizes = ", ".join(f"{name} {size / 1e6:,.1f} MB" for name, size in made.sizes.items())
    console.info(f"{what}: made {made.made_at} by synclens {made.synclens}; {sizes}.")
