"""What makes a table one of the kinds that can be loaded: one `.toml` file for each table."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict

from ingest.contracts.tables import CONTRACTS
from ingest.mapping.headings import fold_heading
from ingest.mapping.labels import names_an_error


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Need(_Strict):
    """Columns of which a source needs at least one, and why."""

    one_of: tuple[str, ...]
    because: str


class TimeColumn(_Strict):
    """The column with the time of a row, and whether the time of the document may replace it."""

    column: str
    from_document: bool = False


class Points(_Strict):
    """Points for an assigned column: its own name, another accepted heading, or by column."""

    own: float = 1.0
    accepted: float = 0.5
    columns: dict[str, float] = {}


class Marks(_Strict):
    """Words of headings that name the kind; `error_stems` are the words for an error in all languages."""

    points: float = 0.0
    most: float = 0.0
    columns: tuple[str, ...] = ()
    words: tuple[str, ...] | str = ()

    def name(self, column: str, heading: str) -> bool:
        """Return whether a heading has one of the words, in a column where it counts."""
        if self.columns and column not in self.columns:
            return False
        if self.words == "error_stems":
            return names_an_error(heading)
        folded = fold_heading(heading)
        return any(fold_heading(word) in folded for word in self.words)


class Kind(_Strict):
    """A table that can be loaded: what it needs, what speaks for it, and the least score.

    Each entry of `signature` has own column names that together only this table has: a header with all of them, in
    this spelling, is of this table whatever its values are.
    """

    title: str
    describes: str
    least: float
    values: str = ""
    advise: bool = True
    needs: tuple[Need, ...] = ()
    time: TimeColumn | None = None
    points: Points = Points()
    marks: Marks = Marks()
    instead: dict[str, tuple[str, ...]] = {}
    signature: tuple[tuple[str, ...], ...] = ()

    def has_signature(self, header: Iterable[str]) -> bool:
        """Return whether only this table has such a header."""
        headings = set(header)
        return any(headings.issuperset(names) for names in self.signature)

    def lacks(self, filled: set[str]) -> list[str]:
        """Return what the kind needs and `filled` lacks, as clauses."""
        return [
            f"{need.because} (one of {', '.join(need.one_of)})"
            for need in self.needs
            if not filled & set(need.one_of)
        ]


@cache
def kinds() -> dict[str, Kind]:
    """Return the kind of each table, by its name."""
    folder = files("ingest.mapping").joinpath("kinds")
    texts = {table: folder.joinpath(f"{table}.toml").read_text(encoding="utf-8") for table in CONTRACTS}
    return {table: Kind.model_validate(tomllib.loads(text)) for table, text in texts.items()}


@cache
def words(name: str) -> dict[str, Any]:
    """Return the content of one of the word lists in `words/`."""
    folder = files("ingest.mapping").joinpath("words")
    return tomllib.loads(folder.joinpath(f"{name}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Clue:
    """One observation about a table: it speaks for a kind, or against it if `points` is negative."""

    text: str
    points: float

    def __str__(self) -> str:
        return f"{self.points:+.1f} {self.text}"
