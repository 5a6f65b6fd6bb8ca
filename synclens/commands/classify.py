"""`synclens classify`: from error messages in a file to causes, without a store."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

import analysis
from synclens import console


def classify(
    file: Annotated[
        Path, typer.Argument(help="JSON lines, one error event a line, or plain text; - reads stdin.")
    ],
    fix: Annotated[bool, typer.Option("--fix", help="Say with each what to do, and who does it.")] = False,
) -> None:
    """Name the cause of each error in FILE: one JSON line out for each line in.

    The fields platform, error_type, message, object, field, operation, http_status and phase are used
    where they are present. A line that is not a JSON object gets `unknown` and the reason, and exit code 1.
    In a file without any JSON, such as a list pasted from the Errors tab, each line is a message.

    Examples:
      synclens classify errors.jsonl | jq -r .cause | sort | uniq -c

      synclens classify pasted.txt --fix

    """
    lines = list(_lines(file))
    plain = _is_plain(lines)
    if plain:
        console.info("There is no JSON in it: each line is taken as the message of one error.")
    events: list[dict[str, Any] | str] = list(_texts(lines) if plain else _events(lines))
    whole = [event if isinstance(event, dict) else {} for event in events]
    found = analysis.classify(pd.DataFrame(whole, index=range(len(whole))))
    answers = console.frame_to_records(found[["cause", "confidence", "rule", "also"]])
    for event, answer in zip(events, answers, strict=True):
        shown = event if plain and isinstance(event, dict) else {}
        console.print_json(shown | answer | _more(event, answer["cause"], fix=fix))
    broken = sum(isinstance(event, str) for event in events)
    if broken:
        console.info(f"{broken} of {len(events)} lines are not JSON objects; they are marked unknown.")
        raise typer.Exit(console.EXIT_PROBLEM_FOUND)


def _more(event: dict[str, Any] | str, cause: str, *, fix: bool) -> dict[str, str]:
    if isinstance(event, str):
        return {"reason": event}
    return {"fix": analysis.load_playbook(cause).short_fix} if fix else {}


def _lines(file: Path) -> Iterable[bytes]:
    if str(file) == "-":
        yield from sys.stdin.buffer
    else:
        with file.open("rb") as opened:
            yield from opened


def _is_plain(lines: list[bytes]) -> bool:
    """Whether these are words and not JSON with mistakes in it."""
    begun = [line.strip().removeprefix(b"\xef\xbb\xbf") for line in lines]
    return any(begun) and not any(line.startswith((b"{", b"[", b'"', b"\x00")) for line in begun)


def _texts(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The message of each line that has one; what is not UTF-8 was typed on an older Windows."""
    for line in lines:
        try:
            text = line.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = line.decode("cp1252", errors="replace")
        if text.strip():
            yield {"message": text.strip()}


def _events(lines: Iterable[bytes]) -> Iterator[dict[str, Any] | str]:
    """Each line's object, or in its place the reason why there is none."""
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            yield f"line {number} is not UTF-8: {error.reason}"
        except (json.JSONDecodeError, RecursionError) as error:
            yield f"line {number} is not JSON: {getattr(error, 'msg', 'nested too deeply')}"
        else:
            yield event if isinstance(event, dict) else f"line {number} is not a JSON object"
