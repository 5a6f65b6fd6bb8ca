"""Read the words that cells contain: flags, months, zones and units, from `words.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

_WORDS: Mapping[str, Any] = tomllib.loads(
    files("ingest.contracts").joinpath("words.toml").read_text(encoding="utf-8")
)

EMPTY: tuple[str, ...] = tuple(_WORDS["empty"])
"""Texts that count as an empty cell, in lower case; not in columns of text."""
EMPTY_IDS: tuple[str, ...] = tuple(_WORDS["empty_ids"])
"""Texts that count as an empty cell in a column of ids."""
FLAGS: Mapping[str, Mapping[str, list[str]]] = _WORDS["flags"]
"""The words for `true` and `false` in each language; the language `any` has signs and usual words."""
COLUMN_FLAGS: Mapping[str, Mapping[str, list[str]]] = _WORDS["column_flags"]
"""More words for `true` and `false`, which only one column expects."""
MONTHS: Mapping[str, int] = {word: int(month) for month, words in _WORDS["months"].items() for word in words}
"""The number of each month name, in lower case and without dots."""
WEEKDAYS: tuple[str, ...] = tuple(word for word in _WORDS["weekdays"] if word not in MONTHS)
"""Names of weekdays, in lower case and without dots. Words that are also months, such as mar, are months."""
DATE_FILLERS: tuple[str, ...] = tuple(_WORDS["date_fillers"])
"""Words between the parts of a date and a time of day."""
DAY_HALVES: Mapping[str, list[str]] = _WORDS["day_halves"]
"""The words for `am` and `pm`."""
ZONES: Mapping[str, int] = _WORDS["zones"]
"""Minutes east of UTC for each zone abbreviation, in lower case."""
AMBIGUOUS_ZONES: Mapping[str, list[str]] = _WORDS["ambiguous_zones"]
"""The meanings of each abbreviation that has several."""
UNITS: Mapping[str, Mapping[str, float]] = _WORDS["units"]
"""The factor of each unit by dimension: seconds for `time`, bytes for `data`."""
COLUMN_UNITS: Mapping[str, str] = _WORDS["column_units"]
"""The unit of the values that a column stores."""
