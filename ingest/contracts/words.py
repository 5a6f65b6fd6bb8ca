"""Read the words that cells contain: zones and units, from `words.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

_WORDS: Mapping[str, Any] = tomllib.loads(
    files("ingest.contracts").joinpath("words.toml").read_text(encoding="utf-8")
)

ZONES: Mapping[str, int] = _WORDS["zones"]
"""Minutes east of UTC for each zone abbreviation, in lower case."""
AMBIGUOUS_ZONES: Mapping[str, list[str]] = _WORDS["ambiguous_zones"]
"""The meanings of each abbreviation that has several."""
UNITS: Mapping[str, Mapping[str, float]] = _WORDS["units"]
"""The factor of each unit by dimension: seconds for `time`, bytes for `data`."""
COLUMN_UNITS: Mapping[str, str] = _WORDS["column_units"]
"""The unit of the values that a column stores."""
