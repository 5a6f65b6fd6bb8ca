"""Documents as JSON text: one way in and one way out for messages, stores and telemetry."""

from __future__ import annotations

import json
from typing import Any

JsonDict = dict[str, Any]
"""A JSON object: a record's fields, a message, a piece of configuration."""


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


# Made once: making an encoder or a decoder costs more than using it.
to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
"""A value as JSON in one line without spaces."""

to_sorted_json = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
"""The same with the keys of objects sorted: equal values give equal text."""

from_json = json.JSONDecoder(parse_constant=_refuse_constant).decode
"""The value that JSON text tells. Raises ValueError when it is none, also for numbers that JSON does not have."""
