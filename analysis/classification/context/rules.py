"""Load the context rules: one .sql file of this folder per rule, with a header that describes it.

A rule decides the cause of findings that the message leaves open, from what the store knows besides the message.
Its query reads the frame `candidate` (one row per finding to check, `candidates.py`) and the tables of the
store. It returns the columns of `key`, `cause` (may be NULL), `confidence` and `evidence`, a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

KEYS = ("title", "reads", "decides", "overrules", "key", "why", "threshold")
_THRESHOLD = re.compile(r"(?P<name>\w+) = (?P<value>[\d.]+) (?P<unit>[^:]+): (?P<reason>.+)")
_OVERRULES = re.compile(r"(?P<cause>[\w-]+) over (?P<others>[\w -]+)")


@dataclass(frozen=True, slots=True)
class Threshold:
    """One number of a rule, with its unit and the reason for its value."""

    value: float
    unit: str
    reason: str


@dataclass(frozen=True, slots=True)
class ContextRule:
    """One context rule: `reads` are the causes it checks, `decides` those it can return.

    `overrules` maps a decided cause to the causes that it replaces even if the message states them. `key` are the
    columns that assign an answer to its candidates. `thresholds` are bound to the query as $name.
    """

    name: str
    title: str
    reads: tuple[str, ...]
    decides: tuple[str, ...]
    overrules: Mapping[str, tuple[str, ...]]
    key: tuple[str, ...]
    why: str
    thresholds: Mapping[str, Threshold]
    sql: str

    @classmethod
    def parse(cls, name: str, text: str) -> ContextRule:
        """Read a rule file. Raises ValueError if its header does not have KEYS in their order."""
        comment = re.match(r"(?:--.*\n)+", text)
        header = re.sub(r"\n--   +", " ", comment[0] if comment else "")
        pairs = re.findall(r"^-- (\w+): (.+)$", header, re.MULTILINE)
        values = dict(pairs)
        if tuple(key for key in KEYS[:-1] if key in values) != KEYS[:-1] or not values.keys() <= {*KEYS}:
            raise ValueError(f"{name}.sql must begin with {', '.join(f'-- {key}:' for key in KEYS)}")
        return cls(
            name=name,
            title=values["title"],
            reads=tuple(values["reads"].split()),
            decides=tuple(values["decides"].split()),
            overrules=_parse_overrules(name, values["overrules"]),
            key=tuple(values["key"].split()),
            why=values["why"],
            thresholds=dict(_parse_threshold(name, value) for key, value in pairs if key == "threshold"),
            sql=text,
        )

    @property
    def parameters(self) -> dict[str, float]:
        """Return the values to bind to the query."""
        return {name: threshold.value for name, threshold in self.thresholds.items()}


def load_context_rules() -> dict[str, ContextRule]:
    """Read every .sql file of this folder, by name."""
    entries = files("analysis.classification").joinpath("context").iterdir()
    texts = {
        entry.name.removesuffix(".sql"): entry.read_text("utf-8")
        for entry in entries
        if entry.name.endswith(".sql")
    }
    return {name: ContextRule.parse(name, texts[name]) for name in sorted(texts)}


def _parse_overrules(name: str, value: str) -> dict[str, tuple[str, ...]]:
    if value == "nothing":
        return {}
    match = _OVERRULES.fullmatch(value)
    if match is None:
        raise ValueError(f"{name}.sql: overrules must be 'nothing' or 'CAUSE over CAUSE ...', not {value!r}")
    return {match["cause"]: tuple(match["others"].split())}


def _parse_threshold(name: str, value: str) -> tuple[str, Threshold]:
    match = _THRESHOLD.fullmatch(value)
    if match is None:
        raise ValueError(f"{name}.sql: a threshold must be 'NAME = VALUE UNIT: REASON', not {value!r}")
    number = float(match["value"]) if "." in match["value"] else int(match["value"])
    return match["name"], Threshold(number, match["unit"], match["reason"])
