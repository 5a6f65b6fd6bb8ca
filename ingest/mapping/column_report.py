"""What became of a file's columns, in words: which have no place, and which a mapping looked for in vain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingest.errors import format_missing_columns, format_names
from ingest.mapping.mapping import ColumnMapping, normalize_name

MOST_NAMED = 12
"""Columns that one note names; of the others it says how many there are."""


def column_notes(header: Sequence[str], mapping: ColumnMapping, own: Iterable[ColumnMapping]) -> list[str]:
    """Give the notes on the columns of a source that was read with `mapping`.

    `own` are the mappings that a user named: where one of them is for this table and was not the one that
    fitted, or looked for a column that is not there, that is told too.
    """
    assigned, table = mapping.assign(header), mapping.contract.table
    notes = []
    if left := [name for name in header if name not in set(assigned.values())]:
        place = "kept beside, in the column extra" if mapping.contract.has_extra else "left out"
        notes.append(f"columns without a place in {table}, {place}: {format_names(left, MOST_NAMED)}")
    for each in own:
        if each is mapping:
            notes += _in_vain(header, each)
        elif each.contract.table == table and (lacking := each.missing_columns(header)):
            missing = format_missing_columns(each.names_for(lacking))
            notes.append(f"mapping {each.title!r} was not used: no column for {missing}")
    return notes


def _in_vain(header: Sequence[str], mapping: ColumnMapping) -> list[str]:
    there = set(map(normalize_name, header))
    missed = [
        f"{' or '.join(names)} (for {ours})"
        for ours, names in mapping.aliases.items()
        if names and not there & set(map(normalize_name, names))
    ]
    return (
        [f"the mapping names columns that are not there: {format_names(missed, MOST_NAMED)}"]
        if missed
        else []
    )
