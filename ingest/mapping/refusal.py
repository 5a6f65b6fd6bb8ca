"""Refuse a source that is recognized as no table, with what is near and what to do next."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from ingest.contracts.tables import CONTRACTS
from ingest.errors import UnknownKind
from ingest.mapping.candidates import Candidate
from ingest.mapping.headings import fold_heading
from ingest.mapping.kinds import kinds
from ingest.mapping.likeness import find_likenesses
from ingest.mapping.value_clues import Cells
from ingest.readers.rows import RowSource

MOST_CANDIDATES = 3
MOST_LIKENESSES = 6
_LIKELY = 0.6
_FEWEST_LIKENESSES = 2


def refuse_if_grouped(source: RowSource) -> None:
    """Raise UnknownKind if the rows are groups or totals, each of several errors."""
    header = set(map(fold_heading, source.header))
    for table in _unloadable():
        if set(map(fold_heading, table["headings"])) <= header:
            raise UnknownKind(
                source.name,
                source.header,
                [],
                candidates=[f"it is {table['is']}", f"it lacks {table['lacks']}"],
                next_step=f"{table['next_step']} To classify only the messages, run: synclens classify {source.name}",
            )


def describe_refusal(source: RowSource, cells: Cells, candidates: Sequence[Candidate]) -> UnknownKind:
    """Return the error with the nearest tables, the columns that look like theirs, and the next step."""
    near = [
        (
            each,
            [
                likeness
                for likeness in find_likenesses(source.header, cells, each.mapping)
                if likeness.degree >= _LIKELY
            ],
        )
        for each in nearest_of_each_table(candidates)
        if each.kind.advise
    ]
    near = [(each, alike) for each, alike in near if each.assigned or len(alike) >= _FEWEST_LIKENESSES]
    near.sort(
        key=lambda option: option[0].least - option[0].score + 2 * len(option[0].lacks) - len(option[1])
    )
    lines = [each.describe() for each, _ in near[:MOST_CANDIDATES]]
    nearest, alike = near[0] if near else (None, [])
    if alike:
        lines.append("; ".join(map(str, alike[:MOST_LIKENESSES])))
    tables = [table for table in CONTRACTS if kinds()[table].advise]
    suggest = f"Write a mapping with: synclens load {source.name} --suggest-mapping mapping.toml"
    has_messages = nearest is not None and nearest.table == "sync_error" and "message" in nearest.assigned
    classify = f" To classify only its messages, run: synclens classify {source.name}" if has_messages else ""
    return UnknownKind(
        source.name,
        source.header,
        tables,
        candidates=lines,
        next_step=f"{suggest}; or specify the table with --as (one of {', '.join(tables)}).{classify}",
    )


def nearest_of_each_table(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the best candidate of each table, the nearest table first."""
    best: dict[str, Candidate] = {}
    for each in sorted(candidates, key=lambda each: each.least - each.score + 2 * len(each.lacks)):
        best.setdefault(each.table, each)
    return list(best.values())


@cache
def _unloadable() -> list[dict[str, Any]]:
    text = files("ingest.mapping").joinpath("refusals.toml").read_text(encoding="utf-8")
    return list(tomllib.loads(text)["table"])
