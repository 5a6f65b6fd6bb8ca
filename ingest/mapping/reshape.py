"""Convert logs, audit trails and configuration objects to rows of a table.

A shape is detected by its columns (`shapes.py`). It converts the cells of a row to those of a contract, or skips rows
that are not about sync, such as successful calls in a usage log. The notes of the batch count the skipped rows.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.resources import files

from ingest.mapping.headings import fold_heading
from ingest.mapping.shapes import SHAPES, Cells, Shape
from ingest.readers.rows import RawRow, RowSource, compact_json


def reshape(source: RowSource) -> RowSource:
    """Return the source with its rows converted, if its columns fit a shape, or else unchanged."""
    shape = fitting_shape(source.header)
    return reshape_as(source, shape) if shape else source


def fitting_shape(header: Iterable[str]) -> Shape | None:
    """Return the shape that a header fits, the one with the most columns; None if there is none."""
    folded = set(map(fold_heading, header))
    fields = set(map(_field_of, folded))
    fitting = [
        shape
        for shape in SHAPES
        if shape.required_columns <= folded
        or (shape.one_of & fields and shape.required_columns - {_AS_OF} <= fields)
    ]
    return max(fitting, key=lambda each: len(each.required_columns), default=None)


@cache
def _fields_by_label() -> dict[str, str]:
    text = files("ingest.mapping").joinpath("shape_labels.toml").read_text(encoding="utf-8")
    listed = tomllib.loads(text)
    return {fold_heading(label): fold_heading(name) for name, labels in listed.items() for label in labels}


def _field_of(folded: str) -> str:
    """Return the folded name of the field for a folded heading: a label's field, or the heading itself."""
    return _fields_by_label().get(folded, folded)


_AS_OF = fold_heading("modified_date__v")


def reshape_as(source: RowSource, shape: Shape) -> RowSource:
    """Return the source with its rows converted by a shape."""
    return replace(
        source,
        header=list(shape.contract.names),
        rows=_converted(source, shape),
        bulk=None,
        reopen_below_title=None,
    )


def _converted(source: RowSource, shape: Shape) -> Iterator[RawRow]:
    skipped = 0
    for row in source.rows:
        if row.problem:
            yield row
            continue
        by_heading = {name: _cell_name(name, shape) for name in row.cells}
        cells = _ReadTrackingCells({by_heading[name]: cell for name, cell in row.cells.items()})
        if converted := shape.convert(cells):
            unread = {name: cell for name, cell in row.cells.items() if by_heading[name] not in cells.read}
            yield RawRow(row.number, unread | converted, raw=compact_json(dict(row.cells)))
        else:
            skipped += 1
    if skipped:
        source.notes.append(
            f"rows of the {shape.name} that are not about sync errors or configuration, skipped: {skipped}"
        )


def _cell_name(heading: str, shape: Shape) -> str:
    folded = fold_heading(heading)
    return _field_of(folded) if shape.one_of else folded


class _ReadTrackingCells(Cells):
    """Cells that record which of them were read; the others are kept in the column `extra`."""

    def __init__(self, cells: Cells) -> None:
        super().__init__(cells)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str | None:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.read.add(name)
        return super().get(name, default)
