"""From a source's column names to ours: mappings are data, one `.toml` each, and a customer can add one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.contracts.cell_format import CellFormat
from ingest.contracts.tables import CONTRACTS, Contract
from ingest.errors import MappingInvalid, MissingColumns, UnknownKind


class _File(BaseModel):
    """The shape of a mapping file; anything else in it is a mistake worth a message."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    kind: str
    columns: dict[str, list[str]] = {}
    constants: dict[str, str] = {}
    distinct: list[str] = []
    time_zone: str = "UTC"
    date_order: Literal["dmy", "mdy"] | None = None
    doubled_backslashes: bool = False


@dataclass(frozen=True)
class ColumnMapping:
    """How one kind of source names the columns of one table.

    `aliases` gives, for each of our columns, the names it may have, best first. A source that has one of
    the `distinct` names is of this kind and no other. `constants` fill columns that the source lacks.
    """

    title: str
    contract: Contract
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    distinct: tuple[str, ...] = ()
    cell_format: CellFormat = field(default_factory=CellFormat)
    doubled_backslashes: bool = False

    @cached_property
    def _known_as(self) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(
                dict.fromkeys(map(normalize_name, (name, strip_suffix(name), *self.aliases.get(name, ()))))
            )
            for name in self.contract.names
        }

    def assign(self, header: Iterable[str]) -> dict[str, str]:
        """Give for each of our columns the name it has in `header`, where it has one."""
        there: dict[str, str] = {}
        for name in header:
            there.setdefault(normalize_name(name), name)
        return {
            ours: there[next(name for name in names if name in there)]
            for ours, names in self._known_as.items()
            if any(name in there for name in names)
        }

    def missing_columns(self, header: Iterable[str]) -> list[str]:
        """Name the columns of ours that a row must have and a source with this header cannot fill."""
        there = self.assign(header).keys() | self.constants.keys()
        return [name for name in self.contract.names if name in self.contract.required - there]

    def names_for(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Give for columns of ours the names under which they are looked for."""
        return {name: (name, *self.aliases.get(name, ())) for name in names}

    def score(self, header: Iterable[str]) -> int:
        """Say how well a header fits: 0 when a required column is missing, else the columns it explains."""
        header = list(header)
        if self.missing_columns(header):
            return 0
        assigned = self.assign(header)
        folded = set(map(normalize_name, header))
        return len(set(assigned.values())) + 100 * any(
            normalize_name(name) in folded for name in self.distinct
        )


def normalize_name(name: str) -> str:
    """Bring the spellings of one column name together: case, blanks and marks do not count."""
    return re.sub(r"[^0-9a-z]", "", name.casefold())


def strip_suffix(name: str) -> str:
    """Cut a field name's owner suffix, which leaves the words of its label."""
    return re.sub(r"__(v|c|sys)$", "", name)


def read_mapping(path: Path) -> ColumnMapping:
    """Read one mapping file. Raises MappingInvalid, which says what is wrong with it."""
    try:
        told = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise MappingInvalid(path.name, _wrong_in(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingInvalid(path.name, f"is not TOML: {error}") from error
    except OSError as error:
        raise MappingInvalid(str(path), f"cannot be read: {error.strerror}") from error
    if told.kind not in CONTRACTS:
        raise MappingInvalid(path.name, f"kind {told.kind!r} is not one of {', '.join(CONTRACTS)}")
    contract = CONTRACTS[told.kind]
    if unknown := sorted({*told.columns, *told.constants} - set(contract.names)):
        raise MappingInvalid(
            path.name,
            f"{told.kind} has no column {', '.join(unknown)}; its columns: {', '.join(contract.names)}",
        )
    return ColumnMapping(
        title=told.title or path.stem,
        contract=contract,
        aliases={ours: tuple(names) for ours, names in told.columns.items()},
        constants=told.constants,
        distinct=tuple(told.distinct),
        cell_format=CellFormat(told.time_zone, told.date_order),
        doubled_backslashes=told.doubled_backslashes,
    )


def _wrong_in(error: ValidationError) -> str:
    told = []
    for each in error.errors():
        place = ".".join(map(str, each["loc"]))
        if each["type"] == "missing":
            told.append(f"{place} is missing")
        elif each["type"] == "extra_forbidden":
            told.append(f"{place} is not something a mapping says; it says {', '.join(_File.model_fields)}")
        else:
            told.append(f"{place}: {each['msg']}")
    return "; ".join(told)


def _shipped() -> tuple[ColumnMapping, ...]:
    folder = files("ingest.mapping").joinpath("mappings")
    paths = sorted(Path(str(each)) for each in folder.iterdir() if each.name.endswith(".toml"))
    plain = (ColumnMapping(contract.table, contract) for contract in CONTRACTS.values())
    return (*map(read_mapping, paths), *plain)


BUILTIN_MAPPINGS = _shipped()
"""The mappings that come with SyncLens, and for each table the one that knows only its own names."""


def choose_mapping(
    header: list[str], source: str, *, as_kind: str | None = None, more: Iterable[ColumnMapping] = ()
) -> ColumnMapping:
    """Find the mapping that explains most of a header; a customer's own come first.

    Raises UnknownKind when none does, and MissingColumns when `as_kind` names a table whose required
    columns the header lacks, or when the customer's own mapping lacks some.
    """

    def of_kind(mappings: Iterable[ColumnMapping]) -> list[ColumnMapping]:
        return [mapping for mapping in mappings if as_kind in (None, mapping.contract.table)]

    own = of_kind(more)
    candidates = [*own, *of_kind(BUILTIN_MAPPINGS)]
    if not candidates:
        raise UnknownKind(source, header, list(CONTRACTS))
    best = max(candidates, key=lambda mapping: mapping.score(header))
    if best.score(header):
        return best
    if as_kind is None and not own:
        raise UnknownKind(source, header, list(CONTRACTS), nearest=_nearest(header))
    # Which of several is meant? The one that finds most of its columns here; a customer's own before ours.
    meant = max(own or candidates, key=lambda mapping: len(mapping.assign(header)))
    sought = meant.names_for(meant.missing_columns(header))
    raise MissingColumns(source, meant.contract.table, sought, header, meant.title if own else None)


def _nearest(header: list[str]) -> tuple[str, list[str]] | None:
    """Name the table that a header is most like, and what it lacks for it; None where it is like nothing."""
    nearest = max(
        BUILTIN_MAPPINGS,
        key=lambda mapping: len(mapping.assign(header)) - len(mapping.missing_columns(header)),
    )
    if len(nearest.assign(header)) < 2:
        return None
    return nearest.contract.table, nearest.missing_columns(header)
