"""Terminal output: data on stdout, progress and errors on stderr.

Exit codes: 0 success, 1 a problem was found (rejected rows, a violated invariant), 2 could not run.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from synclens.safe_console import SafeConsole

if TYPE_CHECKING:
    import pandas as pd  # a slow import that many commands do not need

EXIT_PROBLEM_FOUND = 1
EXIT_COULD_NOT_RUN = 2

_CONTROL_CHARACTERS = re.compile(r"[\x7f-\x9f]")  # the ones that JSON does not escape
_err = SafeConsole(stderr=True, highlight=False)
_out = SafeConsole(highlight=False)


def info(message: str) -> None:
    """Print one line on stderr. The text is never parsed as markup."""
    _err.print(message, markup=False, soft_wrap=True)


def error(message: str, next_step: str) -> None:
    """Print an error and its next step on stderr, one line each."""
    _err.print(f"Error: {message}", style="bold red", markup=False, soft_wrap=True)
    _err.print(f"Next:  {next_step}", markup=False, soft_wrap=True)


def print_output(renderable: Any) -> None:
    """Print a Rich renderable or a string on stdout. A string is never parsed as markup."""
    _out.print(renderable, markup=False)


def print_text(text: str) -> None:
    """Print a text on stdout as it is, without wrapping its lines."""
    sys.stdout.write(_CONTROL_CHARACTERS.sub(" ", text))


def print_json(value: Any) -> None:
    """Print one JSON document on stdout, with control characters escaped."""
    document = json.dumps(value, ensure_ascii=False, default=to_plain_value)
    sys.stdout.write(_CONTROL_CHARACTERS.sub(lambda match: f"\\u{ord(match[0]):04x}", document) + "\n")


def print_json_frame(frame: pd.DataFrame) -> None:
    """Print a frame on stdout as a JSON list of records. Missing values become null."""
    print_json(frame_to_records(frame))


def frame_to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dictionaries of JSON values."""
    return [
        {str(name): to_plain_value(value) for name, value in row.items()}
        for row in frame.to_dict(orient="records")
    ]


def to_plain_value(value: Any) -> Any:
    """Convert a value of a frame or of a query to one that JSON has. Missing values become None."""
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        value = value.tolist()
    if isinstance(value, datetime | date):
        return None if value != value else value.isoformat()  # noqa: PLR0124 - pandas' NaT
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_plain_value(item) for key, item in value.items()}
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124
        return None
    return value if isinstance(value, str | int | float | bool) else str(value)


@contextmanager
def progress(description: str, total: float | None) -> Iterator[Any]:
    """Show a progress bar on stderr and yield `advance(steps=1)`. A pipe gets one line instead."""
    # Most commands draw no bar and should not import it.
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    if not _err.is_terminal:
        info(f"{description} …")
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as bar:
        task = bar.add_task(description, total=total)

        def advance(steps: float = 1) -> None:
            bar.advance(task, steps)

        yield advance


class _LogHandler(logging.Handler):
    """Prints the warnings that `analysis` logs."""

    def emit(self, record: logging.LogRecord) -> None:
        info(f"Note: {record.getMessage()}")


logging.getLogger("analysis").addHandler(_LogHandler(logging.WARNING))
