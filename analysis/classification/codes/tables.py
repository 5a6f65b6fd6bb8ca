"""Load the tables of codes: one TOML file per family, each with the specification that it is taken from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from analysis.base.errors import AnalysisError

UNKNOWN = "unknown"
_NUMBER = re.compile(r"-?\d+")
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")

Rank = Literal["first", "exact", "envelope", "status", "rules"]
Tier = Literal["code", "status", "hint"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bare(_Frozen):
    """When an `error_type` that is only a number belongs to the family: by its platform and its shape."""

    platform: str
    shape: str


class CodeGroup(_Frozen):
    """Codes of one meaning. A code is a number, a name, or a number and its names, separated by spaces.

    `=conflict` is a word that is a code only where the text names its family, as every number.

    `rank` states what outranks the code: nothing (`first`), a sentence that a narrow rule knows (`exact`), any
    sentence (`envelope`), everything but hints (`status`, for HTTP statuses). A code of rank `rules` has
    conditions, so a rule of the catalogue decides it. A code whose cause is `unknown` states a `reason`.
    """

    cause: str
    codes: tuple[str, ...] = Field(min_length=1)
    also: tuple[str, ...] = ()
    rank: Rank = "exact"
    tier: Tier | None = None
    reason: str = ""

    @model_validator(mode="after")
    def _unknown_has_a_reason(self) -> CodeGroup:
        if self.cause == UNKNOWN and not self.reason:
            raise ValueError(f"the codes {', '.join(self.codes[:3])} have neither a cause nor a reason")
        return self


class CodeTable(_Frozen):
    """The codes of one family, in the order of `order` among the tables.

    `numbers` are regular expressions that ignore case: their group is a number (or a word
    with `=`) of the family. Without them only names are recognized.
    """

    family: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    order: int
    source: tuple[str, ...] = Field(min_length=1)
    numbers: tuple[str, ...] = ()
    bare: tuple[Bare, ...] = ()
    code: tuple[CodeGroup, ...]

    @model_validator(mode="after")
    def _each_code_once(self) -> CodeTable:
        tokens = [token.lower() for group in self.code for token in self.tokens(group)]
        if repeated := sorted({token for token in tokens if tokens.count(token) > 1}):
            raise ValueError(f"{self.family} lists these codes twice: {', '.join(repeated)}")
        return self

    def tokens(self, group: CodeGroup) -> list[str]:
        """Return the codes of a group as tokens: what needs context gets its family's name, as in `sqlite:5`."""
        return [
            f"{self.family}:{token.removeprefix('=')}" if self._needs_context(token) else token
            for code in group.codes
            for token in code.split()
        ]

    def _needs_context(self, token: str) -> bool:
        shape = _SQLSTATE if self.family == "postgres" else _NUMBER
        return token.startswith("=") or bool((self.numbers or self.bare) and shape.fullmatch(token))


@cache
def load_tables() -> tuple[CodeTable, ...]:
    """Load all tables in their order. Raises AnalysisError if one is not valid."""
    entries = [
        entry for entry in files("analysis.classification.codes").iterdir() if entry.name.endswith(".toml")
    ]
    tables: list[CodeTable] = []
    for entry in sorted(entries, key=lambda each: each.name):
        try:
            tables.append(CodeTable.model_validate(tomllib.loads(entry.read_text(encoding="utf-8"))))
        except ValueError as error:
            raise AnalysisError(
                f"{entry.name} is not a table of codes: {' '.join(str(error).splitlines()[:3])}",
                next_step="Compare it with another file of analysis/classification/codes.",
            ) from error
    return tuple(sorted(tables, key=lambda table: (table.order, table.family)))


@cache
def tokens_of_every_code() -> frozenset[str]:
    """Return all codes of all tables in lower case, also those that state no cause."""
    return frozenset(
        token.lower() for table in load_tables() for group in table.code for token in table.tokens(group)
    )


@cache
def number_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return what marks a number as one of a family, as pairs of family and pattern."""
    return tuple(
        (table.family, re.compile(pattern, re.IGNORECASE))
        for table in load_tables()
        for pattern in table.numbers
    )


@cache
def bare_patterns() -> tuple[tuple[re.Pattern[str], re.Pattern[str], str], ...]:
    """Return when a bare `error_type` is a number of a family: patterns of its platform and its shape."""
    return tuple(
        (re.compile(bare.platform), re.compile(bare.shape), table.family)
        for table in load_tables()
        for bare in table.bare
    )


def groups_of_rank(rank: Rank) -> Iterator[tuple[CodeTable, CodeGroup]]:
    """Yield the groups of a rank that have a cause, in the order of the tables."""
    for table in load_tables():
        for group in table.code:
            if group.rank == rank and group.cause != UNKNOWN:
                yield table, group
