"""How the command line speaks: data on stdout, narration on stderr, exit codes that mean something.

0 fine, 1 found something wrong (rejected rows, a violated invariant), 2 could not run.
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

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from synclens.safe_console import SafeConsole

if TYPE_CHECKING:
    import pandas as pd  # a second of waiting, which a typo should not cost

EXIT_PROBLEM_FOUND = 1
EXIT_COULD_NOT_RUN = 2

_CONTROL_CHARACTERS = re.compile(r"[\x7f-\x9f]")  # the controls that JSON leaves as they are
_err = SafeConsole(stderr=True, highlight=False)
_out = SafeConsole(highlight=False)


def info(message: str) -> None:
    """Narrate one line on stderr; the text is shown as it is, never read as markup."""
    _err.print(message, markup=False, soft_wrap=True)


class _LogHandler(logging.Handler):
    """What `analysis` remarks in its log is narrated like everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        info(f"Note: {record.getMessage()}")


logging.getLogger("analysis").addHandler(_LogHandler(logging.WARNING))


def error(message: str, next_step: str) -> None:
    """Say what went wrong and, on a line of its own, what to do next."""
    _err.print(f"Error: {message}", style="bold red", markup=False, soft_wrap=True)
    _err.print(f"Next:  {next_step}", markup=False, soft_wrap=True)


def print_output(renderable: Any) -> None:
    """Put a Rich renderable on stdout, for people; a plain string is shown as it is, never read as markup."""
    _out.print(renderable, markup=False)


def terminal_width() -> int:
    """Columns of the terminal, 80 where there is none."""
    return _out.width


def print_json(value: Any) -> None:
    """Put one JSON document on stdout, for programs; what a terminal would obey is written as an escape."""
    document = json.dumps(value, ensure_ascii=False, default=to_plain_value)
    sys.stdout.write(_CONTROL_CHARACTERS.sub(lambda found: f"\\u{ord(found[0]):04x}", document) + "\n")


def print_json_frame(frame: pd.DataFrame) -> None:
    """Put a frame on stdout as a JSON list of records; missing values become null."""
    print_json(frame_to_records(frame))


def frame_to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as plain values that JSON can hold."""
    return [
        {str(name): to_plain_value(value) for name, value in row.items()}
        for row in frame.to_dict(orient="records")
    ]


@contextmanager
def progress(what: str, total: float | None) -> Iterator[Any]:
    """A progress bar on stderr; yields `advance(steps=1)`. Nothing is drawn in a pipe."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    if not _err.is_terminal:
        info(f"{what} …")
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as bar:
        task = bar.add_task(what, total=total)

        def advance(steps: float = 1) -> None:
            bar.advance(task, steps)

        yield advance


def to_plain_value(value: Any) -> Any:
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
