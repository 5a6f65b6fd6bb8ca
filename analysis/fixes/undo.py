"""The sentence that undoes a configuration change, with the names and values of that change.

Each kind of change has a function that returns an `Undo`, or None if the change states nothing that could be undone.
A kind without a function gets the general sentence: set the part back to its old value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from analysis.base.setting_values import (
    WHOLE,
    PartChange,
    as_flag,
    as_list,
    as_number,
    changed_parts,
)
from analysis.base.text import pluralize
from analysis.fixes.formatting import MAX_LISTED, format_list, format_value

ADMIN, USER, DEVELOPER, DATA_STEWARD = "Admin", "User", "Developer", "Data steward"
DEVICE_MANAGEMENT = "Device management"
_RIGHTS = ("read", "create", "edit", "delete")
_APPLICATION_PERMISSIONS: Mapping[str, str] = {"metadata_api": "Metadata API access", "api": "API access"}
_LIMIT_NOUNS: Mapping[str, str] = {
    "length": "maximum length", "max_length": "maximum length", "max": "highest value", "max_value": "highest value",
    "min": "lowest value", "min_value": "lowest value", "type": "type", "refers_to": "referenced object",
    "to": "referenced object",
}  # fmt: skip


class Change(Protocol):
    """What an undo needs of a configuration change (analysis.fixes.config_change.ConfigChange)."""

    @property
    def kind(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def object(self) -> str | None: ...
    @property
    def field(self) -> str | None: ...
    @property
    def scope(self) -> str | None: ...
    @property
    def before(self) -> str | None: ...
    @property
    def after(self) -> str | None: ...
    @property
    def detail(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Undo:
    """How to undo a change. `what` is an imperative without a period; `who` does it."""

    who: str
    what: str

    @property
    def sentence(self) -> str:
        """Return who does what, for example `Admin: unlock the user 1000204.`"""
        return f"{self.who}: {self.what}."


def undo_change(
    change: Change, *, former_version: str | None = None, rows: Sequence[Change] = ()
) -> Undo | None:
    """Return how to undo a change, or None if its old and new values do not show what it did.

    `former_version` is the app version that devices had before a rollout. `rows` are the rows of `config_change`
    that one user wrote together with this one, itself included, such as one for each moved account.
    """
    parts = changed_parts(change.before, change.after)
    if change.kind == "app_version":
        return _undo_rollout(change, former_version)
    if not parts:
        return None
    undo = _UNDO_BY_KIND.get(change.kind, _undo_parts)(change, parts)
    return undo if undo is None or len(rows) <= 1 else _extend_to_all(change, undo, rows)


def _undo_rollout(change: Change, former_version: str | None) -> Undo:
    platform = (change.scope or "").removeprefix("platform=") if "platform=" in (change.scope or "") else ""
    on_platform = f" on {format_value(platform)}" if platform else ""
    former = change.before or former_version
    to = f" to {format_value(former)}" if former else " to the version before it"
    version = f"app version {format_value(change.target)}{on_platform}"
    what = f"roll back {version}{to}, and stop its rollout until it is fixed"
    return Undo(DEVICE_MANAGEMENT, what)


def _undo_permission(change: Change, parts: Sequence[PartChange]) -> Undo | None:
    owner = _permission_set_of(change)
    if change.object is None:
        return _undo_application_permission(change, parts, owner)
    is_field = change.field not in (None, "", "*")  # `*` is the object itself, as in permission_grant
    place = format_value(f"{change.object}.{change.field}" if is_field else change.object)
    named = [(part, part.name.removeprefix("can_").lower()) for part in parts]
    revoked = [name.capitalize() for part, name in named if name in _RIGHTS and part.is_switched_off]
    granted = [name.capitalize() for part, name in named if name in _RIGHTS and part.is_switched_on]
    if revoked:
        return Undo(ADMIN, f"give {format_list(revoked)} on {place} back to {owner}")
    if granted:
        return Undo(ADMIN, f"take {format_list(granted)} on {place} from {owner} again")
    return _set_back(ADMIN, parts, f"the permission on {place} in {owner}")


def _undo_application_permission(change: Change, parts: Sequence[PartChange], owner: str) -> Undo | None:
    part = parts[0]
    name = part.name or change.field or ""
    title = _APPLICATION_PERMISSIONS.get(name.lower(), f"the permission {format_value(name)}" if name else "")
    if title and part.is_switched_on:
        return Undo(ADMIN, f"revoke {title} from {owner}")
    if title and part.is_switched_off:
        return Undo(ADMIN, f"give {title} back to {owner}")
    return _set_back(ADMIN, parts, f"{title} of {owner}" if title else owner)


def _permission_set_of(change: Change) -> str:
    name, _, value = (change.scope or "").partition("=")
    if name == "permission_set" and value:
        return format_value(value)
    suffix = ".".join(filter(None, (change.object, change.field)))
    return format_value(change.target.removesuffix(f".{suffix}") if suffix else change.target)


def _undo_vmoc(change: Change, parts: Sequence[PartChange]) -> Undo | None:
    name = format_value(change.target)
    by_name = {part.name.removesuffix("__v"): part for part in parts}
    is_new = len(parts) > 1 and all(part.before is None for part in parts)
    if is_new:
        return Undo(ADMIN, f"deactivate the VMOC {name}, which was added, and clear the cache")
    if (where := by_name.get("where_clause")) is not None:
        if where.before:
            what = f"restore the WHERE clause of the VMOC {name}: {_clause(where.before)}"
        else:
            what = (
                f"remove the WHERE clause {_clause(where.after)} from the VMOC {name}, which had none before"
            )
        return Undo(ADMIN, f"{what}. Then clear the cache")
    if (active := by_name.get("active")) is not None and as_flag(active.after) is not None:
        verb = "activate" if active.is_switched_off else "deactivate"
        return Undo(ADMIN, f"{verb} the VMOC {name} again, and clear the cache")
    device = by_name.get("device")
    if device is not None and (platforms := as_list(device.before)):
        return Undo(ADMIN, f"assign the VMOC {name} to {format_list(platforms)} again, and clear the cache")
    undo = _set_back(ADMIN, parts, f"the VMOC {name}")
    return replace(undo, what=f"{undo.what}, and clear the cache") if undo else None


def _clause(value: object) -> str:
    return format_value(str(value).strip().removeprefix("WHERE "))


def _undo_rule(change: Change, parts: Sequence[PartChange]) -> Undo | None:
    on_object = (
        f" on {format_value(change.object)}" if change.object and change.object != change.target else ""
    )
    noun = change.kind.replace("_", " ")
    name = f"the {noun} {format_value(change.target)}{on_object}"
    if change.kind == "trigger" and change.object == change.target:
        name = f"the trigger on {format_value(change.target)}"
    who = DEVELOPER if change.kind == "trigger" else ADMIN
    switch = next((part for part in parts if part.name.removesuffix("__v") in ("active", "status")), None)
    if switch is not None and switch.is_switched_on:
        return Undo(who, f"deactivate {name}")
    if switch is not None and switch.is_switched_off:
        return Undo(who, f"activate {name} again")
    if all(part.before is None for part in parts):
        return Undo(who, f"deactivate {name}, which was added")
    return _set_back(who, parts, name)


def _undo_field(change: Change, parts: Sequence[PartChange]) -> Undo | None:
    name = format_value(
        f"{change.object}.{change.field}" if change.object and change.field else change.target
    )
    if not change.after:
        return Undo(ADMIN, f"restore the field {name}, which was removed")
    if not change.before:
        return Undo(ADMIN, f"remove the field {name} again, which was added")
    return _undo_field_part(name, {part.name: part for part in parts}) or _set_back(
        ADMIN, parts, f"the field {name}"
    )


def _undo_field_part(name: str, by_name: Mapping[str, PartChange]) -> Undo | None:
    """Undo the part of a field definition that refuses records; None if none of the parts does."""
    what = None
    unique = by_name.get("unique", by_name.get("unique_values"))
    switched_off = next(
        (flag for flag in ("active", "editable") if _is_switched_off(by_name.get(flag))), None
    )
    limit = next((part for part in by_name.values() if part.name in _LIMIT_NOUNS), None)
    if (required := by_name.get("required")) is not None:
        what = f"make {name} {'optional' if as_flag(required.after) else 'required'} again"
    elif (values := by_name.get("values")) is not None:
        return _undo_picklist(name, values)
    elif unique is not None:
        what = f"{'allow duplicate' if as_flag(unique.after) else 'require unique'} values in {name} again"
    elif switched_off is not None:
        what = f"make the field {name} {switched_off} again"
    elif limit is not None:
        return _set_value(f"the {_LIMIT_NOUNS[limit.name]} of {name}", limit)
    return Undo(ADMIN, what) if what else None


def _is_switched_off(part: PartChange | None) -> bool:
    return part is not None and part.is_switched_off


def _undo_picklist(name: str, values: PartChange) -> Undo | None:
    before, after = as_list(values.before) or [], as_list(values.after) or []
    removed, added = ([item for item in a if item not in b] for a, b in ((before, after), (after, before)))
    if removed:
        noun = "value" if len(removed) == 1 else "values"
        return Undo(ADMIN, f"restore the {noun} {format_list(removed)} in the picklist {name}")
    noun = "value" if len(added) == 1 else "values"
    return (
        Undo(ADMIN, f"remove the {noun} {format_list(added)} from the picklist {name} again")
        if added
        else None
    )


def _undo_object(change: Change, parts: Sequence[PartChange]) -> Undo | None:
    name = format_value(change.object or change.target)
    detail = (change.detail or "").lower()
    if "merge" in detail and change.before and change.after:
        loser, winner = format_value(change.before), format_value(change.after)
        return Undo(
            DATA_STEWARD,
            f"point the records of the merged {name} {loser} to {winner}, which it was merged into",
        )
    if "delete" in detail and change.before and not change.after:
        return Undo(DATA_STEWARD, f"restore the deleted {name} {format_value(change.before)}")
    return _set_back(ADMIN, parts, f"the object {name}")


def _undo_setting(change: Change, parts: Sequence[PartChange]) -> Undo | None:
    profile = (change.scope or "").partition("=")[2]
    name = format_value(change.target.partition("/")[0] if profile else change.target)
    for_profile = f" for the profile {format_value(profile)}" if profile else ""
    if len(parts) == 1 and parts[0].name in (WHOLE, "value"):
        return _set_value(f"{name}{for_profile}", parts[0])
    return _set_back(ADMIN, parts, f"{name}{for_profile}")


def _undo_territory(change: Change, parts: Sequence[PartChange]) -> Undo | None:
    if len(parts) != 1 or parts[0].name != WHOLE:
        return _set_back(ADMIN, parts, f"the territory {format_value(change.target)}")
    records = f"the {format_value(change.object)} records" if change.object else "the records"
    new = format_value(change.after or change.target)
    if change.before:
        return Undo(ADMIN, f"move {records} back from territory {new} to {format_value(change.before)}")
    return Undo(
        ADMIN,
        f"move {records} out of territory {new} again; the change does not state their former territory",
    )


def _undo_user(change: Change, parts: Sequence[PartChange]) -> Undo | None:
    user = f"the user {format_value(change.target)}"
    by_name = {part.name.removesuffix("__v").removesuffix("__sys"): part for part in parts}
    for name, part in by_name.items():
        if name == "password_expired" and part.is_switched_on:
            return Undo(USER, f"set a new password and sign in with it ({user.removeprefix('the ')})")
        if name == "locked" and part.is_switched_on:
            return Undo(ADMIN, f"unlock {user}")
        if name == "active" and part.is_switched_off:
            return Undo(ADMIN, f"reactivate {user}")
    return _set_back(ADMIN, parts, user)


def _undo_parts(change: Change, parts: Sequence[PartChange]) -> Undo | None:
    names = dict.fromkeys(filter(None, (change.target, change.object, change.field)))
    return _set_back(ADMIN, parts, " ".join([change.kind.replace("_", " "), *map(format_value, names)]))


def _set_back(who: str, parts: Sequence[PartChange], place: str) -> Undo | None:
    """Set the first part with an old value back; name the place only if no old value is recorded."""
    part = next((part for part in parts if part.before is not None), None)
    if part is None:
        new = ", ".join(_describe_part(part.name, part.after) for part in parts[:2])
        return Undo(who, f"remove what was added to {place} ({new})")
    name = f"{format_value(part.name)} of " if part.name else ""
    to = format_value(part.before)
    return Undo(who, f"set {name}{place} back{_from(part.after)} to {to}")


def _set_value(name: str, part: PartChange) -> Undo:
    """Raise, lower or restore one value."""
    old, new = as_number(part.before), as_number(part.after)
    if part.before is None:
        return Undo(ADMIN, f"clear {name} again (now {format_value(part.after)})")
    verb = "set"
    if old is not None and new is not None and min(old, new) >= 0:
        verb = "raise" if old > new else "lower"
    return Undo(ADMIN, f"{verb} {name} back{_from(part.after)} to {format_value(part.before)}")


def _from(value: object) -> str:
    return "" if value is None else f" from {format_value(value)}"


def _describe_part(name: str, value: object) -> str:
    return f"{name}={format_value(value)}" if name else format_value(value)


def _extend_to_all(change: Change, undo: Undo, rows: Sequence[Change]) -> Undo:
    """Extend the sentence for one row to all rows that were written with it."""
    if change.kind == "territory":
        name = format_value(change.object) if change.object else "records"
        return Undo(
            undo.who,
            f"move the records of this realignment ({len(rows):,} moves of {name}) back to their territories",
        )
    if change.kind == "user":
        users = _name_all("users", [row.target for row in rows])
        if undo.who == USER:
            return Undo(USER, f"set a new password and sign in with it ({users})")
        verb, _, rest = undo.what.partition(f" the user {format_value(change.target)}")
        if not rest and verb != undo.what:
            return Undo(undo.who, f"{verb} the {users}")
    if undo.who == DATA_STEWARD:
        name = format_value(change.object or change.target)
        records = [row.before or row.target for row in rows]
        if "merge" in (change.detail or "").lower():
            merged = _name_all(f"merged {name}", records)
            return Undo(undo.who, f"point the records of the {merged} to those they were merged into")
        return Undo(undo.who, f"restore the {_name_all(f'deleted {name}', records)}")
    others = pluralize(len(rows) - 1, "other part")
    return replace(undo, what=f"{undo.what}, and the {others} of this change likewise")


def _name_all(noun: str, names: Sequence[str]) -> str:
    """Return all names, or the number and the first names of many."""
    distinct = list(dict.fromkeys(names))
    if len(distinct) <= MAX_LISTED:
        return f"{noun} {format_list(distinct)}"
    return f"{len(distinct):,} {noun} of this change ({format_list(distinct)})"


_UNDO_BY_KIND: Mapping[str, Callable[[Change, Sequence[PartChange]], Undo | None]] = {
    "permission_set": _undo_permission,
    "permission_grant": _undo_permission,
    "security_profile": _undo_permission,
    "vmoc": _undo_vmoc,
    "validation_rule": _undo_rule,
    "layout_rule": _undo_rule,
    "trigger": _undo_rule,
    "workflow": _undo_rule,
    "job": _undo_rule,
    "field": _undo_field,
    "object": _undo_object,
    "setting": _undo_setting,
    "profile_setting": _undo_setting,
    "limit": _undo_setting,
    "territory": _undo_territory,
    "user": _undo_user,
}
