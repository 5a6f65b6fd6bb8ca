"""`synclens backup` and `synclens restore`: copy a store to one file and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synclens import console
from synclens.backup import BackupInfo, create_backup, restore_backup
from synclens.clock import now
from synclens.options import DEFAULT_STORE, StoreOption


def backup(
    target: Annotated[Path, typer.Argument(help="File to write, for example monday.zip.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write the store and its triage decisions to one file.

    Example: synclens backup monday.zip --store my.duckdb
    """
    _print_result(f"Backed up to {target}", create_backup(store, target, clock=now))


def restore(
    source: Annotated[Path, typer.Argument(help="Backup file from `synclens backup`.")],
    store: StoreOption = DEFAULT_STORE,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing store.")] = False,
) -> None:
    """Restore a backup. Each part is verified before an existing file is replaced.

    Example: synclens restore monday.zip --store restored.duckdb
    """
    _print_result(f"Restored to {store}", restore_backup(source, store, overwrite=overwrite))


def _print_result(summary: str, backup_info: BackupInfo) -> None:
    sizes = ", ".join(f"{name} {size / 1e6:,.1f} MB" for name, size in backup_info.sizes.items())
    console.info(f"{summary}: created {backup_info.created_at} by synclens {backup_info.synclens}; {sizes}.")
