"""Map the column names of a source to those of a table. Each mapping is a `.toml` file; users can add some."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.contracts.cell_format import CellFormat, DateOrder, DecimalSign, FormatInvalid
from ingest.contracts.tables import CONTRACTS, Contract
from ingest.errors import MappingInvalid, MissingColumns, UnknownKind
from ingest.mapping.headings import fold_heading, strip_suffix


class _MappingFile(BaseModel):
    """The content of a mapping file; other keys are errors."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    kind: str
    columns: dict[str, list[str]] = {}
    constants: dict[str, str] = {}
    distinct: list[str] = []
    time_zone: str | None = None
    zone_words: dict[str, str] = {}
    date_order: DateOrder | None = None
    time_formats: list[str] = []
    decimal: DecimalSign | None = None
    unit: dict[str, str] = {}
    values: dict[str, dict[str, bool | int | float | str]] = {}
    doubled_backslashes: bool = False


@dataclass(frozen=True)
class ColumnMapping:
    """The column names of one kind of source for one table.

    `aliases` has the accepted names of each column, best first. A source with one of the `distinct` names is
    always read with this mapping. `constants` fill empty columns.
    """

    title: str
    contract: Contract
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    distinct: tuple[str, ...] = ()
    cell_format: CellFormat = field(default_factory=CellFormat)
    doubled_backslashes: bool = False

    @cached_property
    def _names_by_column(self) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(
                dict.fromkeys(map(fold_heading, (name, strip_suffix(name), *self.aliases.get(name, ()))))
            )
            for name in self.contract.names
        }

    def assign(self, header: Iterable[str]) -> dict[str, str]:
        """Return, for each column of the table that `header` has, its name there."""
        by_normalized_name: dict[str, str] = {}
        for name in header:
            by_normalized_name.setdefault(fold_heading(name), name)
        return {
            column: by_normalized_name[next(name for name in names if name in by_normalized_name)]
            for column, names in self._names_by_column.items()
            if any(name in by_normalized_name for name in names)
        }

    def missing_columns(self, header: Iterable[str]) -> list[str]:
        """List the required columns that a source with this header cannot fill."""
        filled = self.assign(header).keys() | self.constants.keys()
        return [name for name in self.contract.names if name in self.contract.required - filled]

    def names_for(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the accepted names of columns."""
        return {name: (name, *self.aliases.get(name, ())) for name in names}

    def score(self, header: Iterable[str]) -> int:
        """Return how many columns of a header are mapped: 0 if a required column is missing."""
        header = list(header)
        if self.missing_columns(header):
            return 0
        assigned = self.assign(header)
        normalized_header = set(map(fold_heading, header))
        return len(set(assigned.values())) + 100 * any(
            fold_heading(name) in normalized_header for name in self.distinct
        )


def read_mapping(path: Path) -> ColumnMapping:
    """Read one mapping file. Raises MappingInvalid with the reason."""
    try:
        file = _MappingFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise MappingInvalid(path.name, _describe_errors(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingInvalid(path.name, f"is not valid TOML: {error}") from error
    except OSError as error:
        raise MappingInvalid(str(path), f"cannot be read: {error.strerror}") from error
    if file.kind not in CONTRACTS:
        raise MappingInvalid(path.name, f"kind {file.kind!r} is not one of {', '.join(CONTRACTS)}")
    contract = CONTRACTS[file.kind]
    if unknown := sorted({*file.columns, *file.constants, *file.unit, *file.values} - set(contract.names)):
        raise MappingInvalid(
            path.name,
            f"{file.kind} has no column {', '.join(unknown)}; its columns are {', '.join(contract.names)}",
        )
    return ColumnMapping(
        title=file.title or path.stem,
        contract=contract,
        aliases={column: tuple(names) for column, names in file.columns.items()},
        constants=file.constants,
        distinct=tuple(file.distinct),
        cell_format=_cell_format(file, path.name),
        doubled_backslashes=file.doubled_backslashes,
    )


def _cell_format(file: _MappingFile, name: str) -> CellFormat:
    try:
        return CellFormat(
            time_zone=file.time_zone,
            date_order=file.date_order,
            decimal=file.decimal,
            time_formats=tuple(file.time_formats),
            zone_words=file.zone_words,
            units=file.unit,
            values={
                column: {word: _cell_text(value) for word, value in words.items()}
                for column, words in file.values.items()
            },
        )
    except FormatInvalid as error:
        raise MappingInvalid(name, str(error)) from error


def _cell_text(value: bool | float | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _describe_errors(error: ValidationError) -> str:
    messages = []
    for each in error.errors():
        place = ".".join(map(str, each["loc"]))
        if each["type"] == "missing":
            messages.append(f"{place} is missing")
        elif each["type"] == "extra_forbidden":
            messages.append(f"unknown key {place}; the keys are {', '.join(_MappingFile.model_fields)}")
        else:
            messages.append(f"{place}: {each['msg']}")
    return "; ".join(messages)


def _read_builtin() -> tuple[ColumnMapping, ...]:
    folder = files("ingest.mapping").joinpath("mappings")
    paths = sorted(Path(str(each)) for each in folder.iterdir() if each.name.endswith(".toml"))
    plain = (ColumnMapping(contract.table, contract) for contract in CONTRACTS.values())
    return (*map(read_mapping, paths), *plain)


BUILTIN_MAPPINGS = _read_builtin()
"""The mappings that come with SyncLens, and one for each table with only the names of its columns."""


def choose_mapping(
    header: list[str],
    source: str,
    *,
    as_kind: str | None = None,
    custom_mappings: Iterable[ColumnMapping] = (),
) -> ColumnMapping:
    """Return the mapping that maps the most columns of a header; custom mappings come first.

    Raises UnknownKind if no mapping fits, and MissingColumns if the table `as_kind`, or a custom mapping,
    requires columns that the header lacks.
    """

    def of_kind(mappings: Iterable[ColumnMapping]) -> list[ColumnMapping]:
        return [mapping for mapping in mappings if as_kind in (None, mapping.contract.table)]

    custom = of_kind(custom_mappings)
    candidates = [*custom, *of_kind(BUILTIN_MAPPINGS)]
    if not candidates:
        raise UnknownKind(source, header, list(CONTRACTS))
    best = max(candidates, key=lambda mapping: mapping.score(header))
    if best.score(header):
        return best
    if as_kind is None and not custom:
        raise UnknownKind(source, header, list(CONTRACTS), nearest=_nearest(header))
    # The error reports the mapping that comes closest, custom mappings first.
    closest = max(custom or candidates, key=lambda mapping: len(mapping.assign(header)))
    expected_names = closest.names_for(closest.missing_columns(header))
    title = closest.title if custom else None
    raise MissingColumns(source, closest.contract.table, expected_names, header, title)


def _nearest(header: list[str]) -> tuple[str, list[str]] | None:
    """Return the closest table and the columns that the header lacks; None if fewer than two match."""
    nearest = max(
        BUILTIN_MAPPINGS,
        key=lambda mapping: len(mapping.assign(header)) - len(mapping.missing_columns(header)),
    )
    if len(nearest.assign(header)) < 2:
        return None
    return nearest.contract.table, nearest.missing_columns(header)
