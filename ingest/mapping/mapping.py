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
from ingest.errors import (
    AmbiguousHeadings,
    MappingInvalid,
    MissingColumns,
    UnknownKind,
    format_missing_columns,
)
from ingest.mapping.headings import fold_heading, same_folding, strip_suffix
from ingest.mapping.labels import labels_of


class _MappingFile(BaseModel):
    """The content of a mapping file; other keys are errors."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    source: str = ""
    kind: str
    columns: dict[str, list[str]] = {}
    constants: dict[str, str] = {}
    distinct: list[str] = []
    signature: list[str] = []
    any_of: list[list[str]] = []
    keep: dict[str, list[str]] = {}
    skip: dict[str, list[str]] = {}
    ordinary_labels: bool = False
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

    `aliases` has the accepted names of each column, best first. A source with one of the `distinct` names, or with
    all headings of `signature` in this spelling, is always read with this mapping, and its names win over those of
    the table. `constants` fill empty columns. Of each group in `any_of`, a source needs at least one column. Only
    rows whose cells are listed in `keep`, and not in `skip`, are loaded; both have the values by heading. In a
    custom mapping a column that it names, or fills by a constant, is read from nowhere else. `inferred` has why a
    heading that it does not name is read, by heading. `exact` is the final assignment, once the source is
    recognized.
    """

    title: str
    contract: Contract
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    distinct: tuple[str, ...] = ()
    signature: tuple[str, ...] = ()
    cell_format: CellFormat = field(default_factory=CellFormat)
    doubled_backslashes: bool = False
    any_of: tuple[tuple[str, ...], ...] = ()
    keep: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skip: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ordinary_labels: bool = False
    inferred: Mapping[str, str] = field(default_factory=dict)
    is_custom: bool = False
    exact: Mapping[str, str] | None = None

    @cached_property
    def _names_by_column(self) -> dict[str, tuple[str, ...]]:
        return {name: self._accepted(name) for name in self.contract.names}

    def _accepted(self, column: str) -> tuple[str, ...]:
        own, named = (column, strip_suffix(column)), self.aliases.get(column, ())
        if not self.is_custom and column in self.aliases and not named:
            return ()
        if not self.is_custom:
            return tuple(dict.fromkeys((*named, *own) if self.is_of_one_vendor else (*own, *named)))
        if named:
            return named
        claimed = {fold_heading(name) for names in self.aliases.values() for name in names}
        if column in self.constants:
            return ()
        return tuple(name for name in dict.fromkeys(own) if fold_heading(name) not in claimed)

    @property
    def is_of_one_vendor(self) -> bool:
        """Return whether the mapping is for the exports of one product, which its headings identify."""
        return bool(self.distinct or self.signature)

    def assign(self, header: Iterable[str]) -> dict[str, str]:
        """Return, for each column of the table that `header` has, its heading there."""
        headings = list(header)
        if self.exact is not None:
            return {column: name for column, name in self.exact.items() if name in set(headings)}
        spellings: dict[str, list[str]] = {}
        for heading in headings:
            spellings.setdefault(fold_heading(heading), []).append(heading)
        spellings.pop("", None)
        assigned = {}
        for column, names in self._names_by_column.items():
            matching = (_spelling(name, spellings) for name in names)
            if match := next(filter(None, matching), None):
                assigned[column] = match
        return assigned

    def alternatives(self, column: str, header: Iterable[str]) -> list[str]:
        """Return every heading that the mapping accepts for a column, best first."""
        by_folded: dict[str, list[str]] = {}
        for heading in header:
            by_folded.setdefault(fold_heading(heading), []).append(heading)
        by_folded.pop("", None)
        names = map(fold_heading, self._names_by_column[column])
        return list(dict.fromkeys(heading for name in names for heading in by_folded.get(name, ())))

    def passed_over(self, header: Iterable[str]) -> dict[str, str]:
        """Return the headings that bear the name of a column which a custom mapping fills otherwise."""
        headings = list(header)
        assigned = self.assign(headings)
        by_folded = {fold_heading(heading): heading for heading in reversed(headings)}
        passed = {}
        for column in self.contract.names if self.is_custom else ():
            own_headings = (by_folded.get(fold_heading(name)) for name in (column, strip_suffix(column)))
            own = next(filter(None, own_headings), None)
            filled = column in self.constants or column in assigned
            if own and filled and assigned.get(column) != own:
                passed[column] = own
        return passed

    def check_headings(self, source: str, header: Iterable[str]) -> None:
        """Raise AmbiguousHeadings if two headings fold alike and one of them would be read."""
        headings = list(header)
        alike = same_folding(headings)
        if not alike:
            return
        named = {name for names in self.aliases.values() for name in names} if self.is_custom else set()
        for column, heading in self.assign(headings).items():
            group = alike.get(fold_heading(heading), [])
            if group and heading not in named:
                raise AmbiguousHeadings(source, column, group)

    def missing_columns(self, header: Iterable[str]) -> list[str]:
        """List the required columns that a source with this header cannot fill."""
        filled = self.assign(header).keys() | self.constants.keys()
        return [name for name in self.contract.names if name in self.contract.required - filled]

    def names_for(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the accepted names of columns."""
        return {
            name: self.aliases[name]
            if self.is_custom and self.aliases.get(name)
            else (name, *self.aliases.get(name, ()))
            for name in names
        }

    def is_distinct(self, header: Iterable[str]) -> bool:
        """Return whether only sources of this mapping have such a header."""
        headings = set(header)
        has_signature = bool(self.signature) and headings.issuperset(self.signature)
        # Folded, `@error.message` of one product would be any "Error message".
        spelled = {heading.strip().casefold() for heading in headings}
        return has_signature or any(name.casefold() in spelled for name in self.distinct)

    def score(self, header: Iterable[str]) -> int:
        """Return how many columns of a header are mapped: 0 if a required column is missing."""
        header = list(header)
        if self.missing_columns(header):
            return 0
        return len(set(self.assign(header).values())) + 100 * self.is_distinct(header)


def _spelling(name: str, spellings: Mapping[str, list[str]]) -> str | None:
    """Return the heading for a name: the one spelled exactly like it, or the first that folds alike."""
    alike = spellings.get(fold_heading(name), [])
    return name if name in alike else next(iter(alike), None)


def read_mapping(path: Path, *, is_custom: bool = True) -> ColumnMapping:
    """Read one mapping file. Raises MappingInvalid with the reason."""
    try:
        file = _MappingFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except ValidationError as error:
        raise MappingInvalid(path.name, _describe_errors(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingInvalid(path.name, f"is not valid TOML: {error}") from error
    except OSError as error:
        raise MappingInvalid(str(path), f"cannot be read: {error.strerror}") from error
    if file.kind not in CONTRACTS:
        raise MappingInvalid(path.name, f"kind {file.kind!r} is not one of {', '.join(CONTRACTS)}")
    contract = CONTRACTS[file.kind]
    grouped = [column for group in file.any_of for column in group]
    if unknown := sorted(
        {*file.columns, *file.constants, *file.unit, *file.values, *grouped} - set(contract.names)
    ):
        raise MappingInvalid(
            path.name,
            f"{file.kind} has no column {', '.join(unknown)}; its columns are {', '.join(contract.names)}",
        )
    if is_custom:
        _check_names(path.name, file)
    labels = labels_of(contract.table) if file.ordinary_labels else {}
    return ColumnMapping(
        title=file.title or path.stem,
        contract=contract,
        aliases={
            column: (*file.columns.get(column, ()), *labels.get(column, ()))
            for column in (*file.columns, *(each for each in labels if each not in file.columns))
        },
        constants=file.constants,
        distinct=tuple(file.distinct),
        signature=tuple(file.signature),
        cell_format=_cell_format(file, path.name),
        doubled_backslashes=file.doubled_backslashes,
        any_of=tuple(map(tuple, file.any_of)),
        keep={name: tuple(values) for name, values in file.keep.items()},
        skip={name: tuple(values) for name, values in file.skip.items()},
        ordinary_labels=file.ordinary_labels,
        is_custom=is_custom,
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


def _check_names(path: str, file: _MappingFile) -> None:
    columns = {name: column for column, names in file.columns.items() for name in names}
    if blank := [name for name in (*columns, *file.keep, *file.skip) if not fold_heading(name)]:
        raise MappingInvalid(path, f"the name {blank[0]!r} has no letter or digit, so it matches no heading")
    for group in same_folding(columns).values():
        if len({columns[name] for name in group}) > 1:
            places = " and ".join(f"{name!r} (for {columns[name]})" for name in group)
            raise MappingInvalid(path, f"{places} are one name: case, spaces and punctuation are ignored")


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
    return (*(read_mapping(path, is_custom=False) for path in paths), *plain)


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
        raise UnknownKind(source, header, list(CONTRACTS))
    # The error reports the mapping that comes closest, custom mappings first.
    closest = max(custom or candidates, key=lambda mapping: len(mapping.assign(header)))
    expected_names = closest.names_for(closest.missing_columns(header))
    title = closest.title if custom else None
    lacks = [format_missing_columns({name: names}) for name, names in expected_names.items()]
    raise MissingColumns(source, closest.contract.table, lacks, header, title)
