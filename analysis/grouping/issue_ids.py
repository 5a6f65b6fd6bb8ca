"""Groups and their ids, and what a new version of the grouping would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import isnan

from analysis.grouping.masks import VERSION, mask_messages, split_words
from analysis.grouping.templates import build_templates

GROUPING_VERSION = f"{VERSION}.2"


def group(messages: Sequence[str]) -> list[str]:
    """Give each message the id of its group, in the order of the messages.

    The id is a hash of the group's template: the same messages in any order, repeated or not, get the same
    ids, and a message alone gets the hash of its masked text. What is missing (None, NaN) is an empty message.
    """
    found = find_templates([_as_message(message) for message in messages])
    ids = {template: sha256(template.encode()).hexdigest()[:12] for template in set(found)}
    return [ids[template] for template in found]


def find_templates(messages: Sequence[str]) -> list[str]:
    """Give each message the template that it shares with others of these messages."""
    folded = mask_messages(messages)
    cut = {text: split_words(text) for text in set(folded.values())}
    settled = build_templates(cut.values())
    spelled = {text: _printable(" ".join(settled[words])) for text, words in cut.items()}
    return [spelled[folded[message]] for message in messages]


def compare_groupings(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, set[str]]:
    """Tell what a new grouping changes; both arguments map an event to its issue.

    Returns, for each issue of `before` whose events are not exactly those of one issue of `after`, the issues
    in which its events are now.
    """
    unchanged = {frozenset(events) for events in _members(after).values()}
    return {
        issue: {after[event] for event in events if event in after}
        for issue, events in _members(before).items()
        if frozenset(events) not in unchanged
    }


def _members(issues: Mapping[str, str]) -> dict[str, set[str]]:
    members: dict[str, set[str]] = {}
    for event, issue in issues.items():
        members.setdefault(issue, set()).add(event)
    return members


def _as_message(value: object) -> str:
    # A column of a frame holds more than text: NaN where a device sent no message, a number where it sent a code.
    if isinstance(value, str):
        return value
    missing = value is None or (isinstance(value, float) and isnan(value))
    return "" if missing else str(value)


def _printable(text: str) -> str:
    # A lone surrogate, as broken devices send it, has no UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")
