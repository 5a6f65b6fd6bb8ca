"""What became of a file's columns, in words: which have no place, and which a mapping looked for in vain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingest.errors import some, sought_in_vain
from ingest.mapping.mapping import ColumnMapping, fold

MOST_NAMED = 12
"""Columns that one note names; of the others it says how many there are."""


def columns_told(header: Sequence[str], mapping: ColumnMapping, own: Iterable[ColumnMapping]) -> list[str]:
    """Give the notes on the columns of a source that was read with `mapping`.

    `own` are the mappings that a user named: where one of them is for this table and was not the one that
    fitted, or looked for a column that is not there, that is told too.
    """
    assigned, table = mapping.assign(header), mapping.contract.table
    notes = []
    if left := [name for name in header if name not in set(assigned.values())]:
        place = "kept beside, in the column extra" if mapping.contract.has_extra else "left out"
        notes.append(f"columns without a place in {table}, {place}: {some(left, MOST_NAMED)}")
    for each in own:
        if each is mapping:
            notes += _in_vain(header, each)
        elif each.contract.table == table and (lacking := each.lacking(header)):
            notes.append(
                f"mapping {each.title!r} was not used: no column for {sought_in_vain(each.sought(lacking))}"
            )
    return notes


def _in_vain(header: Sequence[str], mapping: ColumnMapping) -> list[str]:
    there = set(map(fold, header))
    missed = [
        f"{' or '.join(names)} (for {ours})"
        for ours, names in mapping.aliases.items()
        if names and not there & set(map(fold, names))
    ]
    return [f"the mapping names columns that are not there: {some(missed, MOST_NAMED)}"] if missed else []
