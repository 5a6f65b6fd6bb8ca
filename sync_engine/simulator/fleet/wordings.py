"""Error texts of other apps and languages, to check that findings do not depend on the engine's own texts."""

# Simulated dice must replay from a seed, which is what `random` is for.
# ruff: noqa: S311

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from random import Random

from sync_engine.telemetry import SyncError, Telemetry, Truth


@cache
def load_wordings() -> dict[str, dict[str, list[str]]]:
    """Return the texts by cause and language."""
    path = files("sync_engine.simulator.fleet").joinpath("wordings.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def languages() -> tuple[str, ...]:
    """Return the languages that have a text of every cause."""
    first, *others = (set(texts) for texts in load_wordings().values())
    return tuple(sorted(first.intersection(*others)))


def reword_errors(rows: Iterable[Telemetry], seed: int) -> Iterator[Telemetry]:
    """Yield the rows with texts of other apps and languages instead of the engine's own.

    Each text depends on the seed, its user and its cause, so a user has one language and all errors of a
    cause have one text. Codes and HTTP statuses are left out: the text alone states the cause.
    """
    buffered = list(rows)
    causes = {row.event_id: row.cause for row in buffered if isinstance(row, Truth)}
    for row in buffered:
        if isinstance(row, SyncError) and causes.get(row.event_id) in load_wordings():
            message = _draw_text(causes[row.event_id], row, seed)
            yield dataclasses.replace(row, message=message, error_type=None, http_status=None)
        else:
            yield row


def _draw_text(cause: str, row: SyncError, seed: int) -> str:
    language = Random(f"{seed}/{row.user_id}/language").choice(languages())
    rng = Random(f"{seed}/{language}/{cause}")
    template = rng.choice(load_wordings()[cause][language])
    return template.format(number=rng.randint(3, 40))
