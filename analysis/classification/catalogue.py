"""Load the cause catalogue: causes and the ordered rules that match them, in one folder per version."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from analysis.base.errors import AnalysisError
from analysis.classification.codes.tables import CodeGroup, CodeTable, Rank, groups_of_rank

UNKNOWN = "unknown"

Tier = Literal["code", "words", "broad", "name", "status", "hint"]

_ORDER_OF_RANK: Mapping[Rank, int] = MappingProxyType(
    {"first": 15, "exact": 100_000, "envelope": 200_000, "status": 300_000}
)
"""Where the codes of a rank come among the rules of the catalogue: behind narrow sentences, but for the first."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))


class Cause(_Frozen):
    """One cause. `side` lists who fixes it; `retry` states whether a retry of the same upload can succeed."""

    id: str = Field(pattern=r"^[a-z]+(-[a-z]+)*$")
    title: str
    family: str
    side: tuple[str, ...]
    retry: str


class Rule(_Frozen):
    """One classification rule: codes and words that mean a cause.

    The matching rule with the lowest `order` decides. A sentence of the message outranks a rule that `yields`. A
    `general` rule names a wide kind of failure by its words; a concept rule that is specific outranks it.
    A rule matches if the event has one of `codes` or one of `words`, all of `all`, none of `unless`, and every
    field in `when` matches its pattern. Patterns are regular expressions that ignore case.
    """

    id: str = Field(pattern=r"^[a-z]+(-[a-z]+)*$")
    cause: str
    tier: Tier
    order: int = 0
    yields: bool = False
    general: bool = False
    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    when: dict[str, str] = Field(default_factory=dict)
    also: tuple[str, ...] = ()

    @field_validator("words", "all", "unless")
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.context and info.context.get("published"):
            return patterns  # the tests compile them; compiling all takes half a second at every start
        for pattern in patterns:
            try:
                re.compile(pattern, re.IGNORECASE)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return patterns

    @model_validator(mode="after")
    def _has_codes_or_words(self) -> Rule:
        if not (self.codes or self.words):
            raise ValueError(f"rule {self.id} has neither codes nor words")
        return self

    @cached_property
    def code_tokens(self) -> frozenset[str]:
        """Return the codes without HTTP statuses, in lower case."""
        return frozenset(code.lower() for code in self.codes if not code.startswith("http:"))

    @cached_property
    def statuses(self) -> frozenset[str]:
        """Return the HTTP statuses among the codes. They match only if no other code and no words do."""
        return frozenset(code for code in self.codes if code.startswith("http:"))

    @cached_property
    def words_pattern(self) -> re.Pattern[str] | None:
        """Return `words` as one pattern, or None."""
        return _any_of(self.words)

    @cached_property
    def required_patterns(self) -> tuple[re.Pattern[str], ...]:
        """Return the patterns in `all`, compiled."""
        return tuple(re.compile(pattern, re.IGNORECASE) for pattern in self.all)

    @cached_property
    def excluded_pattern(self) -> re.Pattern[str] | None:
        """Return `unless` as one pattern, or None."""
        return _any_of(self.unless)

    @cached_property
    def field_patterns(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        """Return the patterns in `when`, compiled."""
        return tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in self.when.items())


class Catalogue(_Frozen):
    """A published version of causes and rules.

    `confidence` is the expected precision of each tier, `contested` the precision if a rule of another cause also
    matches.
    """

    version: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    confidence: Mapping[Tier, float]
    contested: Mapping[Tier, float]
    cause: tuple[Cause, ...]
    rule: tuple[Rule, ...]

    @field_validator("rule")
    @classmethod
    def _in_order(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(sorted(rules, key=lambda rule: rule.order))

    @model_validator(mode="after")
    def _rules_and_causes_agree(self) -> Catalogue:
        cause_ids = {cause.id for cause in self.cause}
        used_ids = {rule.cause for rule in self.rule} | {also for rule in self.rule for also in rule.also}
        if missing := sorted(used_ids - cause_ids):
            raise ValueError(f"rules use causes that do not exist: {', '.join(missing)}")
        if unused := sorted(cause_ids - {rule.cause for rule in self.rule}):
            raise ValueError(f"these causes have no rule: {', '.join(unused)}")
        if len({rule.id for rule in self.rule}) != len(self.rule):
            raise ValueError("two rules have the same id")
        return self


def load_catalogue(version: str | None = None) -> Catalogue:
    """Load the catalogue of a date (default: the newest). Raises AnalysisError if there is none."""
    return _load(version or list_versions()[-1])


def list_versions() -> list[str]:
    """Return the dates of all published catalogues, oldest first."""
    entries = files("analysis.classification").joinpath("causes").iterdir()
    return sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0].isdigit())


def read_documents(folder: Traversable) -> dict[str, Any]:
    """Read the files of a catalogue's folder as one document, with the rules of the tables of codes."""
    document: dict[str, Any] = {"cause": [], "rule": list(_code_rules())}
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".toml"):
            part = tomllib.loads(entry.read_text(encoding="utf-8"))
            document["cause"] += part.pop("cause", [])
            document["rule"] += part.pop("rule", [])
            document |= part
    return document


def _code_rules() -> Iterator[Rule]:
    """Yield one rule for each group of codes that has a cause and no other conditions."""
    for rank, order in _ORDER_OF_RANK.items():
        for place, (table, group) in enumerate(groups_of_rank(rank)):
            yield _code_rule(table, group, order + place)


def _code_rule(table: CodeTable, group: CodeGroup, order: int) -> Rule:
    codes = [
        code if group.rank == "status" else code.replace("http:", "status:") for code in table.tokens(group)
    ]
    yields = group.rank in ("envelope", "status")
    return Rule(
        id="-".join(dict.fromkeys((table.family, group.rank, group.cause, *group.also))),
        cause=group.cause,
        tier=group.tier or ("status" if yields else "code"),
        order=order,
        yields=yields,
        codes=tuple(codes),
        also=group.also,
    )


@cache
def _load(version: str) -> Catalogue:
    if version not in list_versions():
        raise AnalysisError(
            f"there is no cause catalogue of {version}",
            next_step=f"Use one of: {', '.join(list_versions())}.",
        )
    folder = files("analysis.classification").joinpath("causes", version)
    return Catalogue.model_validate(read_documents(folder), context={"published": True})


def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    if not patterns:
        return None
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


CAUSES: Mapping[str, Cause] = MappingProxyType(
    {cause.id: cause for cause in load_catalogue().cause}
    | {
        UNKNOWN: Cause(
            id="unknown", title="Unknown cause", family="Unknown", side=("support",), retry="unknown"
        )
    }
)
