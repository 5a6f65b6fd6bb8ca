"""Print, and write, a suggested mapping file for a source that is not recognized."""

from __future__ import annotations

from pathlib import Path

import ingest
from synclens import console


def print_suggested_mapping(file: Path, target: Path, *, as_kind: str | None, encoding: str | None) -> None:
    """Print a mapping for the first table of a file, and write it to `target`; `-` only prints it.

    An existing file is never replaced. Raises IngestError.
    """
    if str(target) != "-" and target.exists():
        raise ingest.IngestError(
            f"{target} exists already",
            next_step="Choose another name for the suggested mapping, such as new.toml.",
        )
    suggestion = ingest.suggest_mapping(file, as_kind=as_kind, encoding=encoding)
    console.print_text(suggestion.text)
    if suggestion.is_recognized:
        console.info(f"{file} is recognized as {suggestion.table}; it loads without a mapping.")
    if str(target) != "-":
        target.write_text(suggestion.text, encoding="utf-8")
        console.info(f"Wrote {target}. Check each line, then run: synclens load {file} --mapping {target}")
