"""The headline of a suggested fix: the change undone, else what the errors name, else the playbook's short fix."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from analysis.fixes.formatting import format_value
from analysis.fixes.playbook import Playbook
from analysis.fixes.undo import Undo

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_RIGHT_OF_OPERATION: Mapping[str, str] = {
    "create": "Create", "update": "Edit", "upsert": "Edit", "delete": "Delete", "read": "Read", "download": "Read",
}  # fmt: skip
SYNC_FIELD = "modified_date__v"
"""A field that incremental sync reads: only Read on it is missing if errors name it."""


@dataclass(frozen=True, slots=True)
class NamedFix:
    """One entry of named_fixes.toml."""

    cause: str
    who: str
    what: str


def write_headline(
    playbook: Playbook,
    undo: Undo | None,
    *,
    reverted_at: str | None,
    named_values: Mapping[str, Sequence[str]],
    permission_sets: Sequence[str],
    vmocs: Sequence[str],
) -> str:
    """Return the headline of a fix: who does what, with the names of this case.

    `undo` undoes the change that the issue is attributed to. `reverted_at` is the time at which that was already
    done; the users then only have to sync.
    """
    if undo is not None and reverted_at is not None:
        return (
            f"User: sync again; what caused the errors was already undone at {reverted_at} "
            f"({undo.who.lower()}: {undo.what})."
        )
    if undo is not None:
        return undo.sentence
    names = _collect_names(named_values, permission_sets, vmocs)
    matches = (fix for fix in _load_named_fixes() if fix.cause == playbook.cause)
    return next(filter(None, (_fill(fix, names) for fix in matches)), playbook.short_fix)


def _collect_names(
    named_values: Mapping[str, Sequence[str]], permission_sets: Sequence[str], vmocs: Sequence[str]
) -> dict[str, str]:
    """Return the value of each placeholder that the issue has exactly one value for."""
    single: dict[str, str] = {
        kind: format_value(values[0])
        for kind, values in (*named_values.items(), ("vmoc", vmocs))
        if len(values) == 1
    }
    names: dict[str, str] = {name: single[name] for name in ("object", "vmoc") if name in single}
    if "field" in single:
        names["field"] = f"{single['object']}.{single['field']}" if "object" in single else single["field"]
        names["field_right"] = "Read" if single["field"] == SYNC_FIELD else "Edit"
    right = _RIGHT_OF_OPERATION.get(single.get("operation", "").lower())
    if right is not None:
        names["right"] = right
    names["in_set"] = f" in {format_value(permission_sets[0])}" if len(permission_sets) == 1 else ""
    return names


def _fill(fix: NamedFix, names: Mapping[str, str]) -> str | None:
    if not names.keys() >= set(_PLACEHOLDER.findall(fix.what)):
        return None
    return f"{fix.who}: {_PLACEHOLDER.sub(lambda match: names[match.group(1)], fix.what)}."


@cache
def _load_named_fixes() -> tuple[NamedFix, ...]:
    text = files("analysis.fixes").joinpath("named_fixes.toml").read_text("utf-8")
    return tuple(NamedFix(**entry) for entry in tomllib.loads(text)["fix"])
