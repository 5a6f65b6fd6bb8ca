"""JSON encoding and decoding of messages, stored documents and telemetry."""

from __future__ import annotations

import json
from typing import Any

JsonDict = dict[str, Any]
"""A JSON object, such as a message, a record or a configuration entry."""


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


# Created once: creating an encoder or a decoder costs more than using it.
to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
"""Encode a value as JSON on one line without spaces."""

to_sorted_json = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
"""Encode a value with sorted keys, so that equal values have equal text."""

from_json = json.JSONDecoder(parse_constant=_refuse_constant).decode
"""Decode JSON text. Raises ValueError if it is not valid JSON, including NaN and Infinity."""
