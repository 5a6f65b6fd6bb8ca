"""Compare app versions by their numbers: 25.10.0 is newer than 25.9.1."""

from __future__ import annotations

import re


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the numbers in a version, a key to sort versions by."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def is_newer_version(version: str, other: str) -> bool:
    """Return whether `version` is newer than `other`."""
    return version_numbers(version) > version_numbers(other)
