"""Write notes on the columns of a file: those without a place, and those a mapping did not find."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingest.errors import format_missing_columns, format_names
from ingest.mapping.headings import fold_heading
from ingest.mapping.mapping import ColumnMapping

MOST_NAMED = 12
"""Columns that one note lists; the others are counted."""


_USER_COLUMNS = {"sync_tracking__v": "created_by__v", "sync_error": "user_id"}


def column_notes(
    header: Sequence[str],
    final: ColumnMapping,
    mapping: ColumnMapping,
    custom_mappings: Iterable[ColumnMapping],
) -> list[str]:
    """Return notes on the columns of a source that was read with `mapping`, with the `final` assignment.

    `custom_mappings` are the mappings that the user passed. A note also lists each one for this table that did
    not fit, the columns that one names but the source lacks, and the columns that one passed over.
    """
    assigned, table = final.assign(header), mapping.contract.table
    notes = []
    if unassigned := [name for name in header if name not in set(assigned.values())]:
        place = "kept in the column extra" if mapping.contract.has_extra else "ignored"
        notes.append(f"columns without a place in {table}, {place}: {format_names(unassigned, MOST_NAMED)}")
    for each in custom_mappings:
        if each is mapping:
            notes += _absent_columns(header, each)
            notes += _passed_over_columns(header, each)
        elif each.contract.table == table and (missing_columns := each.missing_columns(header)):
            missing = format_missing_columns(each.names_for(missing_columns))
            notes.append(f"mapping {each.title!r} was not used: no column for {missing}")
    user_column = _USER_COLUMNS.get(table)
    if user_column and user_column not in assigned and user_column not in mapping.constants:
        notes.append(f"no column names the users: {user_column} is empty, and users are not counted")
    return notes


def _passed_over_columns(header: Sequence[str], mapping: ColumnMapping) -> list[str]:
    assigned = mapping.assign(header)
    return [
        f"the mapping reads {column} from {assigned[column]!r}, not from the column {heading!r}"
        if column in assigned
        else f"the mapping sets {column} to {mapping.constants[column]!r}, not to the column {heading!r}"
        for column, heading in mapping.passed_over(header).items()
    ]


def _absent_columns(header: Sequence[str], mapping: ColumnMapping) -> list[str]:
    normalized_header = set(map(fold_heading, header))
    absent = [
        f"{' or '.join(names)} (for {column})"
        for column, names in mapping.aliases.items()
        if names and not normalized_header & set(map(fold_heading, names))
    ]
    return (
        [f"the file lacks columns that the mapping names: {format_names(absent, MOST_NAMED)}"]
        if absent
        else []
    )
