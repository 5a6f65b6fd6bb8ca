"""The relation of a change to an issue: whether it touches what the errors name, and can cause such errors."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib.resources import files

from duckdb import DuckDBPyConnection

from analysis.base.setting_values import WHOLE, as_flag, changed_parts
from analysis.diagnosis.change_groups import ChangeGroup, ChangeRow
from analysis.query.filters import Filters
from analysis.query.runner import run_query_rows
from analysis.sync_failures.kinds import load_failure_kinds

_MOST = 0.5  # share of the errors that must name the same thing
# Share of the errors that must name records of one change: by chance they name some records of a large one.
_NEARLY_ALL = 0.8
_MAX_EVENTS = 2_000
# An API name, a version, an id or a number of at least three characters: words of a sentence name nothing.
_NAME = re.compile(r"[^\W_](?:[\w.\-]*[^\W_])?")
# A number that is no part of a name, a date or a version.
_NUMBER = re.compile(r"(?<![\w.:/-])-?\d+(?:\.\d+)?(?![\w.:/-]*\w)")
_HAS_MARK = re.compile(r"[\d_]")
_MIN_NAME = 3
_WORD = re.compile(r"[a-z]+")
_SUFFIX = re.compile(r"__[a-z]+$")

# A sample of the errors, the same for the same store.
_EVENTS = """
SELECT message, object, field, record_id, cause, failure_kind, user_id, device_id
FROM issue_event WHERE issue_id = $issue ORDER BY hash(event_id), event_id LIMIT $limit
"""


class Relation(IntEnum):
    """How close a change is to an issue; a higher value is closer."""

    CONTRARY = 0
    """The change touches another object, or its new value is harmless."""
    UNLIKELY = 1
    """Its kind seldom causes such errors."""
    OPEN = 2
    """Nothing speaks for or against it, or its kind seldom causes such errors but it touches their object."""
    FITS_CAUSE = 3
    """Its kind can cause such errors."""
    FITS_OBJECT = 4
    """It touches the object of the errors, and its kind can cause them."""
    NAMED = 5
    """The errors name what it changed: a field, a setting, a rule, a value or a record."""
    STATED = 6
    """The errors name the setting that it changed and state its new number: they come from this change or a later one
    to the same value, whatever their times."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What changes of some kinds can cause; one entry of change_effects.toml."""

    kinds: frozenset[str]
    words: re.Pattern[str] | None
    harmless: re.Pattern[str] | None
    causes: frozenset[str]
    unlikely: frozenset[str]
    any_object: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueFeatures:
    """What the errors of an issue name.

    `objects` and `fields` are those of most errors. `names` has each API name, version, id and number with the share
    of errors that name it; the affected users and devices themselves are left out. `events` has the names of each
    error, `words` and `numbers` those that most messages share.
    """

    objects: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    cause: str = ""
    failure_kind: str = ""
    names: Mapping[str, float]
    events: tuple[frozenset[str], ...] = ()
    words: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()


def load_issue_features(
    connection: DuckDBPyConnection, issue_id: str | None, filters: Filters
) -> IssueFeatures:
    """Load what the errors of an issue name; nothing without `issue_id`."""
    if issue_id is None:
        return IssueFeatures(names={})
    rows = run_query_rows(connection, _EVENTS, filters, {"issue": issue_id, "limit": _MAX_EVENTS})
    people = {str(row[name]).lower() for row in rows for name in ("user_id", "device_id") if row[name]}
    texts = [row["message"] or "" for row in rows if row["failure_kind"] is None]
    events = tuple(
        frozenset(_names(row["message"] or "") | {(row["record_id"] or "").lower()}) - people - {""}
        for row in rows
        if row["failure_kind"] is None
    )
    return IssueFeatures(
        objects=_most([row["object"] for row in rows]),
        fields=_most([row["field"] for row in rows]),
        cause=next(iter(_most([row["cause"] for row in rows])), ""),
        failure_kind=next(iter(_most([row["failure_kind"] for row in rows])), ""),
        names=_shares([set(names) for names in events]),
        events=events,
        words=_most_common(_WORD, texts),
        numbers=_most_common(_NUMBER, texts),
    )


def _most_common(pattern: re.Pattern[str], texts: Sequence[str]) -> frozenset[str]:
    shares = _shares([set(pattern.findall(text.lower())) for text in texts])
    return frozenset(match for match, share in shares.items() if share >= _MOST)


def relate(group: ChangeGroup, issue: IssueFeatures) -> tuple[Relation, str, tuple[ChangeRow, ...]]:
    """Compare a change with an issue; return the relation, a description, and the rows that are this close."""
    relations = [_relate_row(row, issue) for row in group.rows]
    if len(group.rows) > 1:
        named = _share_of_named_records(group, issue)
        if named >= _NEARLY_ALL and can_cause(group.rows[0], issue) is not False:
            text = f"{named:.0%} of the errors name a record that it changed"
            return Relation.NAMED, text, group.rows
        if all(can_cause(row, issue) is False for row in group.rows):
            # Of many records, some are named by chance.
            relations = [(min(relation, Relation.UNLIKELY), "") for relation, _ in relations]
    best = max(relation for relation, _ in relations)
    pairs = zip(group.rows, relations, strict=True)
    rows = tuple(row for row, (relation, _) in pairs if relation == best)
    return best, next(text for relation, text in relations if relation == best), rows


def _share_of_named_records(group: ChangeGroup, issue: IssueFeatures) -> float:
    values = {value for row in group.rows for value in (row.before, row.after) if value}
    records = {value.lower() for value in values - _shared_values(group) if _HAS_MARK.search(value)}
    return sum(not records.isdisjoint(names) for names in issue.events) / max(1, len(issue.events))


def _shared_values(group: ChangeGroup) -> frozenset[str]:
    """Return the new values that all rows share: a state, not a record."""
    values = {row.after for row in group.rows if row.after}
    return frozenset(values) if len(values) == 1 else frozenset()


def _relate_row(row: ChangeRow, issue: IssueFeatures) -> tuple[Relation, str]:
    effect = find_effect(row)
    if effect is not None and _is_harmless(row, effect):
        return Relation.CONTRARY, ""
    changed_object = None if row.object in _load_effects().configuration_objects else row.object
    same_object = changed_object is not None and changed_object in issue.objects
    if same_object and row.field and (row.field in issue.fields or issue.names.get(row.field, 0) >= _MOST):
        return Relation.NAMED, f"touches the same field, {row.object}.{row.field}"
    if changed_object and issue.objects and not same_object and not (effect and effect.any_object):
        return Relation.CONTRARY, ""
    name = _named_part(row, issue)
    if name is not None and _states_new_number(row, issue) and _fits_cause(row, issue, effect) is not False:
        return Relation.STATED, f"the errors name {name} and state its new value, {row.after}"
    if name is not None:
        return Relation.NAMED, f"the errors name {name}"
    return _relate_kind(row, issue, effect, same_object=same_object)


def _named_part(row: ChangeRow, issue: IssueFeatures) -> str | None:
    """Return what the errors name of a change: a name, or its attribute in words."""
    name = next((name for name in _changed_names(row) if issue.names.get(name.lower(), 0) >= _MOST), None)
    if name is None and _names_attribute(row, issue):
        return f"{row.field or row.target} in words"
    return name


def _states_new_number(row: ChangeRow, issue: IssueFeatures) -> bool:
    """Return whether the errors state the number that a setting has since this change."""
    is_setting = row.kind in ("setting", "profile_setting", "limit")
    return is_setting and (row.after or "") in issue.numbers and row.before not in issue.numbers


def _relate_kind(
    row: ChangeRow, issue: IssueFeatures, effect: Effect | None, *, same_object: bool
) -> tuple[Relation, str]:
    """Relate a change of which the errors name nothing, by its object and kind."""
    fit = _fits_cause(row, issue, effect)
    if same_object:
        relation = Relation.FITS_OBJECT if fit else Relation.OPEN
        return relation, f"touches the same object, {row.object}"
    if fit:
        article = "an" if row.kind[0] in "aeio" else "a"
        return Relation.FITS_CAUSE, f"{article} {row.kind} change can cause {_what(issue)}"
    return Relation.OPEN if fit is None else Relation.UNLIKELY, ""


def _is_harmless(row: ChangeRow, effect: Effect) -> bool:
    """Return whether all new values are harmless, as a granted right is."""
    if effect.harmless is None or not row.after:
        return False
    parts = changed_parts(row.before, row.after)
    # A flag that is no longer in a definition is off.
    after = [False if part.after is None and as_flag(part.before) else part.after for part in parts]
    return bool(parts) and all(
        value is not None and effect.harmless.search(_write_part(part.name, value))
        for part, value in zip(parts, after, strict=True)
    )


def can_cause(row: ChangeRow, issue: IssueFeatures) -> bool | None:
    """Return whether the kind of a change can cause the issue; None if it is not known."""
    return _fits_cause(row, issue, find_effect(row))


def _fits_cause(row: ChangeRow, issue: IssueFeatures, effect: Effect | None) -> bool | None:
    failure = load_failure_kinds().get(issue.failure_kind)
    if failure is not None:
        return row.kind in failure.changes or None
    if effect is None or not issue.cause or issue.cause == "unknown":
        return None
    if issue.cause in effect.causes:
        return True
    return None if effect.unlikely and issue.cause not in effect.unlikely else False


def _what(issue: IssueFeatures) -> str:
    failure = load_failure_kinds().get(issue.failure_kind)
    return failure.noun if failure is not None else issue.cause


def _names_attribute(row: ChangeRow, issue: IssueFeatures) -> bool:
    """Return whether most messages have all words of the changed attribute, such as `metadata_api`."""
    before, after = _changed_parts(row)
    attributes = [row.field, row.target if row.kind in ("setting", "profile_setting") else None]
    attributes += [part.partition("=")[0] for part in after or before]
    for attribute in attributes:
        words = set(_WORD.findall(_SUFFIX.sub("", (attribute or "").lower())))
        if len(words) > 1 and len(words - issue.words) == 0:
            return True
    return False


def _changed_names(row: ChangeRow) -> Iterator[str]:
    """Yield the names that a change touched: its target and the values that it added or removed."""
    if row.target != row.object:
        yield from _names(row.target, keep_case=True)
    if row.field:
        yield from _names(row.field, keep_case=True)
    before, after = _changed_parts(row)
    shared = _names(row.before or "") & _names(row.after or "")
    for part in (*after, *before):
        yield from sorted(name for name in _names(part, keep_case=True) if name.lower() not in shared)


def _changed_parts(row: ChangeRow) -> tuple[list[str], list[str]]:
    """Return the values before and after, of values with several parts only the changed parts as `name=value`."""
    parts = changed_parts(row.before, row.after)
    return [_write_part(part.name, part.before) for part in parts if part.before is not None], [
        _write_part(part.name, part.after) for part in parts if part.after is not None
    ]


def _write_part(name: str, value: object) -> str:
    return str(value) if name == WHOLE else f"{name}={value}"


def _names(text: str, *, keep_case: bool = False) -> set[str]:
    names = (name for name in _NAME.findall(text) if len(name) >= _MIN_NAME and _HAS_MARK.search(name))
    return {name if keep_case else name.lower() for name in names}


def _shares(items: Sequence[set[str]]) -> dict[str, float]:
    counts: dict[str, int] = {}
    for item in items:
        for name in item:
            counts[name] = counts.get(name, 0) + 1
    return {name: count / len(items) for name, count in counts.items()}


def _most(values: Sequence[str | None]) -> frozenset[str]:
    shares = _shares([{value} if value else set() for value in values])
    return frozenset(value for value, share in shares.items() if share > _MOST)


def find_effect(row: ChangeRow) -> Effect | None:
    """Return the entry of change_effects.toml for a change; None if its kind has none."""
    text = " ".join(
        value for value in (row.target, row.field, row.detail, row.before, row.after) if value is not None
    )
    matches = (
        effect
        for effect in _load_effects().effects
        if row.kind in effect.kinds and (effect.words is None or effect.words.search(text))
    )
    return next(matches, None)


@dataclass(frozen=True, slots=True)
class _Effects:
    """The content of change_effects.toml."""

    configuration_objects: frozenset[str]
    effects: tuple[Effect, ...]


@cache
def _load_effects() -> _Effects:
    text = (files("analysis.diagnosis") / "change_effects.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    effects = tuple(
        Effect(
            frozenset(entry["kind"]),
            re.compile(entry["words"]) if "words" in entry else None,
            re.compile(entry["harmless"]) if "harmless" in entry else None,
            frozenset(entry["causes"]),
            frozenset(entry.get("unlikely", ())),
            entry.get("any_object", False),
        )
        for entry in content["effect"]
    )
    return _Effects(frozenset(content["configuration_objects"]), effects)
