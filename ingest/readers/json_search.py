"""Search a JSON document for the lists of objects that look most like errors or syncs."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ingest.readers.levels import normalize_heading

_DEEPEST_SEARCH = 10
MOST_VISITED = 200_000
"""Values of a document that are searched."""
_SAMPLE = 50
_LEAST_SHARE = 0.6
_SIGNS = frozenset(
    {
        "code", "createdat", "createdon", "date", "description", "detail", "device", "deviceid",
        "event", "field", "id",
        "level", "object", "objectname", "occurredat", "operation", "reason", "record", "recordid",
        "severity", "status", "statuscode", "time", "timestamp", "user", "userid", "username",
    }
)  # fmt: skip
_CONTEXT = frozenset(
    {
        "appversion", "date", "device", "deviceid", "deviceuuid", "object", "objectname", "platform", "recordid",
        "rep",        "syncid", "synctype", "time", "timestamp", "user", "userid", "username", "email",
    }
)  # fmt: skip
"""Names of members that also apply to the objects inside an object."""
_STRONG_SIGN = re.compile(r"error|exception|message|sync|fail|fault|conflict")


@dataclass(frozen=True, slots=True)
class RecordList:
    """A list of objects in a document: its path, its objects, and how much they look like errors or syncs."""

    path: str
    records: list[Any]
    score: float

    @property
    def depth(self) -> int:
        """Return how many objects are around the list."""
        return self.path.count(".")

    def is_related_to(self, other: RecordList) -> bool:
        """Return whether one of two lists is inside the other."""
        shorter, longer = sorted((self.path, other.path), key=len)
        return longer.startswith((f"{shorter}[", f"{shorter}."))


def find_best_lists(document: object, is_wrapped: Callable[[list[Any]], bool]) -> list[RecordList]:
    """Return the lists of objects that look most like errors or syncs, best first.

    A list that `is_wrapped`, such as results with their own errors, is preferred to all others.
    """
    lists = [each for each in _find_lists(document) if each.score > 0]
    wrapped = [each for each in lists if is_wrapped(each.records)]
    candidates = wrapped or lists
    if not candidates:
        return []
    # A wrapper reads the errors inside its records; otherwise the inner list has them.
    order = (lambda each: (each.depth, -each.score)) if wrapped else (lambda each: (-each.score, each.depth))
    least = _LEAST_SHARE * max(each.score for each in candidates)
    best_lists: list[RecordList] = []
    for each in sorted(candidates, key=order):
        if each.score >= least and not any(each.is_related_to(other) for other in best_lists):
            best_lists.append(each)
    return sorted(best_lists, key=lambda each: -each.score)


def _find_lists(document: object) -> Iterator[RecordList]:
    """Yield every list with objects in a document; lists at one path in several objects are joined.

    The objects have the user, the device and the like of the objects around them.
    """
    by_path: dict[str, list[Any]] = {}
    pending: deque[tuple[str, Any, dict[str, Any], int]] = deque([("", document, {}, 0)])
    visited = 0
    while pending and visited < MOST_VISITED:
        path, value, context, depth = pending.popleft()
        visited += 1
        if depth > _DEEPEST_SEARCH:
            continue
        if isinstance(value, list):
            objects = [each for each in value if isinstance(each, dict)]
            if 2 * len(objects) > len(value):
                records = [{**context, **each} if isinstance(each, dict) else each for each in value]
                by_path.setdefault(f"{path}[]", []).extend(records)
            pending += [(f"{path}[]", each, context, depth + 1) for each in objects]
        elif isinstance(value, dict):
            inner = {**context, **_context(value)}
            pending += [
                (f"{path}.{name}".lstrip("."), each, inner, depth + 1) for name, each in value.items()
            ]
    for path, records in by_path.items():
        yield RecordList(path, records, _score(records))


def _context(value: dict[str, Any]) -> dict[str, Any]:
    return {
        name: each
        for name, each in value.items()
        if normalize_heading(name) in _CONTEXT and isinstance(each, str | int | float) and each != ""
    }


def _score(records: list[Any]) -> float:
    """Return how many names of the first objects are usual for errors or syncs; a certain one counts three times."""
    objects = [each for each in records[:_SAMPLE] if isinstance(each, dict)]
    names: set[str] = set()
    for each in objects:
        for name in each:
            names.add(normalize_heading(name))
    signs = sum(name in _SIGNS for name in names)
    strong = sum(_STRONG_SIGN.search(name) is not None for name in names)
    return signs + 2 * strong
