"""Group messages by their template, and compare two groupings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import isnan

from analysis.grouping.scanner import scan_messages
from analysis.grouping.templates import build_templates
from analysis.grouping.vocabulary import VERSION

GROUPING_VERSION = f"{VERSION}.1"


def group(messages: Sequence[str]) -> list[str]:
    """Return the group id of each message, in the order of the messages.

    The id is a hash of the group's template. It does not depend on the order or number of the messages. The id of
    a single message is the hash of its masked text. A missing value (None, NaN) counts as an empty message.
    """
    templates = find_templates([_as_message(message) for message in messages])
    ids = {template: sha256(template.encode()).hexdigest()[:12] for template in set(templates)}
    return [ids[template] for template in templates]


def find_templates(messages: Sequence[str]) -> list[str]:
    """Return the template that each message shares with others of these messages."""
    words = scan_messages(messages)
    shapes = {id(shape): shape for shape in words.values()}  # by identity: hashing long tuples is slow
    templates = build_templates(set(shapes.values()))
    texts = {template: _replace_surrogates(" ".join(template)) for template in set(templates.values())}
    by_shape = {number: texts[templates[shape]] for number, shape in shapes.items()}
    return [by_shape[id(words[message])] for message in messages]


def compare_groupings(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the issues that differ between two groupings, each a mapping of events to issues.

    Maps each issue of `before` whose events are not exactly those of one issue of `after` to the issues that
    contain its events now.
    """
    event_sets = {frozenset(events) for events in _events_by_issue(after).values()}
    return {
        issue: {after[event] for event in events if event in after}
        for issue, events in _events_by_issue(before).items()
        if frozenset(events) not in event_sets
    }


def _events_by_issue(issues: Mapping[str, str]) -> dict[str, set[str]]:
    events: dict[str, set[str]] = {}
    for event, issue in issues.items():
        events.setdefault(issue, set()).add(event)
    return events


def _as_message(value: object) -> str:
    # A column can hold NaN (the device sent no message) or numbers (it sent a code).
    if isinstance(value, str):
        return value
    is_missing = value is None or (isinstance(value, float) and isnan(value))
    return "" if is_missing else str(value)


def _replace_surrogates(text: str) -> str:
    # Some devices send lone surrogates, which UTF-8 cannot encode.
    return text.encode("utf-8", "replace").decode("utf-8")
