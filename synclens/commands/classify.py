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
from synclens import narrate


def classify(
    file: Annotated[Path, typer.Argument(help="JSON lines, one error event a line; - reads stdin.")],
) -> None:
    """Name the cause of each error in FILE: one JSON line out for each line in.

    The fields platform, error_type, message, object, field, operation, http_status and phase are used
    where they are present. A line that is not a JSON object gets `unknown` and the reason, and exit code 1.

    Example: synclens classify errors.jsonl | jq -r .cause | sort | uniq -c
    """
    events: list[dict[str, Any]] = []
    broken: dict[int, str] = {}
    for number, event in _events(_lines(file)):
        events.append(event if isinstance(event, dict) else {})
        if isinstance(event, str):
            broken[number] = event
    found = analysis.classify(pd.DataFrame(events, index=range(len(events))))
    for row, answer in enumerate(narrate.records(found[["cause", "confidence", "rule", "also"]])):
        if row in broken:
            answer["reason"] = broken[row]
        narrate.emit(answer)
    if broken:
        narrate.say(f"{len(broken)} of {len(events)} lines are not JSON objects; they are marked unknown.")
        raise typer.Exit(narrate.FOUND_SOMETHING)


def _lines(file: Path) -> Iterable[bytes]:
    if str(file) == "-":
        yield from sys.stdin.buffer
    else:
        with file.open("rb") as opened:
            yield from opened


def _events(lines: Iterable[bytes]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Each line's object, or in its place the reason why there is none."""
    for number, line in enumerate(lines):
        try:
            event = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            yield number, f"line {number + 1} is not UTF-8: {error.reason}"
        except (json.JSONDecodeError, RecursionError) as error:
            yield number, f"line {number + 1} is not JSON: {getattr(error, 'msg', 'nested too deeply')}"
        else:
            good = isinstance(event, dict)
            yield number, event if good else f"line {number + 1} is not a JSON object"
