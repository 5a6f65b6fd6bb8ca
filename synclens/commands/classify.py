"""`synclens classify`: classify the error messages of files without a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

import analysis
import ingest
from synclens import console
from synclens.load_report import check_encoding
from synclens.options import AsOption, EncodingOption, MappingOption, WrapperOption

_CHUNK = 20_000
"""Errors that are classified at a time."""


def classify(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Files and folders with errors, in any format that `load` reads, or text. - reads stdin."
        ),
    ],
    fix: Annotated[bool, typer.Option("--fix", help="Include the suggested fix and who applies it.")] = False,
    as_kind: AsOption = None,
    mapping: MappingOption = None,
    wrapper: WrapperOption = None,
    encoding: EncodingOption = None,
) -> None:
    """Classify the errors in files. Prints one JSON line per error, with its source and row.

    Reads tables, JSON documents, logs, mails and pasted text; only messages, types or codes are needed, neither times
    nor users. Successes and information records are counted on stderr. A row that cannot be read gets the cause
    `unknown` and a reason, and the command exits 1, as it does if a part of the input cannot be read. Exits 2 if
    nothing can be read.

    Examples:
      synclens classify errors.jsonl | jq -r .cause | sort | uniq -c

      synclens classify pasted.txt --fix

    """
    files = [file for file in files if not _is_empty(file)]
    if encoding is not None:
        encoding = check_encoding(encoding)
    errors = ingest.read_errors(
        files, as_kind=as_kind, mappings=mapping or [], wrappers=wrapper or [], encoding=encoding
    )
    events = iter(errors)
    invalid = 0
    while chunk := list(islice(events, _CHUNK)):
        invalid += _print_causes(chunk, fix=fix)
    refused = _print_parts(errors.parts)
    if refused and len(refused) == len(errors.parts):
        raise refused[0]
    for error in refused:
        console.error(str(error), error.next_step)
    if invalid:
        console.info(f"{invalid} rows cannot be read; their cause is unknown, and `reason` states why.")
    if invalid or refused:
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _is_empty(file: Path) -> bool:
    if str(file) == "-" or not file.is_file() or file.stat().st_size:
        return False
    console.info(f"{file.name} is empty.")
    return True


def _print_causes(events: Sequence[ingest.ErrorEvent], *, fix: bool) -> int:
    """Print the cause of each error, and return how many rows could not be read."""
    import pandas as pd  # noqa: PLC0415 - slow, and not needed for --help

    rows = [{} if event.problem else dict(event.cells) for event in events]
    classified = analysis.classify(pd.DataFrame(rows, index=range(len(rows))))
    results = console.frame_to_records(classified[["cause", "confidence", "rule", "also", "chances"]])
    for event, result in zip(events, results, strict=True):
        console.print_json(_describe(event) | result | _additional_fields(event, result["cause"], fix=fix))
    return sum(event.problem is not None for event in events)


def _describe(event: ingest.ErrorEvent) -> dict[str, Any]:
    cells = {name: event.cells[name] for name in ("error_type", "message") if name in event.cells}
    shown = {name: ingest.hide_secrets(cell) if cell else cell for name, cell in cells.items()}
    return {"source": ingest.hide_secrets(event.source), "row": event.row, **shown}


def _additional_fields(event: ingest.ErrorEvent, cause: str, *, fix: bool) -> dict[str, str]:
    if event.problem:
        return {"reason": ingest.hide_secrets(event.problem)}
    return {"fix": analysis.load_playbook(cause).short_fix} if fix else {}


def _print_parts(parts: Iterable[ingest.ErrorPart]) -> list[ingest.IngestError]:
    """Print the number of errors and the notes of each part; return the errors of parts that were not read."""
    refused = []
    for part in parts:
        if part.error is None:
            console.info(
                f"{ingest.hide_secrets(part.name)}: {part.errors} {'error' if part.errors == 1 else 'errors'}"
            )
            _print_notes(part.notes)
        elif not part.is_expected:
            refused.append(part.error)
    return refused


def _print_notes(notes: Iterable[str]) -> None:
    for note in _without_columns(notes):
        console.info(f"  {ingest.hide_secrets(note)}")


def _without_columns(notes: Iterable[str]) -> Iterator[str]:
    # Where other columns would be kept does not matter: nothing is stored.
    return (note for note in notes if not note.startswith("columns without a place"))
