"""Groups and their ids, and the reason why two messages are together or apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import zip_longest

from analysis.grouping import masks, templates

GROUPING_VERSION = f"{masks.VERSION}.1"


def group(messages: Sequence[str]) -> list[str]:
    """Give each message the id of its group, in the order of the messages.

    The id is a hash of the group's template. The same messages in any order, repeated or not, get the same
    ids; a message alone gets the hash of its masked text.
    """
    templates_of = group_templates(messages)
    ids = {template: content_id(template) for template in set(templates_of.values())}
    return [ids[templates_of[message]] for message in messages]


def group_templates(messages: Sequence[str]) -> dict[str, str]:
    """Give the template of each distinct message."""
    masked = masks.mask_all(messages)
    found = templates.templates(masked.values())
    return {message: found[text] for message, text in masked.items()}


def content_id(*parts: str) -> str:
    """Give 16 hexadecimal digits that depend on the parts and nothing else."""
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Why:
    """Why two messages are in one group or in two: the step that decides, and what differs there."""

    together: bool
    step: str
    differs: tuple[tuple[str, str], ...]


def why(first: str, second: str, among: Sequence[str] = ()) -> Why:
    """Explain whether two messages belong together, given the other messages they are grouped with."""
    found = group_templates([*among, first, second])
    masked = masks.mask_all([first, second])
    if first == second:
        return Why(True, "the messages are equal", ())
    if masked[first] == masked[second]:
        return Why(True, "the masked messages are equal", _differences(first.split(), second.split()))
    differs = _differences(templates.tokens(masked[first]), templates.tokens(masked[second]))
    if found[first] == found[second]:
        return Why(True, "the words vary in this place among all messages", differs)
    return Why(False, "these words do not vary enough among all messages to be values", differs)


def compare_versions(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, set[str]]:
    """Tell what a new grouping changes.

    Both arguments map an event to its issue. Returns, for each issue of `before` whose events are not exactly
    those of one issue of `after`, the issues that its events are in now.
    """
    old, new = _members(before), _members(after)
    unchanged = {frozenset(events) for events in new.values()}
    return {
        issue: {after[event] for event in events if event in after}
        for issue, events in old.items()
        if frozenset(events) not in unchanged
    }


def _members(issues: Mapping[str, str]) -> dict[str, set[str]]:
    members: dict[str, set[str]] = {}
    for event, issue in issues.items():
        members.setdefault(issue, set()).add(event)
    return members


def _differences(first: Sequence[str], second: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((a, b) for a, b in zip_longest(first, second, fillvalue="") if a != b)
