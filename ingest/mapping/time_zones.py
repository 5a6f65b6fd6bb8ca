"""Time zones as Vault names them in picklists, such as `america_new_york__sys`."""

from __future__ import annotations

import re
from functools import cache
from zoneinfo import available_timezones

_SUFFIX = re.compile(r"__(sys|v|c)$")


def read_time_zone(text: str | None) -> str | None:
    """Return the IANA name of a zone that Vault names by a picklist value.

    Any other text, such as an IANA name, is returned unchanged.
    """
    if text is None or not _SUFFIX.search(text):
        return text
    return _zones_by_value().get(_fold(_SUFFIX.sub("", text)), text)


@cache
def _zones_by_value() -> dict[str, str]:
    """Return the IANA names by their folded form. Of two zones with one form, the first by name is kept."""
    return {_fold(name): name for name in sorted(available_timezones(), reverse=True)}


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.lower())
