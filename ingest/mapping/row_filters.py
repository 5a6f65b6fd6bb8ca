"""Leave out rows that are no errors: by a mapping's `[keep]` and `[skip]`, or by a column of levels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from ingest.errors import format_names
from ingest.mapping.error_clues import level_column
from ingest.mapping.headings import fold_heading
from ingest.mapping.mapping import ColumnMapping
from ingest.mapping.value_clues import Cells, level_of
from ingest.readers.rows import RawRow, RowSource

MOST_VALUES = 6
"""Values that the note on skipped rows counts one by one."""

Cell = str | None


def filter_rows(source: RowSource, mapping: ColumnMapping, cells: Cells) -> RowSource:
    """Return the source without the rows that the mapping, or their level, leaves out; a note counts them."""
    if mapping.keep or mapping.skip:
        return _by_values(source, mapping)
    if mapping.contract.table != "sync_error":
        return source
    level = level_column(source.header, mapping.assign(source.header), cells)
    if level is None:
        return source
    return _filtered(source, {level: lambda cell: level_of(cell or "") is not False})


def _by_values(source: RowSource, mapping: ColumnMapping) -> RowSource:
    tests: dict[str, Callable[[Cell], bool]] = {}
    for listed, is_kept in ((mapping.keep, True), (mapping.skip, False)):
        for name, values in listed.items():
            heading = _heading(name, source.header)
            if heading is None:
                source.notes.append(f"the file lacks the column {name!r}, so its values filter no rows")
                continue
            tests[heading] = _both(tests.get(heading), _test(values, is_kept=is_kept))
    return _filtered(source, tests) if tests else source


def _heading(name: str, header: list[str]) -> str | None:
    if name in header:
        return name
    return next((heading for heading in header if fold_heading(heading) == fold_heading(name)), None)


def _test(values: tuple[str, ...], *, is_kept: bool) -> Callable[[Cell], bool]:
    listed = {value.strip().casefold() for value in values}
    return lambda cell: ((cell or "").strip().casefold() in listed) is is_kept


def _both(one: Callable[[Cell], bool] | None, other: Callable[[Cell], bool]) -> Callable[[Cell], bool]:
    return other if one is None else lambda cell: one(cell) and other(cell)


def _filtered(source: RowSource, tests: Mapping[str, Callable[[Cell], bool]]) -> RowSource:
    return replace(source, rows=_kept_rows(source, source.rows, tests), bulk=None)


def _kept_rows(
    source: RowSource, rows: Iterator[RawRow], tests: Mapping[str, Callable[[Cell], bool]]
) -> Iterator[RawRow]:
    skipped: Counter[str] = Counter()
    for row in rows:
        failed = next((name for name, test in tests.items() if not test(row.cells.get(name))), None)
        if row.problem or failed is None:
            yield row
        else:
            skipped[f"{failed} {row.cells.get(failed) or 'empty'!r}"] += 1
    if skipped:
        counts = [
            f"{count} with {value}"
            for value, count in sorted(skipped.items(), key=lambda item: (-item[1], item[0]))
        ]
        source.notes.append(
            f"rows that are no errors, skipped: {skipped.total()} ({format_names(counts, MOST_VALUES)})"
        )
