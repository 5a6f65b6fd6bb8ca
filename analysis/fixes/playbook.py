"""Playbooks: for each cause its meaning, impact, diagnosis and fix.

Each playbook is a Markdown file in `playbooks/`. TOML front matter between two `+++` lines holds the facts that
code needs. The body has four sections, in the form of the prometheus-operator runbooks. The title of a playbook
is the title of its cause in the catalogue.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import takewhile
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from analysis.base.errors import AnalysisError
from analysis.classification.catalogue import CAUSES

HEADINGS = ("Meaning", "Impact", "Diagnosis", "Fix")
PLACEHOLDERS = ("{permission_set}", "{object}")
_FENCE = "+++\n"
_SEPARATOR = " > "


class PlaybookFacts(BaseModel):
    """The front matter of a playbook.

    `who` acts. `where` is the place in Vault or on the device, as a path; `{permission_set}` and `{object}`
    are placeholders for those of the issue. `short_fix` is one sentence for lists, without markup.
    `full_refresh` is true if a full refresh is part of the fix. `sources` are public addresses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: Literal[
        "Admin", "User", "User or admin", "Data steward", "Developer", "Network team", "Support engineer"
    ]
    where: str | None = None
    short_fix: str = Field(min_length=20, max_length=110, pattern=r"^[^*`\n]+\.$")
    full_refresh: bool = False
    sources: tuple[str, ...] = Field(min_length=1)

    @field_validator("where")
    @classmethod
    def _check_placeholders(cls, where: str | None) -> str | None:
        unknown = [
            part for part in (where or "").split(_SEPARATOR) if "{" in part and part not in PLACEHOLDERS
        ]
        if unknown:
            raise ValueError(f"unknown placeholder {unknown[0]}; use {' or '.join(PLACEHOLDERS)}")
        return where

    @field_validator("sources")
    @classmethod
    def _check_sources(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if not all(source.startswith("https://") for source in sources):
            raise ValueError("each source needs an https:// address")
        return sources

    @model_validator(mode="after")
    def _check_actor(self) -> Self:
        if not self.short_fix.startswith(f"{self.who}: "):
            raise ValueError(f"short_fix must start with {self.who!r} and a colon")
        return self


@dataclass(frozen=True)
class Playbook:
    """The playbook of one cause.

    `meaning`, `impact`, `diagnosis` and `steps` are Markdown without their headings.
    """

    cause: str
    title: str
    facts: PlaybookFacts
    meaning: str
    impact: str
    diagnosis: str
    steps: str

    @property
    def who(self) -> str:
        """Return the role that acts, for example `Admin`."""
        return self.facts.who

    @property
    def short_fix(self) -> str:
        """Return the fix in one sentence of at most 110 characters, without markup."""
        return self.facts.short_fix

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the public addresses that the playbook is based on."""
        return self.facts.sources

    @property
    def fix(self) -> str:
        """Return the short fix and the steps, as Markdown."""
        return f"{self.short_fix}\n\n{self.steps}"

    def fill_where(self, values: Mapping[str, Sequence[str]]) -> str | None:
        """Return the place with the values of an issue, or None if the playbook names no place.

        `values` has the known values of each placeholder. The path ends before a placeholder that does not
        have exactly one value.
        """
        if self.facts.where is None:
            return None
        single_values = {name: options[0] for name, options in values.items() if len(options) == 1}
        parts = [single_values.get(part, part) for part in self.facts.where.split(_SEPARATOR)]
        return _SEPARATOR.join(takewhile(lambda part: part not in PLACEHOLDERS, parts))


@cache
def load_playbook(cause: str) -> Playbook:
    """Load the playbook of `cause`, an id of the cause catalogue or `unknown`.

    Raises `AnalysisError` if there is no playbook for the cause, or if the file is not a valid playbook.
    """
    if cause not in playbook_causes():
        raise AnalysisError(
            f"there is no playbook for the cause {cause!r}",
            next_step="Use a cause from the catalogue, or add analysis/fixes/playbooks/<cause>.md.",
        )
    text = files("analysis.fixes").joinpath("playbooks", f"{cause}.md").read_text("utf-8")
    return parse_playbook(cause, text, title=CAUSES[cause].title)


def load_nearest_playbook(cause: str) -> Playbook:
    """Load the playbook of `cause`, or the one for unknown errors if a custom catalogue added the cause."""
    return load_playbook(cause if cause in playbook_causes() else "unknown")


@cache
def playbook_causes() -> frozenset[str]:
    """Return the ids of the causes that have a playbook."""
    entries = files("analysis.fixes").joinpath("playbooks").iterdir()
    return frozenset(entry.name.removesuffix(".md") for entry in entries if entry.name.endswith(".md"))


def parse_playbook(cause: str, text: str, *, title: str) -> Playbook:
    """Parse the text of a playbook file; raises `AnalysisError` if it is not valid."""
    opening, facts, body = _split_front_matter(text)
    before, *parts = re.split(r"^## +", body, flags=re.MULTILINE)
    sections = [part.partition("\n") for part in parts]
    if opening or before.strip() or tuple(name.strip() for name, _, _ in sections) != HEADINGS:
        raise _invalid(cause, f"it needs front matter and the headings {', '.join(HEADINGS)}")
    try:
        parsed = PlaybookFacts.model_validate(tomllib.loads(facts))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise _invalid(cause, str(error)) from error
    meaning, impact, diagnosis, steps = (section.strip() for _, _, section in sections)
    return Playbook(cause, title, parsed, meaning, impact, diagnosis, steps)


def _split_front_matter(text: str) -> tuple[str, str, str]:
    """Return the text before the front matter (empty in a valid file), the front matter, and the body."""
    opening, _, rest = text.partition(_FENCE)
    facts, _, body = rest.partition(f"\n{_FENCE}")
    return opening, facts, body


def _invalid(cause: str, reason: str) -> AnalysisError:
    return AnalysisError(
        f"the playbook {cause} is not valid: {reason}",
        next_step="Compare the file with another one in analysis/fixes/playbooks.",
    )
