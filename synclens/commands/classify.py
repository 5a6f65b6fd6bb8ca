"""`synclens classify`: classify the error messages of a file without a store."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

import analysis
from synclens import console


def classify(
    file: Annotated[
        Path,
        typer.Argument(help="JSON lines with one error event per line, or plain text. - reads stdin."),
    ],
    fix: Annotated[bool, typer.Option("--fix", help="Include the suggested fix and who applies it.")] = False,
) -> None:
    """Classify the errors in a file. Prints one JSON line per input line.

    Uses the fields platform, error_type, message, object, field, operation, http_status and phase if present. A line
    that is not a JSON object gets the cause `unknown` and a reason, and the command exits 1. In a file without any
    JSON, such as a list copied from the Errors tab, each line is one message.

    Examples:
      synclens classify errors.jsonl | jq -r .cause | sort | uniq -c

      synclens classify pasted.txt --fix

    """
    import pandas as pd  # noqa: PLC0415 - slow, and not needed for --help

    lines = list(_read_lines(file))
    plain = _is_plain_text(lines)
    if plain:
        console.info("The file has no JSON: each line is read as the message of one error.")
    events: list[dict[str, Any] | str] = list(_parse_messages(lines) if plain else _parse_events(lines))
    rows = [event if isinstance(event, dict) else {} for event in events]
    classified = analysis.classify(pd.DataFrame(rows, index=range(len(rows))))
    results = console.frame_to_records(classified[["cause", "confidence", "rule", "also"]])
    for event, result in zip(events, results, strict=True):
        message = event if plain and isinstance(event, dict) else {}
        console.print_json(message | result | _additional_fields(event, result["cause"], fix=fix))
    invalid = sum(isinstance(event, str) for event in events)
    if invalid:
        console.info(f"{invalid} of {len(events)} lines are not JSON objects; their cause is unknown.")
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _additional_fields(event: dict[str, Any] | str, cause: str, *, fix: bool) -> dict[str, str]:
    if isinstance(event, str):
        return {"reason": event}
    return {"fix": analysis.load_playbook(cause).short_fix} if fix else {}


def _read_lines(file: Path) -> Iterable[bytes]:
    if str(file) == "-":
        yield from sys.stdin.buffer
    else:
        with file.open("rb") as opened:
            yield from opened


def _is_plain_text(lines: list[bytes]) -> bool:
    """Return whether no line starts like JSON, so that the file is not JSON with syntax errors."""
    starts = [line.strip().removeprefix(b"\xef\xbb\xbf") for line in lines]
    return any(starts) and not any(line.startswith((b"{", b"[", b'"', b"\x00")) for line in starts)


def _parse_messages(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the message of each non-empty line. Text that is not UTF-8 is read as Windows-1252."""
    for line in lines:
        try:
            text = line.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = line.decode("cp1252", errors="replace")
        if text.strip():
            yield {"message": text.strip()}


def _parse_events(lines: Iterable[bytes]) -> Iterator[dict[str, Any] | str]:
    """Yield each line's object, or the reason why it has none."""
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            yield f"line {number} is not UTF-8: {error.reason}"
        except (json.JSONDecodeError, RecursionError) as error:
            yield f"line {number} is not JSON: {getattr(error, 'msg', 'nested too deeply')}"
        else:
            yield event if isinstance(event, dict) else f"line {number} is not a JSON object"
