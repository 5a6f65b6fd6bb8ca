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

from ingest.contracts import CONTRACTS, Contract
from ingest.errors import MappingInvalid, UnknownColumns, UnknownKind
from ingest.values import Manner


class _File(BaseModel):
    """The shape of a mapping file; anything else in it is a mistake worth a message."""

    model_config = ConfigDict(extra="forbid")

    title: str
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
    manner: Manner = field(default_factory=Manner)
    doubled_backslashes: bool = False

    @cached_property
    def _known_as(self) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(dict.fromkeys(map(fold, (name, without_suffix(name), *self.aliases.get(name, ())))))
            for name in self.contract.names
        }

    def assign(self, header: Iterable[str]) -> dict[str, str]:
        """Give for each of our columns the name it has in `header`, where it has one."""
        there: dict[str, str] = {}
        for name in header:
            there.setdefault(fold(name), name)
        return {
            ours: there[next(name for name in names if name in there)]
            for ours, names in self._known_as.items()
            if any(name in there for name in names)
        }

    def score(self, header: Iterable[str]) -> int:
        """Say how well a header fits: 0 when a required column is missing, else the columns it explains."""
        header = list(header)
        assigned = self.assign(header)
        if not self.contract.required <= assigned.keys() | self.constants.keys():
            return 0
        folded = set(map(fold, header))
        return len(set(assigned.values())) + 100 * any(fold(name) in folded for name in self.distinct)


def fold(name: str) -> str:
    """Bring the spellings of one column name together: case, blanks and marks do not count."""
    return re.sub(r"[^0-9a-z]", "", name.casefold())


def without_suffix(name: str) -> str:
    """Cut a field name's owner suffix, which leaves the words of its label."""
    return re.sub(r"__(v|c|sys)$", "", name)


def read_mapping(path: Path) -> ColumnMapping:
    """Read one mapping file. Raises MappingInvalid, which says what is wrong with it."""
    try:
        told = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingInvalid(path.name, str(error)) from error
    if told.kind not in CONTRACTS:
        raise MappingInvalid(path.name, f"kind {told.kind!r} is not one of {', '.join(CONTRACTS)}")
    contract = CONTRACTS[told.kind]
    if unknown := sorted({*told.columns, *told.constants} - set(contract.names)):
        raise MappingInvalid(path.name, f"{told.kind} has no column {', '.join(unknown)}")
    return ColumnMapping(
        title=told.title,
        contract=contract,
        aliases={ours: tuple(names) for ours, names in told.columns.items()},
        constants=told.constants,
        distinct=tuple(told.distinct),
        manner=Manner(told.time_zone, told.date_order),
        doubled_backslashes=told.doubled_backslashes,
    )


def _shipped() -> tuple[ColumnMapping, ...]:
    folder = files("ingest").joinpath("mappings")
    paths = sorted(Path(str(each)) for each in folder.iterdir() if each.name.endswith(".toml"))
    plain = (ColumnMapping(contract.table, contract) for contract in CONTRACTS.values())
    return (*map(read_mapping, paths), *plain)


SHIPPED = _shipped()
"""The mappings that come with SyncLens, and for each table the one that knows only its own names."""


def choose(
    header: list[str], source: str, *, as_kind: str | None = None, more: Iterable[ColumnMapping] = ()
) -> ColumnMapping:
    """Find the mapping that explains most of a header; a customer's own come first.

    Raises UnknownKind when none does, and UnknownColumns when `as_kind` names a table whose required
    columns the header lacks.
    """
    candidates = [
        mapping for mapping in (*more, *SHIPPED) if as_kind is None or mapping.contract.table == as_kind
    ]
    if not candidates:
        raise UnknownKind(source, header, list(CONTRACTS))
    best = max(candidates, key=lambda mapping: mapping.score(header))
    if best.score(header):
        return best
    if as_kind is None:
        raise UnknownKind(source, header, list(CONTRACTS))
    missing = best.contract.required - best.assign(header).keys()
    raise UnknownColumns(source, as_kind, sorted(missing))
