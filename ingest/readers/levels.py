"""Decide whether the level or the text of a log record reports an error."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Level = Literal["error", "warning", "information"]

_LEVELS: tuple[Level, ...] = ("error", "warning", "information")
LEVEL_HEADINGS = frozenset(
    {
        "level", "loglevel", "levelname", "levelno", "severity", "severitytext", "severitylevel", "log.level", "@l",
        "messagetype", "entrytype", "leveldisplayname",
    }
)  # fmt: skip
"""Headings of a level, in lower case and without spaces, underscores or hyphens."""


@dataclass(frozen=True, slots=True)
class _NumberScale:
    headings: tuple[str, ...]
    bounds: dict[Level, int]
    descending: bool
    below: int | None

    def level_of(self, number: int) -> Level:
        if self.descending:
            return next((level for level in _LEVELS if number <= self.bounds[level]), "information")
        return next((level for level in _LEVELS if number >= self.bounds[level]), "information")


def read_level(text: str | None, heading: str = "level") -> Level | None:
    """Return the level that a cell states; None if the cell is empty or its word is not a level."""
    word = (text or "").strip().strip("[]<>():*").casefold()
    if not word:
        return None
    if word.isdecimal():
        return _read_number(int(word[:9]), normalize_heading(heading))
    return _words().get(word)


def is_level_heading(heading: str) -> bool:
    """Return whether a heading is one of a log level."""
    return normalize_heading(heading) in LEVEL_HEADINGS


def normalize_heading(heading: str) -> str:
    """Return a heading in lower case, without spaces, underscores and hyphens."""
    return re.sub(r"[\s_-]", "", heading.casefold())


def shows_error(text: str) -> bool:
    """Return whether a text has a word or a code that reports an error."""
    return _signs().search(text[:4000]) is not None


def shows_error_code(text: str) -> bool:
    """Return whether a text has an error code, such as INSUFFICIENT_ACCESS or an exception's name."""
    return _codes().search(text[:4000]) is not None


def _read_number(number: int, heading: str) -> Level | None:
    for scale in _scales():
        if heading in scale.headings and (scale.below is None or number < scale.below):
            return scale.level_of(number)
    return None


@cache
def _words() -> dict[str, Level]:
    data = _read("levels.toml")
    return {word: level for level in _LEVELS for word in data[level]}


@cache
def _scales() -> tuple[_NumberScale, ...]:
    return tuple(
        _NumberScale(
            tuple(scale["headings"]),
            {level: scale[level] for level in _LEVELS},
            scale.get("descending", False),
            scale.get("below"),
        )
        for scale in _read("levels.toml")["numbers"].values()
    )


@cache
def _signs() -> re.Pattern[str]:
    data = _read("error_signs.toml")
    words = "|".join(data["words"])
    codes = "|".join(data["codes"])
    return re.compile(f"(?i:{words})|{codes}")


@cache
def _codes() -> re.Pattern[str]:
    return re.compile("|".join(_read("error_signs.toml")["codes"]))


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("ingest.readers").joinpath(name).read_text(encoding="utf-8"))
